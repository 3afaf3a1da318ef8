"""What a ratchet is held against: only what approved releases were signed with, and served by that signature."""

from __future__ import annotations

import pytest

from lockgate.delivery.judging.history import history_of
from lockgate.gates.binding import evidence_root, results
from lockgate.records.decisions import Decision, GateResult
from lockgate.records.evidence import Outcome, Verdict
from lockgate.records.ledger import Entry
from lockgate.records.waivers import Revoked
from lockgate.testing.scene import Scene, release


def measured(
    scene: Scene, word: str, value: str, *, outcome: Outcome = "pass", who: str = "sam", policy: str = "p",
    holdout: str = "h", **extra: object,
) -> str:  # fmt: skip
    """A release, and a gate that was signed with a number."""
    digest = scene.propose(word)
    signed = {"statistic": {"name": "wape", "value": value}, "definition": "d", **extra}
    verdict = Verdict(gate="ratchet", kind="ratchet", outcome=outcome, reason="so", extra=signed)
    scene.say(who, GateResult, release=digest, verdict=verdict, policy=policy, inputs={"@holdout": holdout})
    return digest


def decide(scene: Scene, digest: str, who: str = "pat", **fields: object) -> Entry:
    policy = str(fields.get("policy", "p"))
    bound = evidence_root(results(scene.trusted().said, release=digest, policy=policy).values())
    said = {
        "release": digest, "decision": "approve", "role": "product-owner", "reason": "fit", "environment": "production",
        "evidence": bound, "policy": "p", "people": "p", "page": "p", "accepted": (), "not_after": scene.now.replace(year=2030),
        **fields,
    }  # fmt: skip
    return scene.say(who, Decision, **said)


def live(scene: Scene, digest: str, *approvals: Entry) -> None:
    """Deliver by these approvals; a server follows."""
    scene.healthy(scene.want(digest, "production", authorised_by=tuple(a.digest for a in approvals)))


def values(scene: Scene, word: str = "new", **rules: object) -> list[str]:
    return [m.value for m in history_of(scene.trusted(), release=release(word), **rules).measured]  # type: ignore[arg-type]


def test_only_an_approved_release_that_was_served_moves_it() -> None:
    scene = Scene()
    first, second = measured(scene, "1", "0.6"), measured(scene, "2", "0.5")
    assert values(scene) == []
    approval = decide(scene, first)
    assert values(scene) == [], "nobody delivered it yet"
    wish = scene.want(first, "production", authorised_by=(approval.digest,))
    assert values(scene) == [], "no server followed yet"
    scene.healthy(wish)
    assert values(scene) == ["0.6"]
    live(scene, second, decide(scene, second, who="rik"))  # rik is no product owner
    live(scene, second, decide(scene, second, who="bot", role="deliverer"))
    assert values(scene) == ["0.6"]
    live(scene, second, decide(scene, second, who="pia"))
    assert values(scene) == ["0.6", "0.5"]
    assert values(scene, "2") == ["0.6"], "a release is not held against itself"


def test_a_number_without_definition_or_from_a_failed_gate_counts_for_nothing() -> None:
    scene = Scene()
    for digest in (
        measured(scene, "1", "0.1", outcome="fail"),
        measured(scene, "2", "0.1", definition=None),
        measured(scene, "3", "0.1", statistic="0.1"),
        measured(scene, "4", "0.1", who="pat"),  # pat may not deliver, so not say what a gate said
    ):
        live(scene, digest, decide(scene, digest))
    assert values(scene) == []


@pytest.mark.parametrize("later", [{}, {"policy": "another"}, {"holdout": "an easier one"}])
def test_what_was_measured_after_the_approval_counts_for_nothing(later: dict[str, str]) -> None:
    scene = Scene()
    digest = measured(scene, "1", "0.6")
    live(scene, digest, decide(scene, digest))
    measured(scene, "1", "0.9", **later)  # type: ignore[arg-type]
    found = history_of(scene.trusted(), release=release("new")).measured
    assert [(m.value, m.holdout, m.approved) for m in found] == [("0.6", "h", scene.now.date())]


def test_an_approval_that_does_not_bind_what_stood_when_it_was_followed_moves_nothing() -> None:
    scene = Scene()
    digest = measured(scene, "1", "0.6")
    approval = decide(scene, digest)
    measured(scene, "1", "0.9")
    live(scene, digest, approval)
    assert values(scene) == []
    live(scene, digest, decide(scene, digest))
    assert values(scene) == ["0.9"], "who signed for the new number was shown it"


def test_a_number_that_was_approved_anew_loosens_nothing() -> None:
    scene = Scene()
    digest = measured(scene, "1", "0.5")
    live(scene, digest, decide(scene, digest))
    measured(scene, "1", "0.7")
    live(scene, digest, decide(scene, digest))
    assert values(scene) == ["0.5", "0.7"]


@pytest.mark.parametrize("who, role", [("pat", "product-owner"), ("ada", "trustee")])
@pytest.mark.parametrize("was_live", [True, False])
def test_a_later_reject_takes_no_number_back_that_was_live(who: str, role: str, was_live: bool) -> None:
    scene = Scene()
    digest = measured(scene, "1", "0.6")
    approval = decide(scene, digest)
    if was_live:
        live(scene, digest, approval)
    decide(scene, digest, who=who, role=role, decision="reject")
    if not was_live:
        live(scene, digest, approval)
    assert values(scene) == (["0.6"] if was_live else [])


@pytest.mark.parametrize("was_live", [True, False])
def test_an_approval_that_was_revoked_before_it_was_followed_moves_nothing(was_live: bool) -> None:
    scene = Scene()
    digest = measured(scene, "1", "0.6")
    approval = decide(scene, digest)
    if was_live:
        live(scene, digest, approval)
    taken = {"release": digest, "environment": "production", "entry": approval.digest, "role": "risk", "reason": "r"}
    scene.say("rik", Revoked, **taken)
    if not was_live:
        live(scene, digest, approval)
    assert values(scene, revokers=("risk",)) == (["0.6"] if was_live else [])


def test_an_approval_for_elsewhere_or_past_its_time_moves_nothing() -> None:
    scene = Scene()
    digest = measured(scene, "1", "0.6")
    live(scene, digest, decide(scene, digest, environment="staging"))
    live(scene, digest, decide(scene, digest, not_after=scene.now))
    assert values(scene) == []


def test_the_interval_that_was_signed_with_a_number_travels() -> None:
    scene = Scene()
    first = measured(scene, "1", "0.6", statistic={"name": "wape", "value": "0.6", "low": "0.5", "high": "0.7"})
    second = measured(scene, "2", "0.7", statistic={"name": "wape", "value": "0.7", "low": None, "high": 1})
    live(scene, first, decide(scene, first))
    live(scene, second, decide(scene, second))
    found = history_of(scene.trusted(), release=release("new")).measured
    assert [(m.low, m.high) for m in found] == [("0.5", "0.7"), (None, None)]
