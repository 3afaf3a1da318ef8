"""The reviewer's guide is executed, every heading it names is on the page, and every word it explains is used there."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
from pathlib import Path

from journeys.walking import HUMAN, Lockgate, both, make_shop

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reviewing.md"
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "evidence_page.html"


def test_the_commands_on_the_page(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    shop("init", "--person", "ada")
    shop("people", "add", "bob", "--role", "product-owner", "--new-key", ".lockgate/bob")
    with both(shop):
        shop("deliver", expect=HUMAN)
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = [line.removeprefix("$ ").partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    assert len(commands) == 8
    said = {command: _run(shop, command) for command in commands}
    rejected = said["lockgate releases --rejected"]
    assert "bob (product-owner) rejected it: returns doubled last week: wait" in rejected
    _the_json_is_as_described(shop, said["sha256sum page.html"].split()[0])


def _run(shop: Lockgate, command: str) -> str:
    program, *arguments = shlex.split(command)
    if program == "lockgate":
        return shop(*arguments).out
    return subprocess.run([program, *arguments], cwd=shop.root, capture_output=True, text=True, check=True).stdout


def _the_json_is_as_described(shop: Lockgate, page: str) -> None:
    found = shop.json("evidence", "latest")
    described = {
        f for row in re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE) for f in re.findall(r"`(\w+)`", row)
    }
    assert set(found) == described
    assert found["format"] == "lockgate.evidence/1"
    assert found["sha256"] == f"sha256:{page}"
    beside = Path(found["path"]).with_suffix(".json").read_bytes()
    assert found["evidence_sha256"] == "sha256:" + hashlib.sha256(beside).hexdigest()
    assert json.loads(beside) == found["evidence"]
    assert found["evidence_sha256"] in Path(found["path"]).read_text()
    assert Path(found["card"]).read_text().startswith('---\nlibrary_name: "lockgate"\n')
    [shown] = [e for e in shop.ledger() if found["sha256"][7:19] in json.dumps(e)] or [None]
    assert shown is not None, "the ledger names the page"


def test_the_headings_and_words_of_the_guide_are_those_of_the_page() -> None:
    page = GOLDEN.read_text()
    text = re.sub(r"<[^>]+>", "", page)
    guide = PAGE.read_text()
    for heading in re.findall(
        r"\*([A-Z][^*]+\?|case by case|rollback)\*", guide.partition("## What the words mean")[0]
    ):
        assert re.search(rf"<h[23][^>]*>[^<]*{re.escape(heading.rstrip('?'))}", page), heading
    words = re.findall(r"^\| (.+?) \|", guide.partition("## What the words mean")[2].partition("## ")[0], re.MULTILINE)
    assert len(words) > 12
    for word in (w.strip("✓✗?– ").split(",")[0] for w in words[2:]):
        assert word.lower() in text.lower() or word == "fails", word
