"""The stand-alone verifier under attack: every forged bundle has an honest twin that differs in one thing and passes."""

from __future__ import annotations

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lockgate.declare import Approval, DeployTo, Gate
from lockgate.gates.binding import results
from lockgate.records.checkpoint import sign_checkpoint
from lockgate.records.decisions import Decision, Proposed, Shown, result_digest
from lockgate.records.digest import canonical, sha256_bytes
from lockgate.records.ledger import EMPTY, encode_line
from lockgate.records.people import Person
from lockgate.records.statement import PREDICATES, Statement, seal
from lockgate.records.trust import trusted
from lockgate.records.vsa import summary
from lockgate.records.waivers import BrokeGlass, Condition, Met, Revoked, Waived
from lockgate.release import verify
from lockgate.testing.ledger import MemoryLedger, MemorySigner
from lockgate.testing.scene import CAST, person, release

from release.auditing import WEEK, Office, card, main_code_says, write

VERIFY = Path(verify.__file__)


@dataclass
class Held:
    """What an auditor holds and says."""

    office: Office
    changes: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    after: timedelta = timedelta(0)

    def checked(self, folder: Path) -> verify.Report:
        return self.office.checked(folder, after=self.after, changes=self.changes, **self.asked)


def approved(**changes: Any) -> Office:
    office = Office().ready()
    office.decides(**changes)
    return office


def served(**changes: Any) -> Office:
    office = Office().ready()
    office.served(office.decides(**changes))
    return office


@pytest.mark.parametrize("otherwise", ["", "policy", "evidence"])
@pytest.mark.parametrize("rubbish", [0, 3])
def test_what_was_brought_back_is_seen_behind_any_number_of_lines_that_count_for_nothing(
    tmp_path: Path, rubbish: int, otherwise: str
) -> None:
    """Anybody who can append a line shifts positions; what came after a signature is told by the entry's own number."""
    office = Office().ready()
    for number in range(rubbish):
        office.scene.say("stranger", Decision, **office.decision(reason=f"rubbish {number}"))
    approval = office.decides("pat")
    if otherwise == "policy":
        office.measures("slices", "fail", policy=release("policy 2"))
    elif otherwise == "evidence":
        office.measures("slices", "fail", word="f")
        office.measures("slices")
    office.served(approval)
    assert office.checked(tmp_path).passed is main_code_says(office) is (not otherwise)


def test_the_honest_twin(tmp_path: Path) -> None:
    report = Held(served()).checked(tmp_path)
    assert report.passed, report.sentence
    assert report.sentence.startswith("PASSED  Release ")
    assert "signed by pat (product-owner)" in report.sentence
    assert {word for word, _, _ in report.rows} == {"good", "pass"}


def test_what_was_not_served_is_judged_as_of_now(tmp_path: Path) -> None:
    office = approved()
    assert Held(office).checked(tmp_path / "1").passed
    late = Held(office, after=timedelta(days=30)).checked(tmp_path / "2")
    assert "it expired" in late.sentence
    office.served(office.scene.ledger.read()[-1])
    assert Held(office, after=timedelta(days=3650)).checked(tmp_path / "3").passed  # it was let in while it counted


def sam_is_owner() -> Office:
    return Office((*CAST[:1], person("sam", "deliverer", "product-owner"), *CAST[2:])).ready()


def two_keys(second: str) -> Office:
    pat = Person(
        name="pat", roles=("product-owner",), keys=tuple(MemorySigner(k).public_key() for k in ("pat", "pat-2"))
    )
    office = Office(
        tuple(pat if p.name == "pat" else p for p in CAST), toml="[roles.product-owner]\nneed = 2\n"
    ).ready()
    office.decides("pat")
    office.decides(second)
    return office


def decided_by(office: Office, who: str, **changes: Any) -> Office:
    office.decides(who, **changes)
    return office


def judged_again(word: str) -> Office:
    office = approved()
    office.measures("slices", word=word)
    return office


def shown_again(page: bytes) -> Office:
    office = approved()
    office.shows(page)
    return office


def people_changed(*, before: bool) -> Office:
    office = Office().ready()
    if not before:
        office.decides()
    office.scene.change_people(*CAST, person("zoe"))
    if before:
        office.decides()
    return office


def left_before_it_was_served(who: str) -> Office:
    office = Office().ready()
    wanted = office.delivers(office.decides())
    office.scene.change_people(*(p for p in CAST if p.name != who))
    office.scene.healthy(wanted)
    return office


def rejected(*, by: str, lifted: bool) -> Office:
    office = approved()
    office.decides(by, decision="reject")
    office.decides("pia")
    if lifted:
        office.decides(by)
    return office


def rolled_back(*, signed_again: bool) -> Office:
    """A second release took over, was rolled back from, and comes again."""
    office = Office().ready()
    first = office.scene.propose("before")
    old = office.scene.want(first, "production", authorised_by=(office.decides(release=first).digest,))
    office.scene.healthy(old)
    approval = office.decides()
    office.served(approval)
    office.scene.healthy(
        office.scene.want(first, "production", by="bot", because="rolled-back", authorised_by=(old.digest,))
    )
    office.served(office.decides("pia") if signed_again else approval)
    return office


