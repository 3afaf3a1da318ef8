"""The page on commands is executed: its files are written, its commands run, and they say what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adopt.md"


def test_the_page_works_as_written(tmp_path: Path) -> None:
    text = PAGE.read_text()
    for name, content in re.findall(r"^`([\w.]+)`[^\n]*:\n```\w+\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(content)
    assert {p.name for p in tmp_path.iterdir()} == {"lockgate.toml", "sales.csv", "steps.py", "report.py"}
    [console] = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    for command, *expected in [part.splitlines() for part in console.split("$ ")[1:]]:
        program = str(Path(sys.executable).with_name("lockgate"))
        done = subprocess.run(
            [program, *command.split()[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout.splitlines() == expected, command


def test_what_it_says_about_shells_is_so() -> None:
    import pytest
    from lockgate import command
    from lockgate.errors import UsageError

    for words in re.search(r"`\|`, `>`, `\$HOME`, `\*\.csv`", PAGE.read_text())[0].replace("`", "").split(", "):
        with pytest.raises(UsageError):
            command(f"program {words}", name="x", writes="y")
