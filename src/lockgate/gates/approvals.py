"""May this release go there: which approvals count, and the first field in which each other one differs.

Pure: facts in, `Standing` out; the clock is an argument. People are counted, never keys; one person fills one role.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lockgate.errors import NotFound
from lockgate.gates.authors import authors, policy_editors, questions_of, was_shown
from lockgate.gates.binding import binding, listed, results
from lockgate.gates.conditions import conditions_of
from lockgate.gates.glass import glass_in_force
from lockgate.gates.seats import seats
from lockgate.gates.waivers import SKEW, standing_waivers
from lockgate.records.decisions import PLAN, Attested, Decision, GateResult, Proposed, Wanted, result_digest
from lockgate.records.digest import short
from lockgate.records.in_force import rejects, revoked, still_holds
from lockgate.records.trust import Said, Trusted
from lockgate.records.waivers import BrokeGlass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from lockgate.gates.binding import Ask, Binding
    from lockgate.records.people import Person

__all__ = ["Objection", "RoleStanding", "Standing", "authorised", "authors", "objection", "standing"]

BOUND: Final = ("policy", "people", "evidence", "page")
ELSEWHERE: Final = frozenset({"release", "environment"})


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
        attested: people who are counted by a forge's word, not by their own signature.
        not_counted: every other approval of this ledger, with its first reason.
        glass: who broke the glass, so that nobody else needs to agree; empty when nobody did.

    """

    roles: tuple[RoleStanding, ...]
    approvals: tuple[str, ...]
    rejected_by: tuple[str, ...]
    own_work: tuple[str, ...]
    attested: tuple[str, ...]
    not_counted: tuple[Objection, ...]
    glass: str = ""

    @property
    def agreed(self) -> bool:
        """Everybody who must agree does."""
        return all(len(r.people) >= r.need for r in self.roles)

    @property
    def granted(self) -> bool:
        """Everybody agrees, or somebody broke the glass; and nobody's reject stands."""
        return not self.rejected_by and (self.agreed or bool(self.glass))

    @property
    def four_eyes(self) -> bool:
        """Granted by people, none of whom approved their own work."""
        return self.granted and self.agreed and bool(self.approvals) and not self.own_work

    @property
    def words(self) -> str:
        """Who agreed, and by what: their own signature, or a button at the forge."""
        people = list(dict.fromkeys(p for r in self.roles for p in r.people))
        signed = [p for p in people if p not in self.attested]
        pressed = [p for p in people if p in self.attested]
        parts = [f"signed by {listed(signed)}"] if signed else []
        return "; ".join([*parts, *([f"by a button at the forge: {listed(pressed)}"] if pressed else [])])

    @property
    def missing(self) -> str:
        """What is still needed, in words; empty when granted."""
        if self.rejected_by:
            return "rejected by " + ", ".join(self.rejected_by)
        short_of = [f"{r.need - len(r.people)} more {r.role}" for r in self.roles if len(r.people) < r.need]
        near = [f"{o.person}'s approval does not count: {o.why}" for o in self.not_counted if o.field not in ELSEWHERE]
        return "; ".join([*short_of, *near]) if short_of else ""


def standing(
    trusted: Trusted, current: Binding, *, ask: Ask, now: datetime, gone: frozenset[str] | None = None
) -> Standing:
    """Count the people. `now` is the real clock; `gone`: entries that were revoked, by default before the ledger's end."""
    counted: list[tuple[Said, Decision, Person]] = []
    objections: list[Objection] = []
    gone = revoked(trusted, ask.exceptions.revokers) if gone is None else gone
    for said in trusted.said:
        if not isinstance(said.claim, Decision) or said.claim.decision == "reject":
            continue
        against = _against(said, trusted, current, ask=ask, now=now, gone=gone)
        if against:
            objections.append(against)
        elif said.person:
            counted.append((said, said.claim, said.person))
    own = authors(trusted, current.release)
    seated = _seated(counted, ask, own)
    glass = glass_in_force(trusted, release=current.release, policy=current.policy, ask=ask, now=now)
    glass = glass if glass and glass.entry.digest not in gone else None
    objections += _same_people(counted, seated, ask)
    standing_rejects = rejects(trusted.said, release=current.release, environment=current.environment)
    return Standing(
        roles=tuple(RoleStanding(role=r.role, need=r.need, people=tuple(seated[r.role])) for r in ask.roles),
        approvals=(
            *(s.entry.digest for s, d, p in counted if p.name in seated[d.role]),
            *([glass.entry.digest] if glass else []),
        ),
        rejected_by=tuple(s.person.name for s in standing_rejects if s.person),
        own_work=tuple(sorted({p for people in seated.values() for p in people} & own)),
        attested=tuple(sorted({p.name for s, d, p in counted if s.attester and p.name in seated[d.role]})),
        not_counted=tuple(objections),
        glass=glass.person.name if glass and glass.person else "",
    )