def for_staging(**asked: Any) -> Held:
    """An environment before which nobody is asked."""
    office = Office()
    office.measures("slices")
    office.measures("champion")
    office.environment = "staging"
    return Held(office, {"page.html": None, "card.md": None}, {n: v(office) for n, v in asked.items()})


def uncertain(*, accepted: bool) -> Office:
    office = Office().ready(outcome="uncertain")
    office.decides(**({} if accepted else {"accepted": ()}))
    return office


def missing(gate: str | None) -> Office:
    office = Office()
    for name in ("slices", "champion", "integration"):
        if name != gate:
            office.measures(name)
    office.shows()
    office.decides()
    return office


def an_unknown_statement(subject: str) -> Office:
    office = served()
    said = Statement(predicate_type=PREDICATES + "annulment/v1", subject_name="x", subject=subject, predicate={})
    office.scene.append(seal(said, MemorySigner("rik")))
    return office


EXCEPTIONS = """
[waivers]
need = { risk = 1, product-owner = 1 }
never = ["integration"]
[break_glass]
roles = ["risk"]
[revocation]
roles = ["risk"]
"""


def failed(gate: str = "slices") -> Office:
    """One gate failed; the policy allows exceptions."""
    office = Office(toml=EXCEPTIONS)
    for name in ("slices", "champion", "integration"):
        office.measures(name, "fail" if name == gate else "pass")
    office.shows()
    return office


def result_of(office: Office, gate: str) -> str:
    found = results(office.scene.trusted().said, release=office.release, policy=office.policy_digest)
    return result_digest(found[gate])


def waived(
    *signers: tuple[str, str], gate: str = "slices", by: str = "pat", served: bool = True, **changes: Any
) -> Office:
    """A failed gate, a waiver by these people, an approval."""
    office = failed(gate)
    said = {
        "gate": gate, "environment": "production", "result": result_of(office, gate), "reason": "two new stores", "control": "watched",
        "owner": "rik", "not_after": office.scene.now + WEEK, "page": release("page"), **changes,
    }  # fmt: skip
    for who, role in signers:
        office.scene.say(who, Waived, release=office.release, role=role, **said)
    approval = office.decides(by)
    if served:
        office.served(approval)
    return office


BOTH = (("rik", "risk"), ("pia", "product-owner"))


def revoked(entry_of: str, *, by: str, role: str, cast: tuple[Person, ...] = CAST) -> Office:
    """Somebody takes back an entry of this kind."""
    office = waived(*BOTH)
    kinds = {e.envelope.statement().predicate_type.rpartition("attestation/")[2]: e for e in office.scene.ledger.read()}
    office.scene.say(
        by,
        Revoked,
        release=office.release,
        environment="production",
        entry=kinds[entry_of].digest,
        role=role,
        reason="no",
    )
    return office


def with_condition(*, met_by: str = "", role: str = "", due: timedelta | None = None) -> Office:
    office = Office().ready()
    when = office.scene.now + due if due else None
    approval = office.decides(conditions=(Condition(text="the shops were told", due=when),))
    if met_by:
        office.scene.say(
            met_by, Met, release=office.release, environment="production", entry=approval.digest, condition="the shops were told",
            role=role, how="by mail",
        )  # fmt: skip
    return office


def glass_broken(
    *, by: str = "rik", role: str = "risk", gate: str = "slices", named: bool = True, lasts: int = 12
) -> Office:
    office = failed(gate)
    glass = office.scene.say(
        by, BrokeGlass, release=office.release, environment="production", role=role, reason="the shop is down",
        results={gate: result_of(office, gate)} if named else {}, policy=office.policy_digest, people=office.scene.people.digest,
        not_after=office.scene.now + timedelta(hours=lasts),
    )  # fmt: skip
    office.served(glass)
    return office


def questions_asked_first(*answers: str) -> Office:
    """The page with its questions is the only one that was shown."""
    office = Office(toml="[approval]\nanswers = true\n")
    for gate in ("slices", "champion", "integration"):
        office.measures(gate)
    office.scene.say(
        "bot", Shown, release=office.release, environment="production", shows="blake3:q", page=sha256_bytes(b"page"),
        card=sha256_bytes(card(b"page")), questions=("Is it fit?", "Who is worse off?"),
    )  # fmt: skip
    office.decides(answers=dict(zip(("Is it fit?", "Who is worse off?"), answers, strict=False)))
    return office


