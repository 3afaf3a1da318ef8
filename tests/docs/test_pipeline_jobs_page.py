"""The page on a pipeline's jobs is executed in its order; the keys that it promises are those that are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from journeys.walking import both, make_shop

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pipeline-jobs.md"


def test_the_page_works_as_written(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    shop("init", "--person", "ada")
    commands = [
        c for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL) for c in block.splitlines()
    ]
    assert len(commands) >= 16
    with both(shop):
        for command in commands:
            line, _, remark = command.removeprefix("$ lockgate ").partition("#")
            code = int(found[1]) if (found := re.search(r"exit (\d)", remark)) else 0
            words = shlex.split(line)
            done = shop(*words, expect=code)
            assert words[0] == "evidence" or all(len(said) <= 100 for said in done.out.splitlines()), done.text
        assert shop.live() == shop.release()
        log = shop.ledger()
        shop("deliver")
        assert shop.ledger() == log, "every result stands there as `deliver` would sign it"
        assert (shop.root / "reports" / "enough_good_data.xml").is_file()
        promised = dict(re.findall(r"^\| `([a-z -]+) --json` \| (.*) \|$", PAGE.read_text(), re.MULTILINE))
        for name, arguments in {
            "propose": ("propose",),
            "gate judge": ("gate", "judge", "slices"),
            "approvals": ("approvals", "production"),
            "deliver --here": ("deliver", "--to", "production", "--here"),
        }.items():
            check_keys(promised[name], shop.json(*arguments))


def check_keys(promised: str, printed: dict[str, Any]) -> None:
    outside = re.sub(r"\([^)]*\)", "", promised)
    assert set(re.findall(r"`([a-z_]+)`", outside)) <= printed.keys(), (promised, printed.keys())
