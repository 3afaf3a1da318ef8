"""`accept`: the old result stands for exactly one change of code, by a person's signed word, and for nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lockgate.build.plan import Known, make_plan
from lockgate.delivery import known
from lockgate.delivery import run as delivery
from lockgate.delivery.accept import accept
from lockgate.errors import NotFound, PermissionRefused, UsageError
from lockgate.project import open_project
from lockgate.records.decisions import AcceptedChange
from lockgate.records.graph import Graph
from lockgate.records.plan import Reuse, Run
from lockgate.testing.scene import Scene, release

from build.test_plan import NO_TRACE, World, graph, node
from build.working_copy import CHAIN, NOW, WorkingCopy

HARMLESS = "return first * FACTOR * times", "return FACTOR * first * times"


@pytest.fixture
def chain(tmp_path: Path) -> WorkingCopy:
    """A project that has run, with ada as its person."""
    copy = WorkingCopy(tmp_path, CHAIN, toml='[sources.words]\nkind = "file"\npath = "words.txt"\n')
    copy.write("words.txt", "a")
    done = copy.command("init", ".", "--person", "ada")
    assert done.returncode == 0, done.stderr
    copy.did()
    return copy


def signed(copy: WorkingCopy, step: str = "second", **more: object) -> AcceptedChange:
    return accept(open_project(copy.root), step, reason="the same product", now=NOW, **more)[0]


def test_the_old_result_stands_and_says_so_everywhere(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    assert chain.plan()["second"] == "run"
    done = chain.command("accept", "second", "--reason", "the same product")
    assert done.returncode == 0, done.stderr
    assert "flow.steps.second changed (flow/steps.py:" in done.stdout
    assert set(chain.plan().values()) == {"reuse"}
    words = "result of an earlier version of this code, accepted by ada (ledger entry 1) because: the same product"
    planned = json.loads(chain.command("plan", "--json").stdout)
    assert [s["reason"] for s in planned["steps"]] == ["", words, "", ""]
    assert words in chain.command("why", "second").stdout
    ran = json.loads(chain.command("run", "--json").stdout)
    assert [(s["action"], s["reason"]) for s in ran["steps"]][1] == ("reuse", words)
    assert "accepted a change" in chain.command("ledger", "log").stdout


def test_a_copy_without_memory_of_its_own_believes_the_ledger(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    signed(chain)
    (chain.root / ".lockgate" / "last.json").unlink()
    assert set(chain.plan().values()) == {"reuse"}


def test_it_ends_with_the_next_change_and_comes_back_with_an_edit_back(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    signed(chain)
    chain.did()
    chain.edit("flow/steps.py", "FACTOR = 2", "FACTOR = 3")
    assert chain.plan()["second"] == "run"
    chain.edit("flow/steps.py", "FACTOR = 3", "FACTOR = 2")
    assert chain.plan()["second"] == "reuse"
    assert chain.plan(params={"second": {"times": 2}})["second"] == "run"
    chain.edit("flow/steps.py", "return 3", "return 4")
    assert chain.did()["second"] == "run"


def test_a_second_change_can_be_accepted_against_the_result_that_really_ran(chain: WorkingCopy) -> None:
    project = open_project(chain.root)
    ran = known.last_key(project, "flow.second")
    chain.edit("flow/steps.py", *HARMLESS)
    assert signed(chain).before == ran
    chain.did()
    chain.edit("flow/steps.py", HARMLESS[1], "return times * FACTOR * first")
    assert chain.plan()["second"] == "run"
    assert signed(chain).before == ran
    assert chain.plan()["second"] == "reuse"


def test_a_real_result_counts_more_than_an_accepted_one(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    assert chain.did()["second"] == "run"
    with pytest.raises(UsageError, match="nothing to accept"):
        signed(chain)


def test_withdrawn_it_runs(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    signed(chain)
    done = chain.command("accept", "second", "--withdraw", "--reason", "I was wrong")
    assert done.returncode == 0, done.stderr
    assert chain.plan()["second"] == "run"
    assert chain.command("accept", "second", "--withdraw", "--reason", "again").returncode == 2
    signed(chain)
    assert chain.plan()["second"] == "reuse"


def test_another_value_under_the_old_fingerprint_was_not_accepted(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    before = signed(chain).before
    results = open_project(chain.root).results("results")
    record = dict(results.get(before) or {})
    results.put(before, {**record, "artifact": {**record["artifact"], "digest": "blake3:" + "0" * 64}})
    assert chain.plan()["second"] == "run"


REFUSED = {
    "a parameter": ("times: int = 1", "times: int = 2", "parameter times 1 → 2"),
    "an annotation": ("def second(first: int, times: int = 1) -> int", "def second(first: int, times: int = 1) -> float", "annotations"),
    "an input": ("return 3", "return 4", "its inputs are not known yet"),
    "the wiring": ("def second(first: int,", "def second(first: int, words: bytes,", "input words absent"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_more_than_code_is_refused(chain: WorkingCopy, case: str) -> None:
    old, new, said = REFUSED[case]
    chain.edit("flow/steps.py", *HARMLESS)
    chain.edit("flow/steps.py", old, new)
    with pytest.raises(UsageError, match=said):
        signed(chain)


def test_an_environment_variable_is_no_code(tmp_path: Path) -> None:
    text = CHAIN.replace("return first * FACTOR", 'return int(os.environ.get("SCALE", "1")) * first * FACTOR')
    copy = WorkingCopy(tmp_path, "import os\n" + text)
    assert copy.command("init", ".", "--person", "ada").returncode == 0
    assert copy.command("run").returncode == 0
    done = copy.command("accept", "second", "--reason", "no", SCALE="2")
    assert done.returncode == 2
    assert "environment SCALE changed" in done.stderr


def test_without_an_earlier_result_there_is_nothing_to_accept(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    (chain.root / ".lockgate" / "last.json").unlink()
    with pytest.raises(NotFound, match="no earlier result"):
        signed(chain)
    with pytest.raises(UsageError, match="a reason"):
        accept(open_project(chain.root), "second", reason=" ", now=NOW)


def test_only_a_person_who_delivers_may(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    made = chain.command("people", "add", "pat", "--role", "product-owner", "--new-key", ".lockgate/pat")
    assert made.returncode == 0, made.stderr
    with pytest.raises(PermissionRefused, match="only a person who delivers"):
        signed(chain, key=chain.root / ".lockgate" / "pat")
    assert chain.plan()["second"] == "run"


def test_a_machine_that_signs_it_all_the_same_is_set_aside() -> None:
    scene = Scene()
    claim = {"fingerprint": release("now"), "before": release("old"), "artifact": release("value"), "step": "flow.second",
             "reason": "r", "changed": ()}  # fmt: skip
    for who, counts in (("bot", False), ("pat", False), ("sam", True)):
        scene.say(who, AcceptedChange, **claim)
        assert (scene.trusted().said[-1].person is not None) is counts, who
    assert "machine" in scene.trusted().said[1].why


def test_a_ledger_that_does_not_hold_accepts_nothing(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    signed(chain)
    files = [
        f
        for f in (chain.root / ".lockgate" / "ledger").rglob("*")
        if f.is_file() and b"accepted" in f.read_bytes() or f.suffix == ".jsonl"
    ]
    assert files
    for file in files:
        file.chmod(0o644)
        file.write_bytes(file.read_bytes().replace(b'"seq":1', b'"seq":2').replace(b'"time":"2', b'"time":"1'))
    assert chain.plan()["second"] == "run"


def test_gates_are_judged_without_asking_for_acceptances(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", *HARMLESS)
    key = signed(chain).fingerprint
    project = open_project(chain.root)
    assert delivery.plan(project, now=NOW).known.accepted(key) is not None
    assert known.known_of(project, {}, {}).accepted(key) is None


CODES = st.sampled_from(["1", "2", "3"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    accepted=st.tuples(CODES, CODES, CODES),
    seen=st.tuples(CODES, CODES, CODES),
)
def test_an_acceptance_holds_for_its_fingerprint_and_for_no_other(
    accepted: tuple[str, str, str], seen: tuple[str, str, str]
) -> None:
    """(code, parameter, input) of a step: reuse without a stored result exactly when all three are the accepted ones."""

    def known(state: tuple[str, str, str], stands: dict[str, Reuse]) -> tuple[Graph, Known]:
        step = node("a", "source:s", code=state[0], parameters={"p": state[1]})
        return graph(step), Known(
            {"source:s": state[2]}, lambda _: None, lambda _: None, {}, "python", accepted=stands.get
        )

    artifact = World().run(node("x"), {}, {}).artifact
    key = make_plan(known(accepted, {})[0], ["p.a"], known(accepted, {})[1]).steps[0].fingerprint
    step = make_plan(known(seen, {})[0], ["p.a"], known(seen, {str(key): Reuse(artifact, "old", "ada")})[1]).steps[0]
    assert isinstance(step.action, Reuse if seen == accepted else Run)