RELEASE_2 = release("r2")
EXCEPTIONAL: dict[str, tuple[Callable[[], Office], str, Callable[[], Office]]] = {
    "a failed gate without a waiver": (lambda: waived(), "slices says fail", lambda: waived(*BOTH)),
    "a waiver that one person signed": (lambda: waived(BOTH[0]), "slices says fail", lambda: waived(*BOTH)),
    "a waiver of a gate that is never waived": (lambda: waived(*BOTH, gate="integration"), "integration says fail", lambda: waived(*BOTH, gate="champion")),
    "a waiver of another result": (lambda: waived(*BOTH, result=release("r")), "slices says fail", lambda: waived(*BOTH)),
    "a waiver that reaches staging only": (lambda: waived(*BOTH, environment="staging"), "slices says fail", lambda: waived(*BOTH)),
    "a waiver for ever": (lambda: waived(*BOTH, not_after=Office().scene.now + timedelta(days=900)), "slices says fail", lambda: waived(*BOTH)),
    "who wrote the waiver approves": (
        lambda: waived(("pat", "product-owner"), BOTH[0]), "they wrote the waiver of slices", lambda: waived(BOTH[0], ("pat", "product-owner"))),
    "an approval that was revoked since": (
        lambda: revoked("approval/v1", by="rik", role="risk"), "it was revoked", lambda: revoked("page/v1", by="rik", role="risk")),
    "a waiver that was revoked since": (lambda: revoked("waiver/v1", by="pia", role=""), "slices says fail", lambda: revoked("waiver/v1", by="sam", role="risk")),
    "a condition that nobody met": (lambda: with_condition(), "its condition is not met", lambda: with_condition(met_by="pat")),
    "a condition that an author met": (lambda: with_condition(met_by="sam", role="product-owner"), "its condition is not met", lambda: with_condition(met_by="pia", role="product-owner")),
    "glass broken by who may not": (lambda: glass_broken(by="pat", role="product-owner"), "slices says fail", lambda: glass_broken()),
    "glass that does not name the failed gate": (lambda: glass_broken(named=False), "slices says fail", lambda: glass_broken()),
    "glass for longer than a day": (lambda: glass_broken(lasts=48), "slices says fail", lambda: glass_broken(lasts=24)),
    "glass over a gate that is never waived": (lambda: glass_broken(gate="integration"), "integration says fail", lambda: glass_broken(gate="champion")),
    "a question that nobody answered": (lambda: questions_asked_first("yes", " "), "questions of the page open", lambda: questions_asked_first("yes", "nobody")),
}  # fmt: skip


@pytest.mark.parametrize("attack", EXCEPTIONAL)
def test_what_stands_beside_the_rule(attack: str, tmp_path: Path) -> None:
    forged, why, twin = EXCEPTIONAL[attack]
    report = Held(forged()).checked(tmp_path / "forged")
    assert not report.passed
    assert why in report.sentence, report.sentence
    honest = Held(twin()).checked(tmp_path / "twin")
    assert honest.passed, honest.sentence


def test_a_waiver_and_broken_glass_are_said(tmp_path: Path) -> None:
    report = Held(waived(*BOTH)).checked(tmp_path / "1")
    assert "1 failed and passed over" in report.sentence
    assert any("waived by rik, pia" in detail for word, _, detail in report.rows if word == "fail")
    report = Held(glass_broken()).checked(tmp_path / "2")
    assert "signed by rik (risk)" in report.sentence
    assert any("broke the glass: 1 more product-owner did not agree" in detail for _, _, detail in report.rows)


def planned(approved: str, carried: str, *, delivered: bool = True) -> Office:
    """An approval for one delivery plan (empty: for any), and a deployment as part of one."""
    office = Office().ready()
    approval = office.decides(**({"extra": {"plan": release(approved)}} if approved else {}))
    if delivered:
        wanted = office.delivers(approval, **({"extra": {"plan": release(carried)}} if carried else {}))
        office.scene.healthy(wanted)
    return office


def shown_by(who: str = "bot", environment: str = "production") -> Office:
    """A page of one's own, signed under and served."""
    office = Office().ready()
    office.shows(b"page 2", by=who, environment=environment)
    office.served(office.decides())
    return office


def kept_back(*, reject: bool, before: bool) -> Office:
    """An approval signed before its signer said the contrary, and appended after it; or signed after it."""
    office = Office().ready()
    envelope = office.scene.signed("pat", Decision, **office.decision(reason="the first try"))
    if reject:
        office.decides("pat", decision="reject")
    else:
        entry = office.decides("pat").digest
        said = {"release": office.release, "environment": "production", "entry": entry, "role": "", "reason": "no"}
        office.scene.say("pat", Revoked, **said)
    again = office.scene.signed("pat", Decision, **office.decision(reason="the first try"))
    office.served(office.scene.append(envelope if before else again))
    return office


def kept_back_from_a_rollback(*, before: bool) -> Office:
    office = Office().ready()
    first = office.scene.propose("before")
    old = office.scene.want(first, "production", authorised_by=(office.decides(release=first).digest,))
    office.scene.healthy(old)
    office.served(office.decides())
    envelope = office.scene.signed("pia", Decision, **office.decision())
    office.scene.healthy(
        office.scene.want(first, "production", by="bot", because="rolled-back", authorised_by=(old.digest,))
    )
    again = office.scene.signed("pia", Decision, **office.decision())
    office.served(office.scene.append(envelope if before else again))
    return office


def due_on_the_way(*, hours: int) -> Office:
    office = Office().ready()
    due = office.scene.now + timedelta(days=1)
    wanted = office.delivers(office.decides(conditions=(Condition(text="the shops were told", due=due),)))
    office.scene.now += timedelta(hours=hours)
    office.scene.healthy(wanted)
    return office


