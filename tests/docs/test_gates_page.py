"""The page on gates is executed: its Python runs, its commands say what it says, and its table has every gate."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from lockgate import gates
from lockgate.gates.measure import INPUTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gates.md"
PROGRAM = str(Path(sys.executable).with_name("lockgate"))


def test_the_page_works_as_written(tmp_path: Path) -> None:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    exec("\n".join(text for kind, text in blocks if kind == "python"), {})
    ran = 0
    for command, *expected in [
        part.splitlines() for kind, text in blocks if kind == "console" for part in text.split("$ ")[1:]
    ]:
        words = [PROGRAM, *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout.splitlines() == expected, command
        ran += 1
    assert ran == 2


def test_every_gate_is_in_the_table() -> None:
    named = set(re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.MULTILINE))
    assert set(gates.__all__) <= named


def test_every_input_of_an_own_gate_is_listed() -> None:
    own = PAGE.read_text().partition("## Your own gate")[2]
    assert set(re.findall(r"^\| `(\w+)`", own, re.MULTILINE)) == set(INPUTS)
