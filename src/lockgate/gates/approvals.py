"""May this release go there: which approvals count, and the first field in which each other one differs.

Pure: facts in, `Standing` out; the clock is an argument. People are counted, never keys; one person fills one role.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from lockgate.errors import NotFound
from lockgate.gates.binding import binding, listed, results
from lockgate.records.decisions import Decision, Proposed, Wanted
from lockgate.records.digest import short
from lockgate.records.trust import Said, Trusted, rejects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from lockgate.gates.binding import Ask, Binding
    from lockgate.records.people import Person

__all__ = ["Objection", "RoleStanding", "Standing", "authorised", "authors", "objection", "standing"]

BOUND: Final = ("policy", "people", "evidence", "page")
ELSEWHERE: Final = frozenset({"release", "environment"})
SKEW: Final = timedelta(minutes=5)  # how far clocks of honest machines may lie apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why one decision does not count: the first `field` that forbids it, and the sentence."""

    field: str
    why: str
    entry: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStanding:
    """One role: how many people are needed, and who counts."""

    role: str
    need: int
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a release stands before the people.

    Attributes:
        approvals: digests of the ledger entries that were counted: what a deployment is authorised by.
        rejected_by: people whose reject stands.
        own_work: people who are counted although it is their own work (`self_approval = "flagged"`).
        not_counted: every other approval of this ledger, with its first reason.

    """

    roles: tuple[RoleStanding, ...]
    approvals: tuple[str, ...]
    rejected_by: tuple[str, ...]
    own_work: tuple[str, ...]
    not_counted: tuple[Objection, ...]

    @property
    def granted(self) -> bool:
        """Everybody who must agree does, and nobody's reject stands."""
        return not self.rejected_by and all(len(r.people) >= r.need for r in self.roles)

    @property
    def four_eyes(self) -> bool:
        """Granted by people, none of whom approved their own work."""
        return self.granted and bool(self.approvals) and not self.own_work

    @property
    def missing(self) -> str:
        """What is still needed, in words; empty when granted."""
        if self.rejected_by:
            return "rejected by " + ", ".join(self.rejected_by)
        short_of = [f"{r.need - len(r.people)} more {r.role}" for r in self.roles if len(r.people) < r.need]
        near = [f"{o.person}'s approval does not count: {o.why}" for o in self.not_counted if o.field not in ELSEWHERE]
        return "; ".join([*short_of, *near]) if short_of else ""


def authors(trusted: Trusted, release: str) -> frozenset[str]:
    """The people whose own work this is: authors, who started the run, and who registered the release."""
    names: set[str] = set()
    for each in trusted.said:
        if each.person and isinstance(each.claim, Proposed) and each.claim.release == release:
            names.update((*each.claim.authors, each.claim.started_by, each.person.name))
    people = trusted.people.people
    return frozenset(names | {p.name for p in people if any(p.is_called(n) for n in names)})


def standing(trusted: Trusted, current: Binding, *, ask: Ask, now: datetime) -> Standing:
    """Count the people. `now` is the real clock."""
    counted: list[tuple[Said, Decision, Person]] = []
    objections: list[Objection] = []
    own = authors(trusted, current.release)
    for said in trusted.said:
        if not isinstance(said.claim, Decision) or said.claim.decision == "reject":
            continue
        against = _against(said, trusted, current, ask=ask, now=now)
        if against:
            objections.append(against)
        elif said.person:
            counted.append((said, said.claim, said.person))
    seats = _seats(counted, ask, own)
    standing_rejects = rejects(trusted.said, release=current.release, environment=current.environment)
    return Standing(
        roles=tuple(RoleStanding(role=r.role, need=r.need, people=tuple(seats[r.role])) for r in ask.roles),
        approvals=tuple(s.entry.digest for s, d, p in counted if p.name in seats[d.role]),
        rejected_by=tuple(s.person.name for s in standing_rejects if s.person),
        own_work=tuple(sorted({p for people in seats.values() for p in people} & own)),
        not_counted=tuple(objections),
    )


def authorised(trusted: Trusted, want: str, *, ask: Ask, now: datetime) -> Standing:
    """Whether ledger entry `want` (a digest) may be followed at `now`; NotFound when there is none.

    For whoever serves: `ask` is the server's own, so who appends a wish cannot choose who had to agree. Policy and page
    are those that the cited approvals name; evidence, roles, authors and time are those of that point of the ledger. What
    was said since counts, too: rejects, approvals that expired, and people who left or lost role or key.
    """
    said = trusted.at(want)
    if said is None or not isinstance(claim := said.claim, Wanted):
        raise NotFound("no such wish in the ledger", value=want, next="lockgate ledger log")
    then = trusted.before(said.entry.seq)
    cited = [
        s.claim
        for s in then.said
        if s.person and s.entry.digest in claim.authorised_by and isinstance(s.claim, Decision)
    ]
    policy, page = (cited[0].policy, cited[0].page) if cited else ("", "")
    found = results(then.said, release=claim.release, policy=policy)
    uncertain = tuple(sorted(name for name, result in found.items() if result.verdict.outcome == "uncertain"))
    current = binding(then, release=claim.release, environment=claim.environment, policy=policy, page=page)
    stands = standing(then, current, ask=replace(ask, uncertain=uncertain), now=said.entry.time)
    counted = [s for s in then.said if s.entry.digest in stands.approvals]
    if not all(_still_counts(s, trusted, now) for s in counted):
        stands = replace(stands, roles=tuple(replace(r, people=()) for r in stands.roles))
    since = rejects(trusted.said, release=claim.release, environment=claim.environment)
    return replace(stands, rejected_by=tuple(s.person.name for s in since if s.person))