def _same_people(
    counted: Sequence[tuple[Said, Decision, Person]], seated: dict[str, list[str]], ask: Ask
) -> list[Objection]:
    """Where people are missing: who signed in two roles or with two keys, and is one person all the same."""
    if all(len(seated[r.role]) >= r.need for r in ask.roles):
        return []
    signed: dict[str, list[tuple[Said, str]]] = {}
    for said, decision, person in counted:
        signed.setdefault(person.name, []).append((said, decision.role))
    return [
        Objection(
            field="person", why=f"{name} signed {len(both)} times and is one person",
            entry=both[-1][0].entry.digest, person=name,
        )
        for name, both in signed.items()
        if len({(said.entry.envelope.keyid, role) for said, role in both}) > 1
    ]  # fmt: skip


def _seated(counted: Sequence[tuple[Said, Decision, Person]], ask: Ask, own: frozenset[str]) -> dict[str, list[str]]:
    offers: dict[str, set[str]] = {}
    for _, decision, person in counted:
        offers.setdefault(person.name, set()).add(decision.role)
    return seats(offers, [(r.role, r.need) for r in ask.roles], last=own)


def authorised(trusted: Trusted, want: str, *, ask: Ask, now: datetime, gone: frozenset[str] | None = None) -> Standing:
    """Whether ledger entry `want` (a digest) may be followed at `now`; NotFound when there is none.

    For whoever serves: `ask` is the server's own, so who appends a wish cannot choose who had to agree. Policy and page
    are those that the cited approvals name; evidence, roles, authors and time are those of that point of the ledger. What
    was said since counts, too: rejects, approvals that expired or were revoked (`gone`, by default in this ledger), and
    people who left or lost role or key.
    """
    said = trusted.at(want)
    if said is None or not isinstance(claim := said.claim, Wanted):
        raise NotFound("no such wish in the ledger", value=want, next="lockgate ledger log")
    then = trusted.before(said.entry.seq)
    cited = [
        s.claim
        for s in then.said
        if s.person and s.entry.digest in claim.authorised_by and isinstance(s.claim, Decision | BrokeGlass)
    ]
    policy = cited[0].policy if cited else ""
    page = next((c.page for c in cited if isinstance(c, Decision)), "")
    found = results(then.said, release=claim.release, policy=policy)
    uncertain = tuple(sorted(name for name, result in found.items() if result.verdict.outcome == "uncertain"))
    current = binding(
        then, release=claim.release, environment=claim.environment, policy=policy, page=page,
        plan=plan if isinstance(plan := claim.extra.get(PLAN), str) else "",
    )  # fmt: skip
    gone = revoked(trusted, ask.exceptions.revokers) if gone is None else gone
    stands = standing(then, current, ask=replace(ask, uncertain=uncertain), now=said.entry.time, gone=gone)
    counted = [s for s in then.said if s.entry.digest in stands.approvals]
    if lost := [o for s in counted if (o := _lost_since(s, trusted, ask, now))]:
        nobody = tuple(replace(r, people=()) for r in stands.roles)
        stands = replace(stands, roles=nobody, glass="", not_counted=(*stands.not_counted, *lost))
    since = rejects(trusted.said, release=claim.release, environment=claim.environment)
    return replace(stands, rejected_by=tuple(s.person.name for s in since if s.person))


