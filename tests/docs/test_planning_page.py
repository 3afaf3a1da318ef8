"""Every command on the page about planning works as it stands there, one after the other, in a project of one person."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from journeys.walking import Lockgate, both, make_shop

from lockgate.project import read_settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "planning.md"
ALONE = '[approval]\nself_approval = "flagged"\n\n[environments.staging]\nprotected = false\n'


def test_the_commands_on_the_page(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    shop("init", "--person", "ada", "--role", "product-owner")
    (shop.root / "policy.toml").write_text(ALONE)
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert len(commands) == 9
    with both(shop):
        for command in commands:
            run(shop, command)
    assert shop.live() == shop.release()


def run(shop: Lockgate, command: str) -> None:
    """The exit code is what the comment behind it says, else 0."""
    words, _, comment = command.partition("#")
    code = re.search(r"exit (\d)", comment)
    shop(*shlex.split(words)[1:], expect=int(code[1]) if code else 0)


def test_the_settings_on_the_page_are_settings() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    sales, calendar = read_settings('[project]\nname = "p"\npipelines = ["p"]\n' + block).sources
    assert (sales.date, sales.date_format, sales.timeless) == ("InvoiceDate", "%m/%d/%Y %H:%M", False)
    assert (calendar.date, calendar.timeless) == ("", True)
