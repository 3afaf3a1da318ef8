"""The page on versions of data is executed, top to bottom: its files are written, its commands run, and they say what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"
PROGRAM = str(Path(sys.executable).with_name("lockgate"))


def test_the_page_works_as_written(tmp_path: Path) -> None:
    ran = 0
    for name, kind, content in re.findall(
        r"(?:^`([\w./]+)`:\n)?^```(\w+)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    ):
        if kind != "console":
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
            continue
        for command, *expected in [part.splitlines() for part in content.split("$ ")[1:]]:
            words = [PROGRAM, *shlex.split(command)[1:]]
            done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}: {done.stderr}"
            assert done.stdout.splitlines() == expected, command
            ran += 1
    assert ran == 6