def _still_counts(said: Said, trusted: Trusted, now: datetime) -> bool:
    """Whether an approval that counted once is not expired, and its signer still holds key and role."""
    owner = trusted.people.by_key().get(said.entry.envelope.keyid)
    if not isinstance(said.claim, Decision) or owner is None:
        return False
    return now < said.claim.not_after and said.claim.role in owner[0].roles


def objection(
    decision: Decision, person: Person, *, trusted: Trusted, current: Binding, ask: Ask, time: datetime, now: datetime
) -> Objection | None:
    """The first reason why this person's approval, appended at `time`, does not count; None when it does.

    For `lockgate approve` before it signs (then `time` is `now`), and for every approval in the ledger.
    """
    for field, why in _reasons(decision, person, trusted=trusted, current=current, ask=ask, time=time, now=now):
        return Objection(field=field, why=why, person=person.name)
    return None


def _against(said: Said, trusted: Trusted, current: Binding, *, ask: Ask, now: datetime) -> Objection | None:
    if not isinstance(said.claim, Decision):
        return None
    if said.person is None:
        elsewhere = next(_elsewhere(said.claim, current), None)
        field, why = elsewhere or (said.field, said.why)
        return Objection(field=field, why=why, entry=said.entry.digest, person=said.entry.envelope.keyid)
    time = said.entry.time
    against = objection(said.claim, said.person, trusted=trusted, current=current, ask=ask, time=time, now=now)
    return replace(against, entry=said.entry.digest) if against else None


def _reasons(
    said: Decision, person: Person, *, trusted: Trusted, current: Binding, ask: Ask, time: datetime, now: datetime
) -> Iterator[tuple[str, str]]:
    """Every reason in the order in which they are told: what it is about, who, what it binds, when, how."""
    yield from _elsewhere(said, current)
    if said.decision != "approve":
        yield "decision", f"it says {said.decision!r}"
    yield from _about_person(said, person, ask)
    for field in BOUND:
        if getattr(said, field) != getattr(current, field):
            yield field, f"it binds {field} {short(getattr(said, field))}; now it is {short(getattr(current, field))}"
    yield from _about_time(said, trusted, ask, time=time, now=now)
    if said.accepted != ask.uncertain:
        accepted, uncertain = listed(said.accepted), listed(ask.uncertain)
        yield "accepted", f"it accepts the uncertain gates {accepted}; uncertain are {uncertain}"
    if not any(isinstance(s.claim, Proposed) and s.person and s.claim.release == current.release for s in trusted.said):
        yield "author", "nobody registered this release, so whose work it is is unknown"
    if ask.self_approval == "refused" and person.name in authors(trusted, current.release):
        yield "author", f"{person.name} is an author of this release or started its run"


def _elsewhere(said: Decision, current: Binding) -> Iterator[tuple[str, str]]:
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
    agreed = _agreed_time(trusted, now)
    valid_for = ask.valid_for(said.role)
    if agreed > now + SKEW:
        yield "clock", f"this machine's clock ({now:%F %T}) is behind that of the ledger ({agreed:%F %T})"
    if now >= said.not_after:
        yield "not_after", f"it expired at {said.not_after:%F %T %Z}"
    if valid_for is not None and said.not_after > time + valid_for + SKEW:
        yield "not_after", f"it would count until {said.not_after:%F %T %Z}, longer than the {valid_for} allowed"


def _agreed_time(trusted: Trusted, now: datetime) -> datetime:
    """The newest time that two signers agree has come, so that one wrong clock can stop nobody."""
    newest: dict[str, datetime] = {}
    for said in trusted.said:
        if said.person:
            newest[said.person.name] = max(said.entry.time, newest.get(said.person.name, said.entry.time))
    times = sorted(newest.values(), reverse=True)
    return times[1] if len(times) > 1 else next(iter(times), now)


def _seats(counted: Sequence[tuple[Said, Decision, Person]], ask: Ask, own: frozenset[str]) -> dict[str, list[str]]:
    """Role → people, each person in one role, as many roles filled as can be (augmenting paths).

    People who are not judging their own work are seated first, so own work is used only where it is needed.
    """
    offers: dict[str, set[str]] = {}
    for _, decision, person in counted:
        offers.setdefault(person.name, set()).add(decision.role)
    chairs = [(r.role, number) for r in ask.roles for number in range(r.need)]
    seated: dict[tuple[str, int], str] = {}

    def seat(name: str, tried: set[tuple[str, int]]) -> bool:
        for chair in chairs:
            if chair[0] in offers[name] and chair not in tried:
                tried.add(chair)
                if chair not in seated or seat(seated[chair], tried):
                    seated[chair] = name
                    return True
        return False

    standing_by = [name for name in sorted(offers, key=lambda name: name in own) if not seat(name, set())]
    seats = {r.role: [seated[chair] for chair in chairs if chair[0] == r.role and chair in seated] for r in ask.roles}
    for name in standing_by:
        if name not in own:
            seats[min(offers[name])].append(name)
    return seats