def healthy_back_dated(*, days: int) -> Office:
    """Two people sign something after the approval expired; then a server says that it was healthy before."""
    office = Office().ready()
    wanted, then = office.delivers(office.decides()), office.scene.now + timedelta(days=1)
    office.scene.now += timedelta(days=days)
    office.scene.propose("later")
    office.measures("slices", policy=release("a later policy"))
    office.scene.now = then
    office.scene.healthy(wanted)
    return office


def clock_ahead(*, days: int) -> Office:
    office, now = Office().ready(), Office().scene.now
    office.scene.now += timedelta(days=days)
    office.decides()
    office.scene.now = now + timedelta(hours=1)
    return office


def accent_apart(author: str) -> Office:
    office = Office((*CAST, person("Zo\u00eb", "product-owner"))).ready()
    said = {"name": "demand", "authors": (f"{author} <z@home>",), "started_by": "sam", "lineage": ""}
    office.scene.say("sam", Proposed, release=office.release, **said)
    return decided_by(office, "Zo\u00eb")


def doubtful_again(word: str) -> Office:
    """The glass is broken over a doubt; then the gate is measured again."""
    office = Office(toml=EXCEPTIONS).ready(outcome="uncertain")
    glass = office.scene.say(
        "rik", BrokeGlass, release=office.release, environment="production", role="risk", reason="the shop is down",
        results={"slices": result_of(office, "slices")}, policy=office.policy_digest, people=office.scene.people.digest,
        not_after=office.scene.now + timedelta(hours=12),
    )  # fmt: skip
    office.measures("slices", "uncertain", word=word)
    office.served(glass)
    return office


