"""What `graph` finds out about a real project, through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build.working_copy import CHAIN, WorkingCopy


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> WorkingCopy:
    text = CHAIN.replace(
        "def first() -> int:\n    return 3",
        'def first(words: bytes) -> int:\n    """How many.\n\n    More."""\n    return len(words)',
    )
    text = text.replace("sign, last])", 'sign, last], publishes=["last"])')
    copy = WorkingCopy(
        tmp_path_factory.mktemp("flow"), text, toml='[sources.words]\nkind = "file"\npath = "words.txt"\n'
    )
    copy.write("words.txt", "one")
    copy.did()
    return copy


def boxes(copy: WorkingCopy, *more: str) -> dict[str, dict[str, object]]:
    done = copy.command("graph", *more, "--json")
    assert done.returncode == 0, done.stderr
    return {b["key"]: b for b in json.loads(done.stdout)["boxes"]}


def test_sources_steps_cost_and_freshness(chain: WorkingCopy) -> None:
    found = boxes(chain)
    assert list(found) == ["source:words", "flow.first", "flow.second", "flow.sign", "flow.last"]
    first, last = found["flow.first"], found["flow.last"]
    assert (first["state"], first["doc"], first["holds"]) == ("reuse", "How many.", "int")
    assert first["seconds"] > 0
    assert first["size_bytes"] > 0
    assert str(first["computed"]).startswith("2030-01-01T12")
    assert first["computed_as_of"] == "2030-01-01"
    assert last["published"] is True
    assert found["source:words"]["size_bytes"] == 3


def test_the_states_and_their_causes(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", "FACTOR = 2", "FACTOR = 4")
    found = boxes(chain, "flow")
    assert [found[f"flow.{n}"]["state"] for n in ("first", "second", "sign", "last")] == [
        "reuse",
        "run",
        "maybe",
        "maybe",
    ]
    assert "FACTOR changed" in str(found["flow.second"]["why"])
    assert found["flow.second"]["seconds"] is not None  # of the last run
    chain.edit("flow/steps.py", "FACTOR = 4", "FACTOR = 2")


def test_the_four_forms(chain: WorkingCopy) -> None:
    listed = chain.command("graph").stdout
    assert "Everything is up to date: a run would reuse all 4 results." in listed
    assert "    second" in listed
    assert chain.command("graph", "--mermaid").stdout.startswith("flowchart TD")
    assert chain.command("graph", "--html", "out.html").stdout == "open out.html\n"
    assert "<svg" in (chain.root / "out.html").read_text()
    assert chain.command("graph", "nothing").returncode == 2


def test_a_docstring_is_no_part_of_a_key(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", "How many.", "How many bytes.")
    assert set(chain.plan().values()) == {"reuse"}
    assert boxes(chain)["flow.first"]["doc"] == "How many bytes."
    chain.edit("flow/steps.py", "How many bytes.", "How many.")


def test_a_missing_source_is_shown(tmp_path: Path) -> None:
    text = CHAIN.replace("def first() -> int:", "def first(words: bytes) -> int:")
    copy = WorkingCopy(tmp_path, text, toml='[sources.words]\nkind = "file"\npath = "words.txt"\n')
    found = boxes(copy)
    assert [b["state"] for b in found.values()] == ["missing", "blocked", "blocked", "blocked", "blocked"]
    assert "cannot: something is missing" in copy.command("graph").stdout
