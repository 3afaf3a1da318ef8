"""Why an approval does not count: the first field that forbids it, of what it is about, who signed, what it binds, when and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lockgate.gates.authors import authors, policy_editors, questions_of, was_shown
from lockgate.gates.binding import listed, results
from lockgate.gates.since import judged_since
from lockgate.gates.waivers import SKEW, standing_waivers
from lockgate.records.decisions import PLAN, Attested, Decision, result_digest
from lockgate.records.digest import short
from lockgate.records.proposals import first_proposal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lockgate.gates.binding import Ask, Binding
    from lockgate.records.people import Person
    from lockgate.records.trust import Trusted

__all__ = ["Objection", "agreed_time", "behind", "elsewhere", "objection"]

BOUND: Final = ("policy", "people", "evidence", "page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why one decision does not count: the first `field` that forbids it, and the sentence."""

    field: str
    why: str
    entry: str = ""
    person: str = ""


def objection(
    decision: Decision, person: Person, *, trusted: Trusted, current: Binding, ask: Ask, time: datetime, now: datetime
) -> Objection | None:
    """The first reason why this person's approval, appended at `time`, does not count; None when it does.

    For `lockgate approve` before it signs (then `time` is `now`), and for every approval in the ledger.
    """
    for field, why in _reasons(decision, person, trusted=trusted, current=current, ask=ask, time=time, now=now):
        return Objection(field=field, why=why, person=person.name)
    return None


def _reasons(
    said: Decision, person: Person, *, trusted: Trusted, current: Binding, ask: Ask, time: datetime, now: datetime
) -> Iterator[tuple[str, str]]:
    """Every reason in the order in which they are told: what it is about, who, what it binds, when, how."""
    yield from elsewhere(said, current)
    if said.decision != "approve":
        yield "decision", f"it says {said.decision!r}"
    yield from _about_person(said, person, ask)
    if isinstance(said, Attested) and ask.grade == "signed":
        yield "grade", f"a forge says that {person.name} pressed a button; {ask.environment} takes only a signature"
    for field in BOUND:
        if getattr(said, field) != getattr(current, field):
            yield field, f"it binds {field} {short(getattr(said, field))}; now it is {short(getattr(current, field))}"
    yield from _brought_back(said, trusted, current)
    if (plan := said.extra.get(PLAN, "")) not in ("", current.plan):
        carried = f"plan {short(current.plan)} is carried out" if current.plan else "no saved plan is carried out"
        yield PLAN, f"it is for delivery plan {short(str(plan))}; {carried} (lockgate deliver --planned FILE)"
    yield from _about_time(said, trusted, ask, time=time, now=now)
    if said.accepted != ask.uncertain:
        accepted, uncertain = listed(said.accepted), listed(ask.uncertain)
        yield "accepted", f"it accepts the uncertain gates {accepted}; uncertain are {uncertain}"
    if first_proposal(trusted.said, current.release) is None:
        yield "author", "nobody registered this release, so whose work it is is unknown"
    if not was_shown(trusted, current.page, release=current.release, environment=current.environment):
        yield "page", f"no deliverer signed that the page {short(current.page)} was shown before {current.environment}"
    if ask.self_approval == "refused":
        yield from _own_work(person, trusted, current, ask, now=now)
    if ask.answers and (silent := _unanswered(said, trusted, current.page)):
        yield "answers", f"it does not answer: {silent}"


def _brought_back(said: Decision, trusted: Trusted, current: Binding) -> Iterator[tuple[str, str]]:
    """What was otherwise since it was signed and is the same again: an approval that was void does not revive."""
    bound = results(trusted.said, release=current.release, policy=current.policy)
    for claim in judged_since(trusted, current.release, said.log, policy=current.policy):
        if claim.policy != current.policy:
            judged = f"since it was signed this release was judged by policy {short(claim.policy)}"
            yield "policy", f"{judged}; under the one that is brought back people sign again"
        elif result_digest(claim) != result_digest(bound[claim.verdict.gate]):
            yield "evidence", f"since it was signed {claim.verdict.gate} said something else"


def _own_work(
    person: Person, trusted: Trusted, current: Binding, ask: Ask, *, now: datetime
) -> Iterator[tuple[str, str]]:
    """Nobody judges alone what they made, or the rule that they bent for it."""
    if person.name in authors(trusted, current.release):
        yield "author", f"{person.name} is an author of this release or started its run"
    if "policy_editor" in ask.exclude and person.name in policy_editors(trusted, current.page):
        yield (
            "policy_editor",
            f"{person.name} edited the policy that this release is judged by, since the one in force was signed",
        )
    if "waiver_author" in ask.exclude:
        waived = standing_waivers(trusted, release=current.release, policy=current.policy, ask=ask, now=now)
        if wrote := sorted(gate for gate, w in waived.items() if w.wrote == person.name):
            yield "waiver_author", f"{person.name} wrote the waiver of {listed(wrote)}"


def _unanswered(said: Decision, trusted: Trusted, page: str) -> str:
    """The first question of the page that a decision does not answer."""
    return next((q for q in questions_of(trusted, page) if not said.answers.get(q, "").strip()), "")


def elsewhere(said: Decision, current: Binding) -> Iterator[tuple[str, str]]:
    """What it is about, where that is something else."""
    if said.release != current.release:
        yield "release", f"it is for release {short(said.release)}, not {short(current.release)}"
    if said.environment != current.environment:
        yield "environment", f"it is for {said.environment}, not {current.environment}"


def _about_person(said: Decision, person: Person, ask: Ask) -> Iterator[tuple[str, str]]:
    if person.kind != "person":
        yield "kind", f"{person.name} is a machine; only a person fills a role"
    if said.role not in person.roles:
        yield "role", f"{person.name} did not hold the role {said.role}"
    if ask.valid_for(said.role) is None:
        yield "role", f"nobody is asked as {said.role}; asked are {listed(r.role for r in ask.roles)}"


def _about_time(
    said: Decision, trusted: Trusted, ask: Ask, *, time: datetime, now: datetime
) -> Iterator[tuple[str, str]]:
    agreed = agreed_time(trusted, now)
    valid_for = ask.valid_for(said.role)
    if agreed > now + SKEW:
        yield "clock", behind(agreed, now)
    if now >= said.not_after:
        yield "not_after", f"it expired at {said.not_after:%F %T %Z}"
    if valid_for is not None and said.not_after - min(time, now) > valid_for + SKEW:
        yield "not_after", f"it would count until {said.not_after:%F %T %Z}, longer than the {valid_for} allowed"


def behind(agreed: datetime, now: datetime) -> str:
    """In words: a clock that would revive what is over."""
    return f"this machine's clock ({now:%F %T}) is behind that of the ledger ({agreed:%F %T})"


def agreed_time(trusted: Trusted, now: datetime) -> datetime:
    """The newest time that two signers agree has come, so that one wrong clock can stop nobody."""
    newest: dict[str, datetime] = {}
    for said in trusted.said:
        if said.person:
            newest[said.signer] = max(said.entry.time, newest.get(said.signer, said.entry.time))
    times = sorted(newest.values(), reverse=True)
    return times[1] if len(times) > 1 else next(iter(times), now)
