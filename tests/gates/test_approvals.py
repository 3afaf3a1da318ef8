"""Approvals under attack: every attack has a legitimate twin that differs in one field and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from gates.desk import OWNER, PAGE, POLICY, WEEK, Desk, only_objection
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.declare import Gate, approval, deploy_to
from lockgate.errors import NotFound, UsageError
from lockgate.gates.approvals import Standing, authorised, standing
from lockgate.gates.authors import authors
from lockgate.gates.objections import objection
from lockgate.gates.binding import Ask, Binding, RoleAsked, ask_for, binding, decide, evidence_root, results
from lockgate.gates.policy import Policy
from lockgate.records.decisions import Decision, GateResult
from lockgate.records.evidence import Verdict
from lockgate.records.ledger import Head
from lockgate.records.people import Person
from lockgate.testing.ledger import MemoryLedger, MemorySigner
from lockgate.testing.scene import CAST, Scene, person, release


def test_the_legitimate_twin() -> None:
    desk = Desk()
    assert desk.standing().missing == "1 more product-owner"
    desk.decides("pat")
    now = desk.standing()
    assert (now.granted, now.four_eyes, now.missing, now.not_counted) == (True, True, "", ())
    assert now.approvals == (desk.scene.ledger.read()[-1].digest,)
    assert [r.people for r in now.roles] == [("pat",)]


CHANGES: dict[str, dict[str, Any]] = {
    "release": {"release": release("r2")},
    "environment": {"environment": "staging"},
    "policy": {"policy": release("weaker policy")},
    "people": {"people": release("other people")},
    "evidence": {"evidence": release("better evidence")},
    "page": {"page": release("another page")},
    "accepted": {"accepted": ("slices",)},
    "role": {"role": "risk"},
    "log": {"log": Head(size=2, digest=release("rebuilt"))},
}


@pytest.mark.parametrize("field", CHANGES)
def test_an_approval_that_differs_in_one_field_names_it(field: str) -> None:
    desk = Desk()
    desk.decides("pat", **CHANGES[field])
    assert only_objection(desk.standing()) == field
    desk.decides("pat")
    assert desk.standing().granted


def test_replay_on_another_release_or_environment() -> None:
    desk = Desk()
    desk.decides("pat")
    assert only_objection(desk.standing(environment="staging")) == "environment"
    old, desk.release = desk.release, desk.scene.propose("r2")
    assert only_objection(desk.standing()) == "release"
    assert desk.standing(release=old).granted


def test_a_gate_that_ran_again_with_another_result_voids() -> None:
    desk = Desk()
    desk.decides("pat")
    desk.measured("slices", evidence="e")  # the same bytes again: nothing changed
    assert desk.standing().granted
    desk.measured("slices", evidence="e2")
    assert only_objection(desk.standing()) == "evidence"


def test_one_more_gate_voids_but_a_strangers_result_does_not() -> None:
    desk = Desk()
    desk.decides("pat")
    desk.measured("champion", by="rik")
    desk.measured("champion", by="mallory")
    assert desk.standing().granted
    desk.measured("champion")
    assert only_objection(desk.standing()) == "evidence"


def test_a_policy_that_changed_afterwards_voids() -> None:
    desk = Desk()
    desk.decides("pat")
    assert only_objection(desk.standing(policy=release("policy 2"))) == "policy"


def test_a_page_that_reads_differently_voids() -> None:
    desk = Desk()
    desk.decides("pat")
    assert only_objection(desk.standing(page=release("page 2"))) == "page"


def test_people_who_changed_afterwards_void() -> None:
    desk = Desk()
    desk.decides("pat")
    desk.scene.change_people(*CAST, person("zoe"))
    assert only_objection(desk.standing()) == "people"


def test_thirty_days_later_it_has_expired() -> None:
    desk = Desk()
    desk.decides("pat")
    assert desk.standing(after=WEEK - timedelta(minutes=2)).granted
    assert only_objection(desk.standing(after=timedelta(days=30))) == "not_after"


def test_nobody_gives_himself_more_time_than_the_policy() -> None:
    desk = Desk()
    desk.decides("pat", not_after=desk.scene.now + timedelta(days=3650))
    assert only_objection(desk.standing()) == "not_after"
    desk.decides("pat", not_after=desk.scene.now + timedelta(days=1))
    assert desk.standing().granted


def test_a_clock_that_was_turned_back_revives_nothing() -> None:
    desk = Desk()
    desk.decides("pat")
    desk.scene.now += timedelta(days=30)
    desk.measured("slices")
    desk.scene.propose("r2")
    assert only_objection(desk.standing(after=timedelta(days=-29))) == "clock"


def test_one_clock_that_is_ahead_stops_nobody() -> None:
    desk = Desk()
    desk.decides("pat")
    desk.scene.now += timedelta(days=30)
    desk.measured("slices")
    assert desk.standing(after=timedelta(days=-29)).granted


class TestPeople:
    def test_authors_do_not_approve_their_own_work(self) -> None:
        cast = (*CAST[:1], person("sam", "deliverer", "product-owner"), *CAST[2:])
        desk = Desk(cast)
        desk.decides("sam")
        assert only_objection(desk.standing()) == "author"
        desk.decides("pat")
        assert desk.standing().granted

    @pytest.mark.parametrize(
        "said",
        [
            {"authors": ("pat",), "started_by": "bot"},
            {"authors": ("Pat P. <PAT@example.org>",), "started_by": "bot"},
            {"authors": (), "started_by": "pat@example.org"},
        ],
    )
    def test_an_author_is_known_by_name_and_by_mail(self, said: dict[str, Any]) -> None:
        from lockgate.records.decisions import Proposed

        cast = tuple(
            person("pat", "product-owner", aliases=("pat@example.org",)) if p.name == "pat" else p for p in CAST
        )
        desk = Desk(cast)
        desk.scene.say("bot", Proposed, release=desk.release, name="demand", lineage="", **said)
        desk.decides("pat")
        assert only_objection(desk.standing()) == "author"
        assert "pat" in authors(desk.scene.trusted(), desk.release)
        desk.decides("pia")
        assert desk.standing().granted

    def test_self_approval_flagged_counts_but_never_as_four_eyes(self) -> None:
        cast = (*CAST[:1], person("sam", "deliverer", "product-owner"), *CAST[2:])
        desk = Desk(cast, ask=replace(OWNER, self_approval="flagged"))
        desk.decides("sam")
        now = desk.standing()
        assert (now.granted, now.four_eyes, now.own_work) == (True, False, ("sam",))
        desk.decides("pat")
        now = desk.standing()
        assert (now.granted, now.four_eyes, now.own_work) == (True, True, ())

    def test_a_release_that_nobody_registered_has_unknown_authors(self) -> None:
        desk = Desk()
        desk.decides("pat", release=release("r9"), evidence=evidence_root([]))
        assert desk.standing(release=release("r9")).not_counted[0].field == "author"

    def test_two_keys_of_one_person_are_one_person(self) -> None:
        two = Person(
            name="pat", roles=("product-owner",), keys=tuple(MemorySigner(k).public_key() for k in ("pat", "pat-2"))
        )
        cast = tuple(two if p.name == "pat" else p for p in CAST)
        desk = Desk(cast, ask=Ask(roles=(RoleAsked(role="product-owner", need=2, valid_for=WEEK),)))
        desk.decides("pat")
        desk.decides("pat-2")
        now = desk.standing()
        assert (now.granted, now.roles[0].people, now.not_counted[0].field) == (False, ("pat",), "person")
        assert now.missing.startswith("1 more product-owner; pat's approval does not count: pat signed ")
        desk.decides("pia")
        assert desk.standing().granted

    def test_one_person_with_two_roles_fills_one(self) -> None:
        both = person("pat", "product-owner", "risk")
        cast = tuple(both if p.name == "pat" else p for p in CAST)
        roles = tuple(RoleAsked(role=r, need=1, valid_for=WEEK) for r in ("product-owner", "risk"))
        desk = Desk(cast, ask=Ask(roles=roles))
        desk.decides("pat", role="product-owner")
        desk.decides("pat", role="risk")
        assert not desk.standing().granted
        desk.decides("pia", role="product-owner")  # pat makes room and sits as risk
        assert [r.people for r in desk.standing().roles] == [("pia",), ("pat",)]

    def test_a_machine_fills_no_role(self) -> None:
        cast = (*CAST, person("oracle", "product-owner", kind="machine"))
        desk = Desk(cast)
        desk.decides("oracle")
        assert only_objection(desk.standing()) == "kind"
        assert Desk((*CAST, person("oracle", "product-owner"))).ask == desk.ask

    @pytest.mark.parametrize(("who", "field"), [("rik", "role"), ("mallory", "key"), ("pat", "")])
    def test_the_role_must_be_held_and_the_key_known(self, who: str, field: str) -> None:
        desk = Desk()
        desk.decides(who)
        now = desk.standing()
        assert [o.field for o in now.not_counted] == ([field] if field else [])
        assert now.granted is (not field)

    def test_a_role_that_nobody_asks_counts_for_nothing(self) -> None:
        desk = Desk()
        desk.decides("rik", role="risk")
        assert only_objection(desk.standing()) == "role"
        asked = RoleAsked(role="risk", need=1, valid_for=WEEK)
        assert desk.standing(Ask(roles=(asked,))).granted

    def test_the_role_must_be_held_at_that_time(self) -> None:
        desk = Desk()
        desk.decides("rik")
        desk.scene.change_people(*(person("rik", "product-owner") if p.name == "rik" else p for p in CAST))
        assert only_objection(desk.standing()) == "role"
        desk.decides("rik")
        assert desk.standing().granted

    def test_a_forged_signature_counts_for_nothing(self) -> None:
        desk = Desk()
        envelope = desk.scene.signed("pat", Decision, **desk.decision())
        desk.scene.append(replace(envelope, signature=bytes(64)))
        assert only_objection(desk.standing()) == "signature"
        desk.scene.append(envelope)
        assert desk.standing().granted

    def test_pretending_another_keyid_counts_for_nothing(self) -> None:
        desk = Desk()
        envelope = desk.scene.signed("mallory", Decision, **desk.decision())
        desk.scene.append(replace(envelope, keyid=MemorySigner("pat").identity()))
        assert only_objection(desk.standing()) == "signature"


class TestReject:
    def test_a_friendlier_approver_cannot_outvote_a_reject(self) -> None:
        desk = Desk()
        desk.decides("pat", decision="reject")
        desk.decides("pia")
        now = desk.standing()
        assert (now.granted, now.rejected_by, now.missing) == (False, ("pat",), "rejected by pat")

    @pytest.mark.parametrize("change", [{"policy": release("policy 2")}, {"page": release("page 2")}])
    def test_a_reject_outlives_policy_page_evidence_people_and_time(self, change: dict[str, str]) -> None:
        desk = Desk()
        desk.decides("pat", decision="reject")
        desk.measured("slices", evidence="e2")
        desk.scene.change_people(*(p for p in CAST if p.name != "pat"))
        desk.decides("pia", people=desk.scene.people.digest, **change)
        assert desk.standing(after=timedelta(days=3), **change).rejected_by == ("pat",)

    def test_only_who_rejected_can_change_the_mind(self) -> None:
        desk = Desk()
        desk.decides("pat")
        desk.decides("pat", decision="reject")
        assert not desk.standing().granted
        desk.scene.append(desk.scene.ledger.read()[-2].envelope)  # a copy of the old approval
        assert not desk.standing().granted
        desk.decides("pat")
        assert desk.standing().granted

    def test_a_machine_rejects_nothing(self) -> None:
        for kind, rejected in (("machine", ()), ("person", ("oracle",))):
            desk = Desk((*CAST, person("oracle", "product-owner", kind=kind)))
            desk.decides("pat")
            desk.decides("oracle", decision="reject")
            assert desk.standing().rejected_by == rejected

    def test_a_reject_elsewhere_or_by_somebody_without_the_role_does_not_stop_this(self) -> None:
        desk = Desk()
        desk.decides("pat")
        desk.decides("pia", decision="reject", environment="staging")
        desk.decides("rik", decision="reject")
        desk.decides("sam", decision="reject", role="deliverer")
        desk.decides("mallory", decision="reject")
        desk.decides("bot", decision="reject")
        assert desk.standing().granted
        desk.decides("rik", decision="reject", role="risk")
        assert desk.standing().rejected_by == ("rik",)

    def test_a_ledger_rebuilt_without_the_reject_loses_the_approval_too(self) -> None:
        """The approval that came after the reject embeds a head that the rebuilt ledger does not have."""
        desk = Desk()
        desk.decides("pat", decision="reject")
        desk.decides("pia")
        entries = desk.scene.ledger.read()
        rebuilt = desk.scene.ledger = MemoryLedger()
        for entry in entries:
            if entry is not entries[-2]:
                rebuilt.append(entry.envelope, after=rebuilt.head(), time=entry.time)
        now = desk.standing()
        assert now.rejected_by == ()
        assert only_objection(now) == "log"


class TestUncertain:
    def test_each_uncertain_gate_is_accepted_by_name(self) -> None:
        desk = Desk(ask=replace(OWNER, uncertain=("champion", "slices")))
        for accepted in ((), ("slices",), ("*",), ("all",), ("champion", "slices", "drift")):
            desk.decides("pat", accepted=accepted)
        assert {o.field for o in desk.standing().not_counted} == {"accepted"}
        desk.decides("pat", accepted=("champion", "slices"))
        assert desk.standing().granted

    def test_a_decision_without_the_names_is_refused_before_it_is_signed(self) -> None:
        desk = Desk(ask=replace(OWNER, uncertain=("slices",)))
        facts = {"current": desk.current(), "log": desk.scene.ledger.head(), "now": desk.scene.now, "ask": desk.ask}
        with pytest.raises(UsageError, match="--accept slices"):
            decide("approve", role="product-owner", reason="ok", **facts)
        with pytest.raises(UsageError, match="product-owner"):
            decide("approve", role="product-onwer", reason="ok", accepted=["slices"], **facts)
        with pytest.raises(UsageError, match="reason"):
            decide("approve", role="product-owner", reason=" ", accepted=["slices"], **facts)
        assert decide("reject", role="product-owner", reason="no", **facts).accepted == ()


def test_the_command_line_can_ask_before_anybody_signs() -> None:
    cast = (*CAST[:1], person("sam", "deliverer", "product-owner"), *CAST[2:])
    desk = Desk(cast)
    made = Decision(**desk.decision())
    trusted = desk.scene.trusted()
    facts = {
        "trusted": trusted,
        "current": desk.current(),
        "ask": desk.ask,
        "time": desk.scene.now,
        "now": desk.scene.now,
    }
    people = {p.name: p for p in trusted.people.people}
    against = objection(made, people["sam"], **facts)
    assert against is not None
    assert (against.field, against.person) == ("author", "sam")
    assert objection(made, people["pat"], **facts) is None


def test_what_is_asked_lies_between_two_deployments() -> None:
    stages = [
        approval("risk", valid_for="1d"), deploy_to("staging"), Gate("integration", "m:f", "r"),
        approval("product-owner"), deploy_to("production"),
    ]  # fmt: skip
    policy = Policy(need={"product-owner": 2}, self_approval="flagged")
    assert [(r.role, r.need, r.valid_for.days) for r in ask_for(stages, "staging", policy=policy).roles] == [
        ("risk", 1, 1)
    ]
    ask = ask_for(stages, "production", policy=policy, uncertain=["b", "a"])
    assert [(r.role, r.need, r.valid_for) for r in ask.roles] == [("product-owner", 2, WEEK)]
    assert (ask.uncertain, ask.self_approval) == (("a", "b"), "flagged")
    with pytest.raises(UsageError, match="production"):
        ask_for(stages, "prodution", policy=policy)


def test_nothing_asked_is_granted_but_not_by_four_eyes() -> None:
    now = Desk().standing(Ask(roles=()))
    assert (now.granted, now.four_eyes) == (True, False)


def test_results_under_another_policy_are_stale() -> None:
    desk = Desk()
    desk.measured("slices", "fail", policy=release("policy 2"))
    said = desk.scene.trusted().said
    assert results(said, release=desk.release, policy=POLICY)["slices"].verdict.outcome == "pass"
    assert results(said, release=desk.release, policy=release("policy 2"))["slices"].verdict.outcome == "fail"


Act = Callable[[Desk], None]
ACTS: dict[str, Act] = {
    "pat": lambda d: d.decides("pat"),
    "pia": lambda d: d.decides("pia"),
    "reject": lambda d: d.decides("pia", decision="reject"),
    "stranger": lambda d: d.decides("mallory"),
    "machine": lambda d: d.decides("bot"),
    "gate": lambda d: d.measured("slices", evidence=str(len(d.scene.ledger.read()))),
    "elsewhere": lambda d: d.decides("pat", environment="staging"),
    "copy": lambda d: void(d.scene.append(d.scene.ledger.read()[-1].envelope)),
}


def void(_: object) -> None:
    return None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=8))
def test_strangers_and_copies_never_change_the_answer(acts: list[str]) -> None:
    """Law: only a registered person's own new statement, or a new measurement, moves the standing."""
    noisy, quiet = Desk(), Desk()
    for act in acts:
        ACTS[act](noisy)
        if act not in ("stranger", "machine", "copy"):
            ACTS[act](quiet)
    a, b = noisy.standing(), quiet.standing()
    if "gate" not in acts:
        assert (a.granted, a.rejected_by, a.roles) == (b.granted, b.rejected_by, b.roles)
    last_decisions = [act for act in acts if act in ("pia", "reject")]
    if last_decisions[-1:] == ["reject"]:
        assert not a.granted
    assert noisy.standing() == a


