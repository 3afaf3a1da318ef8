"""Attested approvals: a machine says that a forge says that a person pressed a button. Each attack beside its honest twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lockgate.gates.approvals import Standing, authorised
from lockgate.gates.policy import parse_policy, policy_digest
from lockgate.records.decisions import Attested, Decision
from lockgate.records.people import Person
from lockgate.records.statement import seal
from lockgate.records.decisions import state
from lockgate.testing.ledger import MemorySigner
from lockgate.testing.scene import CAST, person

from gates.desk import OWNER, WEEK, Desk

ACCOUNT = "gitlab:forge.example/42"
RUNNER = person("runner", "attester", kind="machine")
BOTH = replace(OWNER, grade="attested", environment="production")
FORGE = {"issuer": "https://forge.example", "project": "group/demand", "pipeline": "7", "job": "12", "login": "pat"}


def cast(*more: Person, **pat: Any) -> tuple[Person, ...]:
    """The usual people; pat is known at the forge, and a machine may attest."""
    fields = {"aliases": (ACCOUNT,), **pat}
    return (*(replace(p, **fields) if p.name == "pat" else p for p in CAST), *(more or (RUNNER,)))


def attests(desk: Desk, *, by: str = "runner", **changes: Any) -> None:
    said = {**desk.decision(), "account": ACCOUNT, "forge": FORGE, **changes}
    desk.scene.say(by, Attested, **said)


def standing_of(by: str = "runner", *, people: tuple[Person, ...] = (), ask: Any = BOTH, **changes: Any) -> Standing:
    desk = Desk(people or cast(), ask=ask)
    attests(desk, by=by, **changes)
    return desk.standing()


def test_it_counts_where_the_policy_takes_it_and_says_that_nobody_signed() -> None:
    stands = standing_of()
    assert stands.granted
    assert stands.attested == ("pat",)
    signed = Desk(cast(), ask=BOTH)
    signed.decides("pat")
    assert signed.standing().granted
    assert signed.standing().attested == ()


ATTACKS: dict[str, tuple[str, Callable[[bool], Standing]]] = {
    "where only signatures count": ("grade", lambda honest: standing_of(ask=BOTH if honest else replace(BOTH, grade="signed"))),
    "by a machine without the role": ("role", lambda honest: standing_of("runner" if honest else "bot")),
    "by a person, as if by a machine": (
        "role", lambda honest: standing_of(people=cast(replace(RUNNER, kind="machine" if honest else "person")))),
    "by a machine that nobody registered": ("key", lambda honest: standing_of("runner" if honest else "mallory")),
    "of an account that nobody has": ("account", lambda honest: standing_of(account=ACCOUNT if honest else ACCOUNT + "0")),
    "of an account in other letters": ("account", lambda honest: standing_of(account=ACCOUNT if honest else ACCOUNT.upper())),
    "of a name instead of an account": ("account", lambda honest: standing_of(account=ACCOUNT if honest else "pat")),
    "of a machine's account": (
        "account", lambda honest: standing_of(people=cast(RUNNER, replace(CAST[-1], name="b2", keys=(), aliases=("gitlab:x",), kind="machine"), ), account=ACCOUNT if honest else "gitlab:x")),
    "of a person without the role": ("role", lambda honest: standing_of(people=cast(roles=("product-owner",) if honest else ("risk",)))),
    "for another release": ("release", lambda honest: standing_of(**({} if honest else {"release": "sha256:" + "1" * 64}))),
    "under another policy": ("policy", lambda honest: standing_of(**({} if honest else {"policy": "sha256:" + "1" * 64}))),
    "on other evidence": ("evidence", lambda honest: standing_of(**({} if honest else {"evidence": "sha256:" + "1" * 64}))),
    "under another page": ("page", lambda honest: standing_of(**({} if honest else {"page": "sha256:" + "1" * 64}))),
    "accepting what is certain": ("accepted", lambda honest: standing_of(**({} if honest else {"accepted": ("slices",)}))),
    "a reject, which nobody may put into another's mouth": ("role", lambda honest: standing_of(decision="approve" if honest else "reject")),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_names_the_field_and_its_twin_passes(attack: str) -> None:
    field, scenario = ATTACKS[attack]
    assert scenario(True).granted
    refused = scenario(False)
    assert not refused.granted
    seen = {o.field for o in refused.not_counted}
    assert seen == {field} or (field == "role" and not seen), refused


def test_a_button_lifts_no_signed_reject() -> None:
    """The same person signs against it and then somebody presses Play in their name: the signature stands."""
    desk = Desk(cast(), ask=BOTH)
    desk.decides("pat", decision="reject")
    attests(desk)
    assert desk.standing().rejected_by == ("pat",)
    desk.decides("pat")
    assert desk.standing().granted


def test_one_person_is_one_person_in_both_grades() -> None:
    two = replace(BOTH, roles=(replace(BOTH.roles[0], need=2),))
    desk = Desk(cast(), ask=two)
    desk.decides("pat")
    attests(desk)
    assert not desk.standing().granted
    desk.decides("pia")
    stands = desk.standing()
    assert stands.granted


def test_own_work_is_own_work() -> None:
    people = (
        *(
            replace(p, aliases=(*p.aliases, ACCOUNT), roles=(*p.roles, "product-owner")) if p.name == "sam" else p
            for p in CAST
        ),
        RUNNER,
    )
    assert [o.field for o in standing_of(people=people).not_counted] == ["author"]


def test_a_copy_and_a_forged_signature_count_for_nothing() -> None:
    desk = Desk(cast(), ask=BOTH)
    said = {**desk.decision(), "account": ACCOUNT, "forge": FORGE}
    honest = desk.scene.signed("runner", Attested, **said)
    desk.scene.append(replace(honest, signature=bytes(64)))
    assert not desk.standing().granted
    desk.scene.append(seal(state(Attested(**{**said, "log": desk.scene.ledger.head()})), MemorySigner("runner")))
    assert desk.standing().granted


def served(desk: Desk, *, after: timedelta = timedelta(0), ask: Any = BOTH) -> Standing:
    entry = desk.scene.ledger.read()[-1]
    wish = desk.scene.want(desk.release, "production", authorised_by=(entry.digest,))
    return authorised(desk.scene.trusted(), wish.digest, ask=ask, now=desk.scene.now + after)


def test_a_server_follows_it_only_by_its_own_policy() -> None:
    """Who appends the wish cannot choose the grade: the server that serves asks by its own rules."""
    desk = Desk(cast(), ask=BOTH)
    attests(desk)
    assert served(desk).granted
    assert not served(desk, ask=replace(BOTH, grade="signed")).granted
    assert not served(desk, after=2 * WEEK).granted


@pytest.mark.parametrize("lost", ["the account", "the person's role", "the machine's role", "the machine"])
def test_what_was_attested_ends_with_account_role_and_machine(lost: str) -> None:
    desk = Desk(cast(), ask=BOTH)
    attests(desk)
    assert served(desk).granted
    after = {
        "the account": cast(aliases=()),
        "the person's role": cast(roles=("risk",)),
        "the machine's role": cast(replace(RUNNER, roles=())),
        "the machine": cast(replace(RUNNER, keys=(MemorySigner("other").public_key(),))),
    }[lost]
    wish = desk.scene.want(desk.release, "production", authorised_by=(desk.scene.ledger.read()[-3].digest,))
    desk.scene.change_people(*after, by=("ada",))
    assert not authorised(desk.scene.trusted(), wish.digest, ask=BOTH, now=desk.scene.now).granted


def test_the_grade_is_part_of_the_policy_digest() -> None:
    text = "[environments.production]\ngrade = 'attested'\n"
    assert policy_digest(parse_policy(text), {}) != policy_digest(parse_policy(text.replace("attested", "signed")), {})


def test_who_attests_and_the_person_are_one_witness_of_the_time() -> None:
    """A machine with a wrong clock that speaks in many names still cannot move the agreed time."""
    desk = Desk(cast(), ask=BOTH)
    now = desk.scene.now
    desk.scene.now += timedelta(days=300)
    attests(desk, not_after=now + timedelta(days=301))
    desk.scene.now = now + timedelta(minutes=5)
    desk.decides("pia")
    assert desk.standing().granted
    assert isinstance(desk.scene.trusted().said[-1].claim, Decision)
