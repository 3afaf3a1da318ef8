"""A gate that is a plain function of the project, from its declaration to its verdict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from journeys.walking import OUTSIDE, USAGE, Lockgate, commit, copy, edit
from lockgate.build.execute import Event
from lockgate.delivery.deliver import deliver
from lockgate.delivery.delivered import Delivered
from lockgate.delivery.graph import graph_of
from lockgate.delivery.judging.judge import Material, _nodes
from lockgate.delivery.releases import _planned_code
from lockgate.delivery.run import plan
from lockgate.delivery.walk import walk_of
from lockgate.errors import IntegrityError
from lockgate.project import open_project
from lockgate.records.artifact import Artifact

Copier = Callable[[Lockgate], Lockgate]

GOOD_NUMBER = 'value="0.01", low="0.01", high="0.01"'
BAD_NUMBER = 'value="0.90", low="0.90", high="0.90"'
GATE = f"""
from lockgate.records.evidence import Estimate


def off(scored, share, floor=0.0):
    '''Share of answers that are far off.'''
    scored.require("truth", "answer")
    return Estimate(name="off", {GOOD_NUMBER}, n=900, blocks=30)
"""


@pytest.fixture(scope="module")
def declared(known: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """The shop with a gate of its own; all else was computed before."""
    lockgate = copy(known, tmp_path_factory.mktemp("declared") / "shop")
    (lockgate.root / "shop" / "checks.py").write_text(GATE)
    edit(lockgate.root, "shop/delivery.py", "import training", "import training\nfrom shop.checks import off")
    stage = '        deploy_to("staging"),'
    edit(lockgate.root, "shop/delivery.py", stage, f"        gates.custom(off, at_most=0.05, share=0.5),\n{stage}")
    commit(lockgate.root, "a gate of our own")
    return lockgate


def walked(lockgate: Lockgate, tell: Callable[[Event], None] = lambda _: None) -> Delivered:
    project = open_project(lockgate.root)
    return deliver(project, clock=lambda: dt.datetime.now(dt.UTC), to="staging", tell=tell, answer_seconds=0.0)


def verdict(done: Delivered, gate: str = "off") -> tuple[str, str | None]:
    found = {v.gate: (v.outcome, e.statistic.value) for v, e in zip(done.verdicts, done.evidence, strict=True)}
    return found[gate]


def test_a_function_without_annotations_is_a_gate(declared: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(declared)
    done = lockgate("deliver", "--to", "staging", "--wait", "0", expect=OUTSIDE)
    assert any(line.startswith("pass") and " off " in line for line in done.out.splitlines()), done.text
    edit(lockgate.root, "shop/checks.py", "def off(scored, ", "def off(scord, ")
    done = lockgate("deliver", "--plan", expect=USAGE)
    assert "off(scord)" in done.err
    assert "scored?" in done.err
    assert "checks.py:5" in done.err
    edit(lockgate.root, "shop/checks.py", "def off(scord, share", "def off(scored, part")
    assert "off: share" in lockgate("deliver", "--plan", expect=USAGE).err


def test_a_gate_that_is_edited_while_others_run_leaves_nothing_behind(declared: Lockgate, fresh: Copier) -> None:
    """Law 1: what was measured by other code than the plan saw is not kept under the plan's key."""
    lockgate = fresh(declared)
    begun: list[str] = []

    def spoil(event: Event) -> None:
        if not begun:
            edit(lockgate.root, "shop/checks.py", GOOD_NUMBER, BAD_NUMBER)
        begun.append(event.node)

    done = walked(lockgate, spoil)
    assert "gate.off" in begun
    assert verdict(done) == ("fail", None)
    assert "shop/checks.py" in next(v.reason for v in done.verdicts if v.gate == "off")
    edit(lockgate.root, "shop/checks.py", BAD_NUMBER, GOOD_NUMBER)
    assert verdict(walked(lockgate)) == ("pass", "0.01")


def test_what_measures_is_part_of_every_key(declared: Lockgate) -> None:
    walk = walk_of(open_project(declared.root), graph_of(open_project(declared.root), now_ns=0))
    some = Artifact(type="", codec="", digest="", object="", size_bytes=0)
    material = Material(release="r", live="l", holdout=some, trained=some, manifest=some)
    for node in _nodes(walk, material).values():
        assert {"numpy", "scipy"} <= {p.partition("==")[0] for p in node.packages}, node.name


def test_a_file_that_the_plan_did_not_see_is_in_no_release(declared: Lockgate) -> None:
    project = open_project(declared.root)
    planned = plan(project, now=dt.datetime.now(dt.UTC))
    trace = planned.graph.trace
    less = replace(trace, files=tuple(f for f in trace.files if f.path != "shop/pipelines.py"))
    with pytest.raises(IntegrityError) as caught:
        _planned_code(project, replace(planned, graph=replace(planned.graph, trace=less)), ["shop/pipelines.py"])
    assert caught.value.value == "shop/pipelines.py"
    assert _planned_code(project, planned, ["shop/pipelines.py"])
