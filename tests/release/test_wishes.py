"""What a server lets in, asked as it asks: whoever wishes chooses what is cited and in which order, and no policy, gate or place by it."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import pytest
from release.auditing import GATES, Office, evidence

from lockgate.declare import DeployTo, Gate
from lockgate.delivery.walk import Walk
from lockgate.delivery.wish import as_let_in, check_wish
from lockgate.errors import PermissionRefused
from lockgate.gates.binding import results
from lockgate.records.decisions import Decision, Waived, result_digest
from lockgate.records.digest import sha256_bytes
from lockgate.records.ledger import Entry
from lockgate.serving.child import Wanted
from lockgate.testing.scene import CAST, person, release

OTHER = release("another policy")


def walk_of(office: Office) -> Walk:
    """As much of a walk as a server asks."""

    def before(environment: str) -> list[Any]:
        names = [s.environment if isinstance(s, DeployTo) else "" for s in office.stages]
        return list(office.stages[: names.index(environment)])

    asked = ("production",) if office.ask().roles else ()
    walk = {"stages": office.stages, "policy": office.rules, "digest": office.policy_digest, "approved_only": asked}
    return cast("Walk", SimpleNamespace(**walk, stages_before=before))


def lets_in(office: Office, wish: Entry) -> bool:
    asked = cast("Wanted", SimpleNamespace(entry=wish.digest, release=office.release))
    try:
        return check_wish(
            office.scene.trusted(), asked, walk_of(office), environment="production", now=office.scene.now
        ).granted
    except PermissionRefused:
        return False


def judged(office: Office, **outcomes: str) -> Office:
    for gate in GATES:
        office.measures(gate, outcomes.get(gate, "pass"))
    return office


def other_policy(office: Office) -> Entry:
    """A deliverer signs that all is well by a policy that nobody has, for a change that nobody proposes, and a decision that names it."""
    for gate in GATES:
        office.measures(gate, "pass", policy=OTHER, extra={"change": "!7"})
    return office.scene.say("sam", Decision, **office.decision(policy=OTHER, decision="approve"))


@pytest.mark.parametrize("first", [True, False], ids=["cited first", "cited last"])
def test_a_cited_decision_does_not_choose_the_policy(first: bool) -> None:
    office = judged(Office(), slices="fail")
    office.shows()
    approval = office.decides("pat")
    decoy = other_policy(office)
    wish = office.delivers(*((decoy, approval) if first else (approval, decoy)), by="sam")
    assert not lets_in(office, wish)
    office.scene.healthy(wish)
    assert not lets_in(office, wish)


def test_its_twin_whose_gates_pass_is_let_in() -> None:
    office = judged(Office())
    office.shows()
    assert lets_in(office, office.delivers(office.decides("pat")))


@pytest.mark.parametrize("first", [True, False])
def test_nor_does_it_revive_a_waiver_that_is_over(first: bool) -> None:
    office = judged(Office(toml="[waivers]\nneed = { risk = 1, product-owner = 1 }\n"), slices="fail")
    said = results(office.scene.trusted().said, release=office.release, policy=office.policy_digest)["slices"]
    for who, role in (("rik", "risk"), ("pia", "product-owner")):
        office.scene.say(
            who, Waived, role=role, release=office.release, gate="slices", environment="production", result=result_digest(said),
            reason="known", control="by hand", owner="rik", not_after=office.scene.now + dt.timedelta(days=1), page=release("page"),
        )  # fmt: skip
    office.shows()
    approval = office.decides("pat")
    office.scene.now += dt.timedelta(days=2)
    decoy = other_policy(office)
    assert not lets_in(office, office.delivers(*((decoy, approval) if first else (approval, decoy)), by="sam"))


@pytest.mark.parametrize("change", ["", "!7"])
def test_a_void_approval_stays_void_whatever_the_other_word_was_measured_for(change: str) -> None:
    """By the policy in force a result counts, for whatever change it says that it was measured."""
    office = judged(Office())
    office.shows()
    approval = office.decides("pat")
    more = {"extra": {"evidence_sha256": sha256_bytes(evidence("slices", "f")), "change": change}} if change else {}
    office.measures("slices", "fail", word="f", **more)
    office.measures("slices", "pass")
    assert not lets_in(office, office.delivers(approval))


@pytest.mark.parametrize("failed", ["before it was healthy", "after"])
def test_a_summary_speaks_of_what_gates_said_until_it_was_healthy(failed: str) -> None:
    """However late it is written: the auditor's verifier reads the log as far as that."""
    office = judged(Office())
    office.shows()
    wish = office.delivers(office.decides("pat"), by="sam")
    if failed == "after":
        office.scene.healthy(wish)
    office.measures(GATES[0], "fail")
    office.scene.healthy(wish)
    then = as_let_in(office.scene.trusted(), wish.digest, office.release)
    said = results(then.said, release=office.release, policy=office.policy_digest)[GATES[0]].verdict.outcome
    assert said == ("pass" if failed == "after" else "fail")