class TestAuthorised:
    """A server looks itself: a deliverer who appends a wish does not choose who had to agree."""

    def wish(self, desk: Desk) -> Standing:
        cited = tuple(e.digest for e in desk.scene.ledger.read())
        want = desk.scene.want(desk.release, "production", authorised_by=cited)
        return authorised(desk.scene.trusted(), want.digest, ask=replace(desk.ask, uncertain=()), now=desk.scene.now)

    def test_what_counted_then_counts(self) -> None:
        desk = Desk()
        desk.decides("pat")
        now = self.wish(desk)
        assert (now.granted, now.four_eyes) == (True, True)
        want = desk.scene.ledger.read()[-1].digest
        desk.measured("slices", evidence="later")
        desk.scene.change_people(*CAST, person("zoe"))
        soon = desk.scene.now
        assert authorised(desk.scene.trusted(), want, ask=desk.ask, now=soon).granted
        assert not authorised(desk.scene.trusted(), want, ask=desk.ask, now=soon + WEEK).granted
        desk.scene.change_people(*(p for p in CAST if p.name != "pat"), person("zoe"))
        assert not authorised(desk.scene.trusted(), want, ask=desk.ask, now=soon).granted
        desk.scene.change_people(*CAST, person("zoe"))
        assert authorised(desk.scene.trusted(), want, ask=desk.ask, now=soon).granted
        desk.decides("pat", decision="reject")
        assert authorised(desk.scene.trusted(), want, ask=desk.ask, now=soon).rejected_by == ("pat",)

    def test_an_author_citing_the_own_approval_in_another_role(self) -> None:
        desk = Desk()
        desk.decides("sam", role="scientist")
        assert only_objection(self.wish(desk)) == "role"

    @pytest.mark.parametrize("field", ["environment", "people", "evidence", "accepted", "role", "log"])
    def test_a_wish_on_an_approval_that_does_not_count(self, field: str) -> None:
        desk = Desk()
        desk.decides("pat", **CHANGES[field])
        assert only_objection(self.wish(desk)) == field

    def test_an_uncertain_gate_that_was_not_accepted(self) -> None:
        desk = Desk(outcome="uncertain")
        desk.decides("pat")
        assert only_objection(self.wish(desk)) == "accepted"
        desk.decides("pat", accepted=("slices",))
        assert self.wish(desk).granted

    def test_no_approval_at_all_and_no_wish(self) -> None:
        desk = Desk()
        assert self.wish(desk).missing == "1 more product-owner"
        with pytest.raises(NotFound):
            authorised(desk.scene.trusted(), desk.scene.ledger.read()[0].digest, ask=desk.ask, now=desk.scene.now)
