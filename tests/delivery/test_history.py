"""What a ratchet is held against: only what approved releases were signed with."""

from __future__ import annotations

from lockgate.delivery.history import history_of
from lockgate.records.decisions import Decision, GateResult
from lockgate.records.evidence import Outcome, Verdict
from lockgate.testing.scene import Scene, release


def measured(
    scene: Scene, word: str, value: str, *, outcome: Outcome = "pass", who: str = "sam", **extra: object
) -> str:
    """A release, and a gate that was signed with a number."""
    digest = scene.propose(word)
    signed = {"statistic": {"name": "wape", "value": value}, "definition": "d", **extra}
    verdict = Verdict(gate="ratchet", kind="ratchet", outcome=outcome, reason="so", extra=signed)
    scene.say(who, GateResult, release=digest, verdict=verdict, policy="p", inputs={"@holdout": "h"})
    return digest


def decide(scene: Scene, digest: str, who: str = "pat", **fields: object) -> None:
    said = {
        "release": digest, "decision": "approve", "role": "product-owner", "reason": "fit", "environment": "production",
        "evidence": "e", "policy": "p", "people": "p", "page": "p", "accepted": (), "not_after": scene.now, **fields,
    }  # fmt: skip
    scene.say(who, Decision, **said)


def values(scene: Scene, word: str = "new") -> list[str]:
    return [m.value for m in history_of(scene.trusted(), release=release(word)).measured]


def test_only_an_approved_release_moves_it() -> None:
    scene = Scene()
    first, second = measured(scene, "1", "0.6"), measured(scene, "2", "0.5")
    assert values(scene) == []
    decide(scene, first)
    assert values(scene) == ["0.6"]
    decide(scene, second, who="rik")  # rik is no product owner
    decide(scene, second, who="bot", role="deliverer")
    assert values(scene) == ["0.6"]
    decide(scene, second, who="pia")
    assert values(scene) == ["0.6", "0.5"]
    assert values(scene, "2") == ["0.6"], "a release is not held against itself"
    decide(scene, second, who="pia", decision="reject")
    assert values(scene) == ["0.6"]


def test_a_number_without_definition_or_from_a_failed_gate_counts_for_nothing() -> None:
    scene = Scene()
    decide(scene, measured(scene, "1", "0.1", outcome="fail"))
    decide(scene, measured(scene, "2", "0.1", definition=None))
    decide(scene, measured(scene, "3", "0.1", statistic="0.1"))
    decide(scene, measured(scene, "4", "0.1", who="pat"))  # pat may not deliver, so not say what a gate said
    assert values(scene) == []


def test_the_newest_number_of_a_release_counts() -> None:
    scene = Scene()
    decide(scene, measured(scene, "1", "0.6"))
    measured(scene, "1", "0.55")
    found = history_of(scene.trusted(), release=release("new")).measured
    assert [(m.value, m.holdout, m.approved) for m in found] == [("0.55", "h", scene.now.date())]


def test_the_interval_that_was_signed_with_a_number_travels() -> None:
    scene = Scene()
    decide(scene, measured(scene, "1", "0.6", statistic={"name": "wape", "value": "0.6", "low": "0.5", "high": "0.7"}))
    decide(scene, measured(scene, "2", "0.7", statistic={"name": "wape", "value": "0.7", "low": None, "high": 1}))
    found = history_of(scene.trusted(), release=release("new")).measured
    assert [(m.low, m.high) for m in found] == [("0.5", "0.7"), (None, None)]
