"""`plan --save` and `run --plan`: exactly what was agreed, or nothing, and the word what moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build.working_copy import CHAIN, WorkingCopy


@pytest.fixture
def chain(tmp_path: Path) -> WorkingCopy:
    text = CHAIN.replace("def first() -> int:\n    return 3", "def first(words: bytes) -> int:\n    return len(words)")
    copy = WorkingCopy(tmp_path, text, toml='[sources.words]\nkind = "file"\npath = "words.txt"\n')
    copy.write("words.txt", "one")
    return copy


def saved(copy: WorkingCopy, *more: str) -> None:
    done = copy.command("plan", "--save", "agreed.json", *more)
    assert done.returncode == 0, done.stderr


def test_a_saved_plan_is_carried_out_once(chain: WorkingCopy) -> None:
    saved(chain, "--to", "second", "--param", "second.times=3")
    done = chain.command("run", "--plan", "agreed.json", "--json")
    assert done.returncode == 0, done.stderr
    ran = json.loads(done.stdout)["steps"]
    assert [(s["name"], s["action"]) for s in ran] == [("flow.first", "run"), ("flow.second", "run")]
    again = chain.command("run", "--plan", "agreed.json")
    assert again.returncode == 2
    assert "flow.first: it was to run, now it would be reused" in again.stderr
    saved(chain, "--to", "second", "--param", "second.times=3")
    assert chain.command("run", "--plan", "agreed.json").stdout == "done  0 run, 2 reused\n"


MOVES = {
    "code": (("flow/steps.py", "* FACTOR", "+ FACTOR"), "flow.second: flow.steps.second changed (flow/steps.py:"),
    "a default": (("flow/steps.py", "times: int = 1", "times: int = 2"), "flow.second: parameter times 1 → 2"),
    "the source": (("words.txt", "one", "three"), "flow.first: input words "),
    "the graph": (("flow/steps.py", "steps=[first, second, sign, last]", "steps=[first, second, sign]"), "flow.last is gone"),
}  # fmt: skip


@pytest.mark.parametrize("ran", [False, True])
@pytest.mark.parametrize("case", MOVES)
def test_what_moved_is_named_and_nothing_runs(chain: WorkingCopy, case: str, *, ran: bool) -> None:
    if ran:
        chain.did()
    saved(chain)
    edit, words = MOVES[case]
    chain.edit(*edit)
    before = sorted(chain.root.glob(".lockgate/results/*/*"))
    done = chain.command("run", "--plan", "agreed.json")
    assert done.returncode == 2
    assert "the world has moved since this plan was saved, so nothing ran" in done.stderr
    assert words in done.stderr
    assert sorted(chain.root.glob(".lockgate/results/*/*")) == before


def test_a_parameter_of_the_settings_and_a_lost_result(chain: WorkingCopy) -> None:
    chain.did()
    saved(chain)
    settings = chain.root / "lockgate.toml"
    text = settings.read_text()
    settings.write_text(text + "[params.second]\ntimes = 5\n")
    assert "parameter times 1 → 5" in chain.command("run", "--plan", "agreed.json").stderr
    settings.write_text(text)
    Path(json.loads(chain.command("show", "second", "--json").stdout)["path"]).unlink()
    assert "flow.second: it was to be reused, now it would run" in chain.command("run", "--plan", "agreed.json").stderr


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": "other"}', '{"format": "lockgate-plan/1", "steps": [1]}', None]
)
def test_what_is_no_plan_is_refused(chain: WorkingCopy, content: str | None) -> None:
    if content is not None:
        chain.write("agreed.json", content)
    done = chain.command("run", "--plan", "agreed.json")
    assert done.returncode == 2
    assert "not a saved plan: agreed.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_saved_plan_takes_no_other_wish(chain: WorkingCopy) -> None:
    saved(chain)
    assert chain.command("run", "--plan", "agreed.json", "--to", "first").returncode == 2


def test_keep_going(tmp_path: Path) -> None:
    text = (
        CHAIN.replace("return 3", "raise ValueError('no')")
        .replace("flow = Pipeline", "@step\ndef other() -> int:\n    return 1\n\nflow = Pipeline")
        .replace("last]", "last, other]")
    )
    copy = WorkingCopy(tmp_path, text, toml="[run]\nworkers = 1\n")
    assert json.loads(copy.command("run", "--json").stdout)["steps"][-1]["action"] == "blocked"
    done = copy.command("run", "--json", "--keep-going")
    assert done.returncode == 1
    assert {s["name"]: s["action"] for s in json.loads(done.stdout)["steps"]} == {
        "flow.first": "failed", "flow.second": "blocked", "flow.sign": "blocked", "flow.last": "blocked", "flow.other": "run"
    }  # fmt: skip
