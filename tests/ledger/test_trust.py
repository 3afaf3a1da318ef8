"""Who said what: the trust root, changes of people, and statements that count for nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import IntegrityError, LockgateError, PermissionRefused, UsageError
from lockgate.records.decisions import (
    Decision,
    Healthy,
    Looked,
    PeopleSet,
    Proposed,
    Wanted,
    read_claim,
    state,
)
from lockgate.records.ledger import EMPTY, Head
from lockgate.records.people import TRUSTEE, People, Person, found, succeed
from lockgate.records.statement import Envelope, Statement, seal
from lockgate.records.waivers import BrokeGlass, Condition, Met, Reviewed, Revoked, Waived
from lockgate.records.trust import trusted
from lockgate.testing.ledger import MemoryLedger, MemorySigner
from lockgate.testing.scene import CAST, START, Scene, person, release

PROPOSED = {"release": release("r1"), "name": "demand", "authors": ("sam",), "started_by": "sam", "lineage": ""}


def last(scene: Scene) -> tuple[str, str]:
    said = scene.trusted().said[-1]
    return (said.person.name if said.person else "", said.field)


def test_the_first_register_is_the_trust_root_and_stays_it() -> None:
    scene = Scene()
    root = scene.people.digest
    scene.change_people(*CAST, person("zoe", "product-owner"))
    now = scene.trusted(pin=root)
    assert (now.root, now.people.digest, now.people.version) == (root, scene.people.digest, 2)
    assert now.people.named("zoe") is not None


def test_a_wrong_pin_is_refused_with_both_digests() -> None:
    scene = Scene()
    with pytest.raises(PermissionRefused) as caught:
        scene.trusted(pin=release("other"))
    assert (caught.value.value, caught.value.allowed) == (scene.people.digest, release("other"))
    assert "lockgate serve" in caught.value.next
    with pytest.raises(PermissionRefused):
        trusted([], pin=release("other"))


def test_nobody_founds_a_register_without_being_its_trustee() -> None:
    scene = Scene.__new__(Scene)
    scene.ledger, scene.now, scene.people = MemoryLedger(), START, found(CAST)
    scene.say("sam", PeopleSet, people=scene.people)
    scene.say("mallory", PeopleSet, people=scene.people)
    assert [s.field for s in scene.trusted().said] == ["people", "key"]
    assert scene.trusted().root == ""
    scene.say("ada", PeopleSet, people=scene.people)
    assert scene.trusted().root == scene.people.digest


def test_a_register_that_could_not_be_founded_lends_nobody_its_keys() -> None:
    scene = Scene.__new__(Scene)
    scene.ledger, scene.now, scene.people = MemoryLedger(), START, found(CAST)
    scene.say("sam", PeopleSet, people=scene.people)
    scene.say("sam", Proposed, **PROPOSED)
    assert last(scene) == ("", "key")


@pytest.mark.parametrize("first", [True, False])
def test_a_register_with_a_forged_signature_is_not_installed(first: bool) -> None:
    scene = Scene()
    if first:
        scene.ledger = MemoryLedger()
    before = scene.trusted().people
    people = found(CAST) if first else succeed(before, (*CAST, person("zoe", "product-owner")))
    forged = replace(scene.signed("mallory", PeopleSet, people=people), keyid=MemorySigner("ada").identity())
    scene.append(forged)
    assert scene.trusted().people == before
    scene.say("ada", PeopleSet, people=people)
    assert scene.trusted().people == people


@pytest.mark.parametrize("who", ["sam", "pat", "bot"])
def test_only_a_trustee_changes_people(who: str) -> None:
    """Else an author could give himself the role that approves."""
    scene = Scene()
    before = scene.people
    scene.change_people(*CAST, person("zoe", "product-owner"), by=(who,))
    assert scene.trusted().people == before
    assert last(scene) == ("", "people")
    scene.say("ada", PeopleSet, people=scene.people)
    assert scene.trusted().people == scene.people


def test_a_quorum_counts_people_not_keys() -> None:
    eve = Person(name="eve", roles=(TRUSTEE,), keys=tuple(MemorySigner(k).public_key() for k in ("eve", "eve-2")))
    cast = (*CAST, eve)
    scene = Scene(cast, quorum=2)
    before = scene.people
    scene.change_people(*cast, person("zoe", "product-owner"), by=("eve", "eve-2", "eve"))
    assert scene.trusted().people == before
    scene.say("ada", PeopleSet, people=scene.people)
    assert scene.trusted().people == scene.people


def test_a_change_of_people_must_follow_the_register_in_force() -> None:
    scene = Scene()
    stale = succeed(scene.people, (*CAST, person("old")))
    scene.change_people(*CAST, person("new"))
    scene.say("ada", PeopleSet, people=stale)
    assert last(scene) == ("", "people")
    assert scene.trusted().people.named("new") is not None


def test_a_removed_key_speaks_no_more_but_what_it_said_stays() -> None:
    scene = Scene()
    scene.say("sam", Proposed, **PROPOSED)
    scene.change_people(*(p for p in CAST if p.name != "sam"))
    scene.say("sam", Proposed, **PROPOSED)
    assert [(s.person.name if s.person else "", s.field) for s in scene.trusted().said[1:]] == [
        ("sam", ""),
        ("ada", ""),
        ("", "key"),
    ]


@pytest.mark.parametrize(
    ("who", "kind", "fields", "field"),
    [
        ("sam", Proposed, PROPOSED, ""),
        ("pat", Proposed, PROPOSED, "role"),
        ("sam", Looked, {"holdout": release("h"), "reason": "gates"}, ""),
        ("rik", Looked, {"holdout": release("h"), "reason": "gates"}, "role"),
        ("sam", Wanted, {"release": release("r"), "environment": "e", "because": "delivered"}, ""),
        ("sam", Wanted, {"release": release("r"), "environment": "e", "because": "rolled-back"}, "role"),
        ("bot", Wanted, {"release": release("r"), "environment": "e", "because": "rolled-back"}, ""),
        ("sam", Healthy, {"release": release("r"), "environment": "e", "wanted": release("w")}, "role"),
        ("bot", Healthy, {"release": release("r"), "environment": "e", "wanted": release("w")}, ""),
        ("mallory", Healthy, {"release": release("r"), "environment": "e", "wanted": release("w")}, "key"),
    ],
)
def test_each_statement_needs_its_role(who: str, kind: type, fields: dict[str, object], field: str) -> None:
    scene = Scene()
    scene.say(who, kind, **fields)
    assert last(scene) == ("" if field else who, field)


def test_a_broken_signature_is_set_aside_not_an_error() -> None:
    scene = Scene()
    good = scene.signed("sam", Proposed, **PROPOSED)
    scene.append(replace(good, signature=b"\0" * 64))
    assert last(scene) == ("", "signature")
    scene.append(good)  # a broken copy that came first must not push out the real one
    assert last(scene) == ("sam", "")


def test_a_copy_of_an_old_statement_counts_for_nothing() -> None:
    scene = Scene()
    entry = scene.say("sam", Proposed, **PROPOSED)
    scene.append(entry.envelope)
    assert last(scene) == ("", "replay")
    scene.say("sam", Proposed, **PROPOSED)
    assert last(scene) == ("sam", "")


@pytest.mark.parametrize(
    "log", [Head(size=1, digest=release("other")), Head(size=99, digest=release("other")), Head(size=0, digest="x")]
)
def test_a_statement_from_another_ledger_counts_for_nothing(log: Head) -> None:
    scene = Scene()
    scene.say("sam", Proposed, log=log, **PROPOSED)
    assert last(scene) == ("", "log")
    scene.say("sam", Proposed, log=EMPTY, **PROPOSED)
    assert last(scene) == ("sam", "")


DECISION = {
    "release": release("r"), "decision": "approve", "role": "product-owner", "reason": "ok", "environment": "e",
    "evidence": "", "policy": "", "people": "", "page": "", "accepted": (), "not_after": START,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"environment": ["e"]},
        {"environment": None},
        {"role": {"a": 1}},
        {"accepted": [["x"]]},
        {"accepted": 3},
        {"not_after": "soon"},
        {"not_after": 7},
        {"not_after": "2026-01-05T09:00:00"},
        {"log": None},
        {"log": {"size": "1", "digest": ""}},
        {"decision": 1},
    ],
)
def test_a_registered_signer_cannot_crash_the_fold(change: dict[str, object]) -> None:
    scene = Scene()
    statement = state(Decision(log=scene.ledger.head(), **DECISION))
    assert read_claim(statement) is not None
    bad = replace(statement, predicate={**statement.predicate, **change})
    scene.append(seal(bad, MemorySigner("pat")))
    assert last(scene) == ("", "statement")


LATER = datetime(2026, 2, 1, tzinfo=UTC)
BESIDE = [
    Waived(release=release("r"), gate="g", environment="e", result="", role="risk", reason="r", control="c", owner="o", not_after=LATER, page="", log=EMPTY),
    Revoked(release=release("r"), environment="e", entry="", role="", reason="r", log=EMPTY),
    BrokeGlass(release=release("r"), environment="e", role="x", reason="r", results={"g": "d"}, policy="", people="", not_after=LATER, log=EMPTY),
    Reviewed(release=release("r"), environment="e", entry="", role="x", finding="f", log=EMPTY),
    Met(release=release("r"), environment="e", entry="", condition="c", role="x", how="h", log=EMPTY),
    Decision(**{**DECISION, "release": release("r")}, conditions=(Condition(text="c", due=LATER), Condition(text="d")), answers={"q": "a"}, log=EMPTY),
]  # fmt: skip


@pytest.mark.parametrize("claim", BESIDE, ids=lambda c: type(c).__name__)
def test_what_is_said_beside_the_rule_comes_back_whole_or_counts_for_nothing(claim: object) -> None:
    """Each field in turn of another kind: never an exception in the fold, never a claim with such a field."""
    good = state(claim)  # type: ignore[arg-type]
    assert read_claim(good) == claim
    for name in good.predicate:
        for bad in (None, 7, ["x"], {"x": 1}, "x", [{"text": 1}], [{"text": "c", "due": "2026-02-01T00:00:00"}]):
            if type(bad) is type(good.predicate[name]) and name not in (
                "not_after",
                "conditions",
                "results",
                "answers",
            ):
                continue
            scene = Scene()
            scene.append(seal(replace(good, predicate={**good.predicate, name: bad}), MemorySigner("pat")))
            said = scene.trusted().said[-1]
            assert said.field == "statement", f"{name} = {bad!r}"


def test_older_statements_without_the_newer_fields_are_read() -> None:
    statement = state(Decision(log=EMPTY, **DECISION))
    older = {n: v for n, v in statement.predicate.items() if n not in ("conditions", "answers")}
    found = read_claim(replace(statement, predicate=older))
    assert isinstance(found, Decision)
    assert (found.conditions, found.answers) == ((), {})


def test_rubbish_and_newer_kinds_of_statements_stop_nobody() -> None:
    scene = Scene()
    newer = Statement(predicate_type="https://x/y/v9", subject_name="s", subject="sha256:00", predicate={})
    scene.append(seal(newer, MemorySigner("sam")))
    scene.append(seal(newer, MemorySigner("mallory")))
    assert [(s.claim, s.field) for s in scene.trusted().said[1:]] == [(None, ""), (None, "key")]


def test_unknown_fields_survive() -> None:
    statement = state(Decision(log=EMPTY, **DECISION))
    newer = replace(statement, predicate={**statement.predicate, "dwell_seconds": "31"})
    claim = read_claim(newer)
    assert claim is not None
    assert state(claim) == newer


def test_a_claim_about_another_subject_than_its_own_is_refused() -> None:
    statement = state(PeopleSet(people=found(CAST), log=EMPTY))
    with pytest.raises(IntegrityError, match="not about its subject"):
        read_claim(replace(statement, subject=release("other")))


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ((person("ada", TRUSTEE), person("ADA")), "belongs to two"),
        ((person("ada", TRUSTEE), person("bob", aliases=("ada",))), "belongs to two"),
        ((person("ada", TRUSTEE), Person(name="bob", keys=person("ada").keys)), "a key belongs to two"),
        ((person("ada", TRUSTEE), person("bot", TRUSTEE, kind="machine")), "machine cannot be a trustee"),
        ((person("ada"),), "too few trustees"),
        ((), "too few trustees"),
        ((Person(name="ada", roles=(TRUSTEE,), keys=("ssh-rsa AAAA",)),), "not a public key"),
    ],
)
def test_a_register_that_cannot_work_is_refused(people: tuple[Person, ...], words: str) -> None:
    with pytest.raises((UsageError, PermissionRefused), match=words):
        found(people)
    with pytest.raises(LockgateError):
        succeed(found(CAST), CAST, quorum=2)


def test_a_register_that_cannot_work_is_set_aside_in_the_ledger() -> None:
    scene = Scene()
    locked_out = People(version=2, people=(person("sam"),), previous=scene.people.digest)
    scene.say("ada", PeopleSet, people=locked_out)
    assert last(scene) == ("", "statement")
    assert scene.trusted().people == scene.people


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["say", "copy", "break", "stranger", "people"]), max_size=12))
def test_the_fold_is_deterministic_and_a_prefix_never_changes_its_meaning(acts: list[str]) -> None:
    scene = Scene()
    for number, act in enumerate(acts):
        envelope = scene.signed("mallory" if act == "stranger" else "sam", Proposed, **PROPOSED)
        if act == "copy":
            envelope = scene.ledger.read()[-1].envelope
        elif act == "break":
            envelope = Envelope(payload=envelope.payload, keyid=envelope.keyid, signature=b"x")
        elif act == "people":
            scene.change_people(*CAST, person(f"p{number}"))
            continue
        scene.append(envelope)
    entries = scene.ledger.read()
    whole = trusted(entries)
    assert trusted(entries) == whole
    for size in range(len(entries) + 1):
        assert trusted(entries[:size]).said == whole.said[:size]
