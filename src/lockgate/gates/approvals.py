"""May this release go there: which approvals count, and the first field in which each other one differs.

Pure: facts in, `Standing` out; the clock is an argument. People are counted, never keys; one person fills one role.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lockgate.errors import NotFound
from lockgate.gates.authors import authors
from lockgate.gates.binding import binding, listed, results
from lockgate.gates.conditions import conditions_of
from lockgate.gates.glass import glass_in_force
from lockgate.gates.objections import Objection, agreed_time, behind, elsewhere, objection
from lockgate.gates.seats import seats
from lockgate.gates.waivers import SKEW
from lockgate.records.decisions import PLAN, Decision, Wanted
from lockgate.records.in_force import rejects, revoked, still_holds
from lockgate.records.trust import Said, Trusted
from lockgate.records.waivers import BrokeGlass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lockgate.gates.binding import Ask, Binding
    from lockgate.records.people import Person

__all__ = ["RoleStanding", "Standing", "authorised", "standing"]

ELSEWHERE: Final = frozenset({"release", "environment"})


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

    def words(self, role: str) -> str:
        """Who agreed in this role, and by what: their own signature, or a button at the forge."""
        people = next((r.people for r in self.roles if r.role == role), ())
        signed = [p for p in people if p not in self.attested]
        pressed = [p for p in people if p in self.attested]
        parts = [f"signed by {listed(signed)}"] if signed else []
        parts += [f"by a button at the forge: {listed(pressed)}"] if pressed else []
        return "; ".join(parts) + (" (own work, flagged)" if {*people} & {*self.own_work} else "")

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
    elif (agreed := agreed_time(trusted, now)) > now + SKEW:
        field, why = "clock", behind(agreed, now)
    else:
        return None
    return Objection(field=field, why=why, entry=said.entry.digest, person=name)


def _against(
    said: Said, trusted: Trusted, current: Binding, *, ask: Ask, now: datetime, gone: frozenset[str]
) -> Objection | None:
    if not isinstance(said.claim, Decision):
        return None
    if said.person is None:
        other = next(elsewhere(said.claim, current), None)
        field, why = other or (said.field, said.why)
        return Objection(field=field, why=why, entry=said.entry.digest, person=said.entry.envelope.keyid)
    time = said.entry.time
    against = objection(said.claim, said.person, trusted=trusted, current=current, ask=ask, time=time, now=now)
    if against is None and said.entry.digest in gone:
        against = Objection(field="revoked", why="it was revoked", person=said.person.name)
    unmet = [c for c in conditions_of(said, trusted, ask) if c.holds_back(now)]
    if against is None and unmet:
        against = Objection(field="conditions", why=f"not met yet: {unmet[0].text}", person=said.person.name)
    return replace(against, entry=said.entry.digest) if against else None
