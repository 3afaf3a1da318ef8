"""Every command on the page about reproducing works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from journeys.remaking import release_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reproduce.md"


def test_the_commands_on_the_page(tmp_path: Path) -> None:
    shop = release_of("shop", tmp_path / "shop")
    [block] = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = block.splitlines()
    assert len(commands) == 3
    for command in commands:
        shop(*command.split()[1:])