ATTACKS: dict[str, tuple[Callable[[], Held], str, Callable[[], Held]]] = {
    "an approval for another delivery plan": (lambda: Held(planned("p", "q")), "it is for delivery plan", lambda: Held(planned("p", "p"))),
    "an approval for a plan where none is carried out": (lambda: Held(planned("p", "")), "carried out was none", lambda: Held(planned("", "q"))),
    "an approval for a plan that nobody has begun": (
        lambda: Held(planned("p", "", delivered=False)), "carried out was none", lambda: Held(planned("", "", delivered=False))),
    "a page that no deliverer showed": (lambda: Held(shown_by("pia")), "nobody signed that this page was shown", lambda: Held(shown_by())),
    "a page that was shown elsewhere": (lambda: Held(shown_by(environment="staging")), "nobody signed that this page was shown", lambda: Held(shown_by())),
    "an approval that was kept back until after its signer's reject": (
        lambda: Held(kept_back(reject=True, before=True)), "1 more product-owner",
        lambda: Held(kept_back(reject=True, before=False))),
    "an approval that was kept back until after a revocation": (
        lambda: Held(kept_back(reject=False, before=True)), "served without an approval", lambda: Held(kept_back(reject=False, before=False))),
    "an approval that was kept back until after a rollback": (
        lambda: Held(kept_back_from_a_rollback(before=True)), "rolled back", lambda: Held(kept_back_from_a_rollback(before=False))),
    "a condition whose day came before it was served": (lambda: Held(due_on_the_way(hours=40)), "counted no more when it was served", lambda: Held(due_on_the_way(hours=4))),
    "a server's clock that is behind": (lambda: Held(healthy_back_dated(days=30)), "counted no more when it was served", lambda: Held(healthy_back_dated(days=1))),
    "a signer's clock that is ahead": (lambda: Held(clock_ahead(days=300)), "longer than the policy allows", lambda: Held(clock_ahead(days=0))),
    "an author whose accent is written apart": (lambda: Held(accent_apart("Zoe\u0308")), "it is their own work", lambda: Held(accent_apart("Zora"))),
    "glass over another doubt than the present one": (lambda: Held(doubtful_again("f")), "1 more product-owner", lambda: Held(doubtful_again("e"))),
    "evidence of no gate": (lambda: Held(served(), {"evidence/fairness.json": b"{}"}), "evidence/fairness.json is not what a gate judged", lambda: Held(served())),
    "a page beside glass that nobody was shown": (
        lambda: Held(for_staging(policy=lambda o: o.policy_digest).office, {"page.html": b"all is well", "card.md": None}, {"policy": Office().policy_digest}),
        "nobody signed that page.html was shown", lambda: for_staging(policy=lambda o: o.policy_digest)),
    "sums that list something else": (
        lambda: Held(served(), {"release/SHA256SUMS": b""}), "SHA256SUMS is not what the release lists", lambda: Held(served())),
    "an approval of another release": (lambda: Held(approved(release=RELEASE_2)), "1 more product-owner", lambda: Held(approved())),
    "an approval for another environment": (lambda: Held(approved(environment="staging")), "1 more product-owner", lambda: Held(approved())),
    "an approval under another policy": (lambda: Held(approved(policy=release("p"))), "binds another policy", lambda: Held(approved())),
    "an approval of other evidence": (lambda: Held(approved(evidence=release("p"))), "binds another evidence", lambda: Held(approved())),
    "an approval of another page": (lambda: Held(approved(page=release("p"))), "binds another page", lambda: Held(approved())),
    "an approval under other people": (lambda: Held(approved(people=release("p"))), "binds another people", lambda: Held(approved())),
    "an author's own approval": (lambda: Held(decided_by(sam_is_owner(), "sam")), "it is their own work", lambda: Held(decided_by(sam_is_owner(), "pat"))),
    "one person with two keys": (lambda: Held(two_keys("pat-2")), "1 more product-owner", lambda: Held(two_keys("pia"))),
    "a gate run again with another result": (lambda: Held(judged_again("e2")), "binds another evidence", lambda: Held(judged_again("e"))),
    "another page shown since": (lambda: Held(shown_again(b"page 2")), "binds another page", lambda: Held(shown_again(b"page"))),
    "other people since": (lambda: Held(people_changed(before=False)), "binds another people", lambda: Held(people_changed(before=True))),
    "thirty days later": (lambda: Held(approved(), after=timedelta(days=30)), "it expired", lambda: Held(approved(), after=timedelta(days=6))),
    "more time than the policy allows": (
        lambda: Held(approved(not_after=Office().scene.now + timedelta(days=400))), "longer than the policy allows", lambda: Held(approved())),
    "a role that was not held": (lambda: Held(decided_by(Office().ready(), "rik")), "rik is no person who held the role", lambda: Held(decided_by(Office().ready(), "pia"))),
    "a key that nobody registered": (lambda: Held(decided_by(Office().ready(), "mallory")), "1 more product-owner", lambda: Held(approved())),
    "an approver who left before it was served": (lambda: Held(left_before_it_was_served("pat")), "counted no more", lambda: Held(left_before_it_was_served("pia"))),
    "a friendlier approver after a reject": (lambda: Held(rejected(by="pat", lifted=False)), "pat rejected it", lambda: Held(rejected(by="pat", lifted=True))),
    "a release that was rolled back": (lambda: Held(rolled_back(signed_again=False)), "rolled back", lambda: Held(rolled_back(signed_again=True))),
    "an uncertain gate that nobody accepted": (lambda: Held(uncertain(accepted=False)), "uncertain are slices, it accepts none", lambda: Held(uncertain(accepted=True))),
    "a gate that was not run": (lambda: Held(missing("champion")), "champion was not run", lambda: Held(missing(None))),
    "a policy that nobody vouches for": (lambda: for_staging(), "nobody vouches for it", lambda: for_staging(policy=lambda o: o.policy_digest)),
    "another policy than the auditor knows": (
        lambda: Held(served(), asked={"policy": release("strict")}), "and not", lambda: Held(served(), asked={"policy": Office().policy_digest})),
    "another trust root": (lambda: Held(served(), asked={"trust": release("x")}), "was founded by", lambda: Held(served())),
    "another release than asked": (lambda: Held(served(), asked={"release": RELEASE_2}), "is about release", lambda: Held(served(), asked={"release": Office().release})),
    "another environment than asked": (lambda: Held(served(), asked={"environment": "staging"}), "is about environment", lambda: Held(served(), asked={"environment": "production"})),
    "a statement of an unknown kind about the release": (
        lambda: Held(an_unknown_statement(Office().release)), "take a newer one", lambda: Held(an_unknown_statement(release("something else")))),
    "another page in the bundle": (lambda: Held(served(), {"page.html": b"nicer"}), "page.html is", lambda: Held(served(), {"page.html": b"page"})),
    "another card in the bundle": (lambda: Held(served(), {"card.md": b"nicer"}), "card.md is", lambda: Held(served(), {"card.md": card(b"page")})),
    "evidence that was not judged": (lambda: Held(served(), {"evidence/slices.json": b"{}"}), "evidence/slices.json is", lambda: Held(served())),
    "evidence left out": (lambda: Held(served(), {"evidence/slices.json": None}), "is not in the bundle", lambda: Held(served())),
    "another log behind an anchor": (
        lambda: anchored(cut=True), "anchor 2 saw", lambda: anchored(cut=False)),
    "another policy in the bundle": (lambda: Held(served(), {"policy.json": Office(toml="[roles.product-owner]\nneed = 2\n").policy}), "policy.json is", lambda: Held(served())),
    "another file of the release": (lambda: Held(served(), {"release/lock.txt": b"numpy==1.0\n"}), "lock.txt is not what the release lists", lambda: Held(served())),
    "a file too many in the release": (lambda: Held(served(), {"release/code/extra.py": b""}), "code/extra.py is not listed", lambda: Held(served())),
    "a file of the release left out": (lambda: Held(served(), {"release/lock.txt": None}), "lock.txt is missing", lambda: Held(served())),
    "another manifest": (lambda: Held(served(), {"release/manifest.json": b'{"files":[]}'}), "manifest.json is", lambda: Held(served())),
    "a file that does not belong": (lambda: Held(served(), {"run_me.sh": b""}), "does not belong", lambda: Held(served())),
    "a register that is none": (lambda: Held(served(), {"people/0001.json": b"{}"}), "is not what the log says", lambda: Held(served())),
    "somebody else's key under a name": (
        lambda: Held(served(), {next(p for p in served().files() if p.startswith("keys/pat")): b"x"}), "is not what the log says", lambda: Held(served())),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_named_and_its_twin_passes(attack: str, tmp_path: Path) -> None:
    forged, why, twin = ATTACKS[attack]
    report = forged().checked(tmp_path / "forged")
    assert not report.passed
    assert any(part in report.sentence for part in why.split("|")), report.sentence
    honest = twin().checked(tmp_path / "twin")
    assert honest.passed, honest.sentence


# ── the log ──────────────────────────────────────────────────────────────────


def relinked(office: Office, leave_out: int) -> bytes:
    """The log as its operator can rebuild it without one entry: every envelope as it was signed, chained anew."""
    ledger = MemoryLedger()
    for entry in office.scene.ledger.read():
        if entry.seq != leave_out:
            ledger.append(entry.envelope, after=ledger.head(), time=entry.time)
    return b"".join(encode_line(entry) for entry in ledger.read())


def with_log(office: Office, lines: bytes, **asked: Any) -> Held:
    """A bundle around another log; people, keys and statements follow it, as a forger would see to."""
    copies = verify.copies_in(verify.Log(lines))
    old = {p: None for p in verify.copies_in(verify.Log(b"".join(encode_line(e) for e in office.scene.ledger.read())))}
    return Held(office, {**old, **copies, "ledger.jsonl": lines}, asked)


def test_a_line_that_was_edited_or_deleted(tmp_path: Path) -> None:
    lines = [encode_line(entry) for entry in served().scene.ledger.read()]
    edited = b"".join(line.replace(b"2026-01-05T09:05", b"2026-01-05T09:55") for line in lines)
    report = Held(served(), {"ledger.jsonl": edited}).checked(tmp_path / "1")
    assert "was changed" in report.sentence
    deleted = b"".join(line for n, line in enumerate(lines) if n != 5)
    report = Held(served(), {"ledger.jsonl": deleted}).checked(tmp_path / "2")
    assert "does not follow" in report.sentence
    report = Held(served(), {"ledger.jsonl": b"".join(lines)[:-1]}).checked(tmp_path / "3")
    assert "whole line" in report.sentence


def test_a_log_rebuilt_by_its_operator_without_the_reject(tmp_path: Path) -> None:
    """The approval that was signed after the reject saw it: it is lost with it."""
    office = Office().ready()
    reject = office.decides("pat", decision="reject")
    office.served(office.decides("pia"))
    report = with_log(office, relinked(office, reject.seq)).checked(tmp_path)
    assert not report.passed
    assert any("saw another log" in detail for _, _, detail in report.rows)


def test_a_log_cut_before_the_reject_needs_an_anchor(tmp_path: Path) -> None:
    """A chain alone is theatre against its operator: what was said last can be left out. `--head` is what helps."""
    office = served()
    office.decides("pia", decision="reject")
    entries = office.scene.ledger.read()
    cut = b"".join(encode_line(entry) for entry in entries[:-1])
    assert not Held(office).checked(tmp_path / "whole").passed
    assert with_log(office, cut).checked(tmp_path / "cut").passed
    report = with_log(office, cut, head=entries[-1].digest).checked(tmp_path / "anchored")
    assert "does not contain" in report.sentence
    twin = served()
    anchored = Held(twin, asked={"head": twin.scene.ledger.read()[-3].digest}).checked(tmp_path / "twin")
    assert anchored.passed, anchored.sentence


def checkpoint(office: Office, *, by: str = "bot") -> bytes:
    return sign_checkpoint(office.scene.trusted(), MemorySigner(by))


def anchored(*, cut: bool) -> Held:
    """An anchor before and one after a reject; the operator hands over the log without it, or a release without a reject."""
    office = served()
    first = checkpoint(office)
    whole = b"".join(encode_line(entry) for entry in office.scene.ledger.read())
    office.decides("pia", decision="reject" if cut else "approve")
    held = with_log(office, whole) if cut else Held(office)
    file = Path(tempfile.mkdtemp()) / "anchors.jsonl"
    file.write_bytes(first + checkpoint(office))
    return replace(held, asked={"anchors": file})


FALSE_ANCHORS: dict[str, tuple[Callable[[Office], bytes], str]] = {
    "rewritten": (lambda o: checkpoint(served(reason="another")), "saw another entry"),
    "longer": (lambda o: checkpoint(after_one_more(served())), "the log was cut"),
    "of another log": (lambda o: checkpoint(Office((*CAST, person("zoe"))).ready()), "founded by"),
    "by a stranger": (lambda o: checkpoint(o, by="mallory"), "not signed with a key"),
    "no checkpoint": (lambda o: canonical(o.scene.ledger.read()[-1].envelope.to_json()), "is no checkpoint"),
    "forged": (lambda o: checkpoint(o).replace(b'"sig":"', b'"sig":"AAAA'), "not signed with a key"),
    "rubbish": (lambda o: b"{}\n", "cannot be read"),
    "nothing": (lambda o: b"\n", "holds no anchor"),
}


def after_one_more(office: Office) -> Office:
    office.scene.propose("another")
    return office


@pytest.mark.parametrize("kind", FALSE_ANCHORS)
def test_an_anchor_that_does_not_fit_refuses(kind: str, tmp_path: Path) -> None:
    made, why = FALSE_ANCHORS[kind]
    file = tmp_path / "anchors.jsonl"
    file.write_bytes(made(served()))
    report = Held(served(), asked={"anchors": file}).checked(tmp_path / "bundle")
    assert report.sentence.startswith("REFUSED  anchors: "), report.sentence
    assert any(part in report.sentence for part in why.split("|")), report.sentence
    file.write_bytes(checkpoint(served()))
    report = Held(after_one_more(served()), asked={"anchors": file}).checked(tmp_path / "twin")
    assert report.passed and any("1 came since" in detail for _, _, detail in report.rows), report.sentence


SHADOWS = ("__future__", "argparse", "json", "hashlib", "pathlib", "cryptography", "unicodedata", "encodings")


@pytest.mark.parametrize("module", SHADOWS)
def test_a_module_of_whoever_made_the_bundle_is_not_run(module: str, tmp_path: Path) -> None:
    """An auditor compares the sha256 of verify.py, runs it, and so runs nothing else that lies beside it."""
    office = served()
    lie = b"print('PASSED')\nraise SystemExit(0)\n"
    folder = office.bundle(tmp_path, **{f"{module}.py": lie})
    root = office.scene.trusted().root
    done = subprocess.run([sys.executable, "verify.py", "--trust", root], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 4, done.stdout + done.stderr
    assert f"{module}.py does not belong here" in done.stdout


def test_links_and_pipes_are_no_files(tmp_path: Path) -> None:
    """An unpacked archive can hold them; nothing is read through them, and nothing waits for them."""
    office = served()
    asked = verify.Asked(trust=office.scene.trusted().root)
    for name, make in (("release/lib", lambda p: p.symlink_to("/etc")), ("page.txt", lambda p: p.symlink_to("page.html")),
                       ("evidence/more.json", os.mkfifo)):  # fmt: skip
        folder = office.bundle(tmp_path / name.replace("/", "-"))
        make(folder / name)
        report = verify.verify(folder, asked, now=office.scene.now)
        assert "is neither a file nor a folder" in report.sentence


def test_what_the_bundle_carries_is_checked_also_when_the_files_lie_elsewhere(tmp_path: Path) -> None:
    office = served()
    whole = office.bundle(tmp_path / "whole") / "release"
    for changes, why in (
        ({"release/lock.txt": b"numpy==1.0\n"}, "lock.txt is not"),
        ({"release/x.py": b""}, "x.py is not listed"),
    ):
        assert why in Held(office, dict(changes), {"files": whole}).checked(tmp_path / why).sentence
    assert Held(office, {}, {"files": whole}).checked(tmp_path / "twin").passed


def test_what_is_no_bundle_is_refused_without_a_traceback(tmp_path: Path) -> None:
    for files in ({}, {"ledger.jsonl": b""}, {"ledger.jsonl": b"{}\n"}, {"ledger.jsonl": b"\xff\n"}):
        folder = tmp_path / str(len(files) + sum(map(len, files.values())))
        folder.mkdir()
        write(folder, files)
        done = subprocess.run([sys.executable, VERIFY, folder, "--trust", release("x")], capture_output=True, text=True)
        assert done.returncode == 4, done.stderr
        assert done.stderr == ""
        assert done.stdout.splitlines()[-1].startswith("REFUSED  log: ")


# ── one byte ─────────────────────────────────────────────────────────────────


def with_summary(office: Office) -> dict[str, bytes]:
    """The server's summary of what it serves."""
    said = office.scene.trusted()
    statement = summary(
        said.before(len(said.said) - 1), name="demand", release=office.release, environment="production",
        policy=office.policy_digest, level="LOCKGATE_FOUR_EYES", verifier="bot", now=office.scene.now,
    )  # fmt: skip
    return {"vsa.json": canonical(seal(statement, MemorySigner("bot")).to_json())}


def mutate(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def test_every_single_byte_counts(tmp_path: Path) -> None:
    """A seeded sample over all files; each is changed in place, in one bit."""
    office, chance = served(), random.Random(7)
    folder = office.bundle(tmp_path / "bundle", **with_summary(office))
    asked = verify.Asked(trust=office.scene.trusted().root)
    assert verify.verify(folder, asked, now=office.scene.now).passed
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size]
    assert len(files) > 30
    for path in files * 6:
        whole = path.read_bytes()
        path.write_bytes(mutate(whole, chance))
        report = verify.verify(folder, asked, now=office.scene.now)
        path.write_bytes(whole)
        assert not report.passed, path
    assert verify.verify(folder, asked, now=office.scene.now).passed


def test_new_sums_do_not_help_a_forger(tmp_path: Path) -> None:
    """SHA256SUMS is for accidents. Whoever changes a byte on purpose writes new sums, and is found all the same."""
    office, chance = served(), random.Random(8)
    files = {
        p: d if isinstance(d, bytes) else d.read_bytes() for p, d in {**office.files(), **with_summary(office)}.items()
    }
    vouched = [p for p in sorted(files) if p not in verify.UNVOUCHED and files[p]]
    for number, path in enumerate(vouched * 3):
        folder = tmp_path / str(number)
        write(folder, {**files, path: mutate(files[path], chance)})
        report = verify.verify(folder, verify.Asked(trust=office.scene.trusted().root), now=office.scene.now)
        shutil.rmtree(folder)
        assert not report.passed, path


# ── the summary ──────────────────────────────────────────────────────────────


def vsa(office: Office, *, by: str = "bot", changes: dict[str, Any] | None = None, **fields: str) -> dict[str, bytes]:
    (data,) = with_summary(office).values()
    import base64
    import json

    said = json.loads(base64.b64decode(json.loads(data)["payload"]))
    predicate = {**said["predicate"], **(changes or {})}
    subject = fields.get("subject", office.release)
    statement = Statement(
        predicate_type=fields.get("kind", said["predicateType"]),
        subject_name="demand",
        subject=subject,
        predicate=predicate,
    )
    return {"vsa.json": canonical(seal(statement, MemorySigner(by)).to_json())}


SUMMARIES: dict[str, Callable[[Office], dict[str, bytes]]] = {
    "signature": lambda o: vsa(o, by="mallory"),
    "verifier": lambda o: vsa(o, changes={"verifier": {"id": "https://lockgate.dev/verifier/x/bot"}}),
    "subject": lambda o: vsa(o, subject=RELEASE_2),
    "predicateType": lambda o: vsa(o, kind="https://slsa.dev/verification_summary/v2"),
    "resourceUri": lambda o: vsa(o, changes={"resourceUri": "https://lockgate.dev/environment/x/production"}),
    "policy": lambda o: vsa(o, changes={"policy": {"uri": "x", "digest": {"sha256": "0"}}}),
    "verificationResult": lambda o: vsa(o, changes={"verificationResult": "FAILED"}),
    "verifiedLevels": lambda o: vsa(o, changes={"verifiedLevels": ["SLSA_BUILD_LEVEL_3"]}),
    "inputAttestations": lambda o: vsa(o, changes={"inputAttestations": []}),
}


@pytest.mark.parametrize("step", SUMMARIES)
def test_a_consumer_of_the_summary_checks_every_step(step: str, tmp_path: Path) -> None:
    office = served()
    report = Held(office, dict(SUMMARIES[step](office))).checked(tmp_path / "forged")
    assert report.sentence.startswith("REFUSED  summary: ") and step in report.sentence, report.sentence
    honest = Held(office, dict(vsa(office))).checked(tmp_path / "twin")
    assert honest.passed, honest.sentence


def test_a_person_who_is_no_operator_signs_no_summary(tmp_path: Path) -> None:
    office = served()
    root = office.scene.trusted().root
    forged = vsa(office, by="sam", changes={"verifier": {"id": verify.verifier_uri(root, "sam")}})
    assert "signature" in Held(office, dict(forged)).checked(tmp_path).sentence


# ── the program ──────────────────────────────────────────────────────────────


def test_it_stands_alone() -> None:
    """The standard library and cryptography, nothing of ours; and short enough to be read."""
    tree = ast.parse(VERIFY.read_text())
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {n.partition(".")[0] for n in names} <= {*sys.stdlib_module_names, "cryptography"}


def test_it_runs_without_us_and_says_one_sentence(tmp_path: Path) -> None:
    office = served()
    folder = office.bundle(tmp_path)
    root = office.scene.trusted().root
    done = subprocess.run([sys.executable, "-I", folder / "verify.py", "--trust", root], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("PASSED  Release ")
    assert not (folder / "__pycache__").exists()
    assert subprocess.run([sys.executable, folder / "verify.py"], capture_output=True).returncode == 2


def test_the_release_may_lie_elsewhere(tmp_path: Path) -> None:
    office = served()
    left_out: dict[str, bytes | None] = {
        p: None for p in office.files() if p.startswith("release/") and not p.endswith("manifest.json")
    }
    assert "--files" in Held(office, left_out).checked(tmp_path / "without").sentence
    only = Held(office, left_out, {"decision_only": True}).checked(tmp_path / "decision")
    assert only.passed and "not looked at" in only.sentence
    elsewhere = Held(office, asked={"files": office.bundle(tmp_path / "whole") / "release"}, changes=left_out)
    assert elsewhere.checked(tmp_path / "elsewhere").passed
    (tmp_path / "whole" / "release" / "lock.txt").write_bytes(b"numpy==1.0\n")
    assert "lock.txt" in elsewhere.checked(tmp_path / "elsewhere 2").sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"folder": "missing"}, "missing: there is no such folder"),
        ({"--anchors": "missing"}, "--anchors missing: there is no such file"),
        ({"--files": "missing"}, "--files missing: there is no such folder"),
        ({"--trust": "x"}, "--trust 'x' is no digest"),
        ({"--policy": "x"}, "--policy 'x' is no digest"),
        ({"--release": "sha256:12"}, "--release 'sha256:12' is no digest"),
        ({"--trust": "sha256:" + "F" * 64}, "is no digest"),
    ],
)
def test_what_was_typed_wrong_is_no_refusal(
    changes: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, not 4: a script must not take a slip for a release that nobody let in."""
    office = served()
    folder = office.bundle(tmp_path)
    words = {"folder": str(folder), "--trust": office.scene.trusted().root}
    given = words | changes
    typed = [given.pop("folder"), *(w for pair in given.items() for w in pair)]
    with pytest.raises(SystemExit) as ended:
        verify.main(typed)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert verify.main([str(folder), "--trust", words["--trust"]]) == 0
    assert verify.main([str(folder), "--trust", "sha256:" + "0" * 64]) == 4
