"""A desk to decide at: a scene with one release, and everything that can be said about it in one line each."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from lockgate.gates.approvals import Standing, standing
from lockgate.gates.binding import Ask, Binding, RoleAsked, binding, decide
from lockgate.records.decisions import Decision, GateResult, Shown
from lockgate.records.evidence import Verdict
from lockgate.records.people import Person
from lockgate.testing.scene import CAST, Scene, release

WEEK = timedelta(days=7)
POLICY, PAGE = release("policy"), release("page")
OWNER = Ask(roles=(RoleAsked(role="product-owner", need=1, valid_for=WEEK),))


class Desk:
    """A scene with one release that has passed one gate, ready to be decided on."""

    def __init__(self, cast: tuple[Person, ...] = CAST, *, ask: Ask = OWNER, outcome: str = "pass") -> None:
        self.scene = Scene(cast)
        self.ask = ask
        self.release = self.scene.propose("r1")
        self.measured("slices", outcome)
        self.shows()

    def shows(self, page: str = PAGE, *, by: str = "bot", environment: str = "production", **fields: Any) -> None:
        self.scene.say(
            by, Shown, release=self.release, environment=environment, shows="s", page=page, card="c", **fields
        )

    def measured(
        self,
        gate: str,
        outcome: str = "pass",
        *,
        policy: str = POLICY,
        evidence: str = "e",
        by: str = "bot",
        **extra: str,
    ) -> None:
        verdict = Verdict(gate=gate, kind="k", outcome=outcome, reason="r", evidence=release(evidence))  # type: ignore[arg-type]
        self.scene.say(by, GateResult, release=self.release, verdict=verdict, policy=policy, extra=extra)

    def current(self, **changes: str) -> Binding:
        facts = {"release": self.release, "environment": "production", "policy": POLICY, "page": PAGE, **changes}
        return binding(self.scene.trusted(), **facts)

    def decision(self, **changes: Any) -> dict[str, Any]:
        made = decide(
            "approve", role=self.ask.roles[0].role, reason="fit for use", current=self.current(), ask=self.ask,
            accepted=self.ask.uncertain, log=self.scene.ledger.head(), now=self.scene.now,
        )  # fmt: skip
        return {**{f.name: getattr(made, f.name) for f in fields(made)}, **changes}

    def decides(self, who: str, **changes: Any) -> None:
        self.scene.say(who, Decision, **self.decision(**changes))

    def standing(self, ask: Ask | None = None, *, after: timedelta = timedelta(0), **changes: str) -> Standing:
        return standing(self.scene.trusted(), self.current(**changes), ask=ask or self.ask, now=self.scene.now + after)


def only_objection(now: Standing) -> str:
    assert not now.granted
    (against,) = now.not_counted
    return against.field
