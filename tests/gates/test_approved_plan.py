"""An approval may be for one delivery plan: it counts for that plan and no other, where it is given and where it is served."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from lockgate.gates.approvals import Standing, authorised, standing
from lockgate.gates.binding import Ask, RoleAsked, binding, decide
from lockgate.records.decisions import PLAN, Decision, GateResult, Shown, Wanted
from lockgate.records.evidence import Verdict
from lockgate.testing.scene import Scene, release

OWNER = Ask(roles=(RoleAsked(role="product-owner", need=1, valid_for=timedelta(days=7)),))
POLICY, PAGE = release("policy"), release("page")
PLANNED, OTHER = release("this plan"), release("another plan")


class Desk:
    """A release that passed its gate, and an approval of it for a plan (empty: for any)."""

    def __init__(self, plan: Any) -> None:
        self.scene = Scene()
        self.release = self.scene.propose("r1")
        verdict = Verdict(gate="slices", kind="k", outcome="pass", reason="r", evidence=release("e"))
        self.scene.say("bot", GateResult, release=self.release, verdict=verdict, policy=POLICY)
        self.scene.say("bot", Shown, release=self.release, environment="production", shows="s", page=PAGE, card="c")
        made = decide(
            "approve", role="product-owner", reason="as planned", current=self._current(plan), ask=OWNER,
            log=self.scene.ledger.head(), now=self.scene.now,
        )  # fmt: skip
        said = {f.name: getattr(made, f.name) for f in fields(made) if f.name != "log"}
        self.approval = self.scene.say("pat", Decision, **said)

    def _current(self, plan: Any) -> Any:
        return binding(
            self.scene.trusted(), release=self.release, environment="production", policy=POLICY, page=PAGE, plan=plan
        )

    def here(self, plan: str) -> Standing:
        """Before whoever delivers."""
        return standing(self.scene.trusted(), self._current(plan), ask=OWNER, now=self.scene.now)

    def there(self, plan: Any) -> Standing:
        """Before whoever serves: what the wish says."""
        extra = {PLAN: plan} if plan else {}
        wanted = self.scene.want(self.release, "production", authorised_by=(self.approval.digest,), extra=extra)
        return authorised(self.scene.trusted(), wanted.digest, ask=OWNER, now=self.scene.now)


@pytest.mark.parametrize("approved", ["", PLANNED])
def test_it_counts_for_the_plan_that_it_is_for(approved: str) -> None:
    desk = Desk(approved)
    assert desk.here(PLANNED).granted
    assert desk.there(PLANNED).granted


def test_an_approval_for_no_plan_counts_for_a_delivery_without_one() -> None:
    assert Desk("").here("").granted
    assert Desk("").there("").granted


@pytest.mark.parametrize(("carried", "said"), [("", "no saved plan is carried out"), (OTHER, "is carried out")])
def test_it_counts_for_no_other_and_says_so(carried: str, said: str) -> None:
    desk = Desk(PLANNED)
    found = desk.here(carried)
    assert not found.granted
    (against,) = found.not_counted
    assert against.field == "plan"
    assert said in against.why
    assert "pat's approval does not count: it is for delivery plan" in found.missing
    assert not desk.there(carried).granted


def test_it_is_signed() -> None:
    (said,) = [s.claim for s in Desk(PLANNED).scene.trusted().said if isinstance(s.claim, Decision)]
    assert said.extra == {"plan": PLANNED}
    (plain,) = [s.claim for s in Desk("").scene.trusted().said if isinstance(s.claim, Decision)]
    assert plain.extra == {}


@pytest.mark.parametrize("rubbish", [7, ["x"], {"a": 1}, True])
def test_what_is_no_digest_is_the_digest_of_no_plan(rubbish: Any) -> None:
    desk = Desk(rubbish)
    assert not desk.here("").granted
    assert not desk.here(PLANNED).granted
    assert not desk.there(PLANNED).granted


def test_a_wish_that_names_rubbish_is_of_no_plan() -> None:
    assert not Desk(PLANNED).there([PLANNED]).granted


def test_a_wish_carries_its_plan() -> None:
    desk = Desk(PLANNED)
    desk.there(PLANNED)
    (wish,) = [s.claim for s in desk.scene.trusted().said if isinstance(s.claim, Wanted)]
    assert wish.extra == {"plan": PLANNED}
