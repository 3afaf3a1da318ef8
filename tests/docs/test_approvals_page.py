"""The page on who signs is executed: its policy is the project's, and its commands are run in their order."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

from journeys.walking import both, edit, make_shop
from lockgate.gates.exceptions import BreakGlassRules, WaiverRules
from lockgate.gates.policy import parse_policy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "approvals.md"


def test_the_page_works_as_written(tmp_path: Path) -> None:
    text = PAGE.read_text()
    [policy] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    shop = make_shop(tmp_path / "shop")
    shop("init", "--person", "ada")
    (shop.root / "policy.toml").write_text(policy + "\n[environments.staging]\nprotected = false\n")
    edit(shop.root, "shop/delivery.py", "min_rows=10,", "min_rows=100_000,")
    commands = [c for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL) for c in block.splitlines()]
    assert len(commands) >= 20
    said: dict[str, str] = {}
    entry = ""
    with both(shop):
        for command in commands:
            line, _, remark = command.removeprefix("$ lockgate ").partition("#")
            code = int(found[1]) if (found := re.search(r"exit (\d)", remark)) else 0
            done = shop(*shlex.split(line.replace("ENTRY", entry)), expect=code)
            entry = found[1] if (found := re.search(r"--second (\w+)", done.out)) else entry
            said[line.split()[0]] = done.out
    assert "review open" in said["status"]
    assert "met by bob" in said["waivers"]
    assert shop.live() == shop.release()
    assert shop.json("people")["quorum"] == 2
    assert [p["keys"] for p in shop.json("people")["people"] if p["name"] == "bob"] == [[]]


def test_the_policy_on_the_page_says_what_its_remarks_say() -> None:
    [policy] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found = parse_policy(policy)
    assert found.exceptions.waivers == WaiverRules(
        need={"risk": 1, "product-owner": 1}, longest="30d", never=("no_leak",)
    )
    assert found.exceptions.break_glass == BreakGlassRules(roles=("product-owner",), lasts="24h", review=("risk",))
    assert tomllib.loads(policy)["approval"]["exclude"] == list(parse_policy("").exclude)