def _lost_since(said: Said, trusted: Trusted, ask: Ask, now: datetime) -> Objection | None:
    """Why an approval that counted once does no more: it expired, a condition's day came, its signer lost key or role."""
    claim, name = said.claim, said.person.name if said.person else ""
    late = [c for c in conditions_of(said, trusted, ask) if c.holds_back(now)]
    if not isinstance(claim, Decision | BrokeGlass) or now >= claim.not_after:
        field, why = "not_after", f"{name}'s signature has expired"
    elif not still_holds(said, trusted, claim.role):
        field, why = "left", f"{name} does not hold the key or the role {claim.role} any more"
    elif late:
        field, why = "conditions", f"not met yet: {late[0].text}"
    elif (agreed := _agreed_time(trusted, now)) > now + SKEW:
        field, why = "clock", _behind(agreed, now)
    else:
        return None
    return Objection(field=field, why=why, entry=said.entry.digest, person=name)


def objection(
    decision: Decision, person: Person, *, trusted: Trusted, current: Binding, ask: Ask, time: datetime, now: datetime
) -> Objection | None:
    """The first reason why this person's approval, appended at `time`, does not count; None when it does.

    For `lockgate approve` before it signs (then `time` is `now`), and for every approval in the ledger.
    """
    for field, why in _reasons(decision, person, trusted=trusted, current=current, ask=ask, time=time, now=now):
        return Objection(field=field, why=why, person=person.name)
    return None


def _against(
    said: Said, trusted: Trusted, current: Binding, *, ask: Ask, now: datetime, gone: frozenset[str]
) -> Objection | None:
    if not isinstance(said.claim, Decision):
        return None
    if said.person is None:
        elsewhere = next(_elsewhere(said.claim, current), None)
        field, why = elsewhere or (said.field, said.why)
        return Objection(field=field, why=why, entry=said.entry.digest, person=said.entry.envelope.keyid)
    time = said.entry.time
    against = objection(said.claim, said.person, trusted=trusted, current=current, ask=ask, time=time, now=now)
    if against is None and said.entry.digest in gone:
        against = Objection(field="revoked", why="it was revoked", person=said.person.name)
    unmet = [c for c in conditions_of(said, trusted, ask) if c.holds_back(now)]
    if against is None and unmet:
        against = Objection(field="conditions", why=f"not met yet: {unmet[0].text}", person=said.person.name)
    return replace(against, entry=said.entry.digest) if against else None


def _reasons(
    said: Decision, person: Person, *, trusted: Trusted, current: Binding, ask: Ask, time: datetime, now: datetime
) -> Iterator[tuple[str, str]]:
    """Every reason in the order in which they are told: what it is about, who, what it binds, when, how."""
    yield from _elsewhere(said, current)
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
    if not any(isinstance(s.claim, Proposed) and s.person and s.claim.release == current.release for s in trusted.said):
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
    for since in trusted.said[said.log.size :]:
        claim = since.claim
        if not (since.person and isinstance(claim, GateResult) and claim.release == current.release):
            continue
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
        yield "clock", _behind(agreed, now)
    if now >= said.not_after:
        yield "not_after", f"it expired at {said.not_after:%F %T %Z}"
    if valid_for is not None and said.not_after - min(time, now) > valid_for + SKEW:
        yield "not_after", f"it would count until {said.not_after:%F %T %Z}, longer than the {valid_for} allowed"


def _behind(agreed: datetime, now: datetime) -> str:
    return f"this machine's clock ({now:%F %T}) is behind that of the ledger ({agreed:%F %T})"


def _agreed_time(trusted: Trusted, now: datetime) -> datetime:
    """The newest time that two signers agree has come, so that one wrong clock can stop nobody."""
    newest: dict[str, datetime] = {}
    for said in trusted.said:
        if said.person:
            newest[said.signer] = max(said.entry.time, newest.get(said.signer, said.entry.time))
    times = sorted(newest.values(), reverse=True)
    return times[1] if len(times) > 1 else next(iter(times), now)
