"""The page on sources is executed: its files are written, its commands run, and they say what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"


def test_the_page_works_as_written(tmp_path: Path) -> None:
    text = PAGE.read_text()
    for name, content in re.findall(r"^`([\w.]+)`[^\n]*:\n```\w+\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(content)
    assert {p.name for p in tmp_path.iterdir()} == {"lockgate.toml", "steps.py", "sell.py"}
    [console] = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    commands = [part.splitlines() for part in console.split("$ ")[1:]]
    assert len(commands) == 6
    for command, *expected in commands:
        words = shlex.split(command)
        program = sys.executable if words[0] == "python" else str(Path(sys.executable).with_name(words[0]))
        done = subprocess.run([program, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        said = [re.sub(r"  [\d.]+ s$", "", line) for line in done.stdout.splitlines()]
        assert said == expected, command
