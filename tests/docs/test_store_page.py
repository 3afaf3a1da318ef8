"""Every command on the store's page works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from build.working_copy import CHAIN, WorkingCopy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "store.md"


def test_the_commands_on_the_page(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path / "flow", CHAIN)
    assert copy.command("run").returncode == 0
    commands = [
        c for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL) for c in block.splitlines()
    ]
    assert len(commands) == 5
    for command in commands:
        done = copy.command(*command.split()[1:])
        assert done.returncode == 0, command + done.stdout + done.stderr
