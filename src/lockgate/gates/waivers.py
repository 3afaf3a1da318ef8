"""Waivers: who lets which failed result pass, until when, and what keeps a waiver from standing. A fold over the ledger.

A waiver never edits a result: the gate stays failed, and passes only while the waiver stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from lockgate.gates.authors import authors
from lockgate.gates.binding import results
from lockgate.gates.exceptions import duration
from lockgate.gates.seats import seats
from lockgate.gates.since import never_otherwise
from lockgate.records.decisions import result_digest
from lockgate.records.in_force import revoked, still_holds
from lockgate.records.waivers import Waived

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.gates.binding import Ask
    from lockgate.records.trust import Said, Trusted

__all__ = ["SKEW", "Waiver", "standing_waivers", "waivers"]

SKEW: Final = timedelta(minutes=5)  # how far clocks of honest machines may lie apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A failed result that somebody wants to let pass, with everybody who signed for that.

    Attributes:
        result: digest of the gate result. control: what is done instead. owner: who answers for it.
        signers: (role, person), in the order of their signatures.
        wrote: who signed these words first, whether or not that signature counts.
        entries: digests of their ledger entries.
        field, why: what keeps it from standing; both empty when it stands.
    """

    gate: str
    release: str
    environment: str
    result: str
    reason: str
    control: str
    owner: str
    not_after: datetime
    signers: tuple[tuple[str, str], ...]
    entries: tuple[str, ...]
    wrote: str = ""
    field: str = ""
    why: str = ""

    @property
    def stands(self) -> bool:
        """Signed by all who must, about the present result, and not over."""
        return not self.field


def standing_waivers(
    trusted: Trusted, *, release: str, policy: str, ask: Ask, now: datetime | None, gone: frozenset[str] | None = None
) -> Mapping[str, Waiver]:
    """Gate → the waiver that lets its failed result pass. Arguments as of `waivers`."""
    found = waivers(trusted, release=release, policy=policy, ask=ask, now=now, gone=gone)
    return {w.gate: w for w in found if w.stands}


def waivers(
    trusted: Trusted, *, release: str, policy: str, ask: Ask, now: datetime | None, gone: frozenset[str] | None = None
) -> tuple[Waiver, ...]:
    """Every waiver that anybody wants for this release, oldest first, each with what keeps it from standing.

    Args:
        policy: digest of the policy that the gates were judged under. ask: of the environment.
        now: None when it is not asked whether they are over. gone: entries that were revoked, by default in this ledger.
    """
    same: dict[str, list[Said]] = {}
    for said in trusted.said:
        if isinstance(said.claim, Waived) and said.claim.release == release:
            same.setdefault(said.claim.text, []).append(said)
    own = authors(trusted, release) if ask.self_approval == "refused" else frozenset[str]()
    gone = revoked(trusted, ask.exceptions.revokers) if gone is None else gone
    found: list[Waiver] = []
    for saids in same.values():
        objections = [(s, next(_against_signature(s, trusted, ask, own, gone, now), None)) for s in saids]
        wrote = next((s.person.name for s in saids if s.person), "")
        made = _made([s for s, against in objections if against is None], saids[0], wrote)
        against = next(_against_waiver(made, trusted, policy, ask), None)
        against = against or _short_of_signers(made, ask, [a for _, a in objections if a]) or _over(made, now)
        found.append(replace(made, field=against[0], why=against[1]) if against else made)
    return tuple(found)


def _made(signed: list[Said], first: Said, wrote: str) -> Waiver:
    claim = first.claim
    assert isinstance(claim, Waived)
    signers = [(s.claim.role, s.person.name) for s in signed if s.person and isinstance(s.claim, Waived)]
    return Waiver(
        gate=claim.gate, release=claim.release, environment=claim.environment, result=claim.result, reason=claim.reason,
        control=claim.control, owner=claim.owner, not_after=claim.not_after, signers=tuple(dict.fromkeys(signers)),
        entries=tuple(s.entry.digest for s in signed), wrote=wrote,
    )  # fmt: skip


def _against_signature(
    said: Said, trusted: Trusted, ask: Ask, own: frozenset[str], gone: frozenset[str], now: datetime | None
) -> Iterator[tuple[str, str]]:
    """Why one signature under a waiver does not count."""
    claim, person, rules = said.claim, said.person, ask.exceptions.waivers
    if person is None or not isinstance(claim, Waived):
        yield said.field, said.why
        return
    if person.kind != "person":
        yield "kind", f"{person.name} is a machine; only a person waives"
    if claim.role not in person.roles or claim.role not in rules.need:
        yield "role", f"{person.name} signed as {claim.role}, which they did not hold or nobody asks"
    if person.name in own:
        yield "author", f"{person.name} is an author of this release or started its run"
    if said.entry.digest in gone:
        yield "revoked", f"{person.name}'s signature was revoked"
    if claim.not_after - min(said.entry.time, now or said.entry.time) > duration(rules.longest) + SKEW:
        yield "not_after", f"it would stand until {claim.not_after:%F %T} UTC, longer than the {rules.longest} allowed"
    if not still_holds(said, trusted, claim.role):
        yield "left", f"{person.name} does not hold the key or the role {claim.role} any more"
    if not never_otherwise(trusted, claim.release, claim.log, {claim.gate: claim.result}):
        yield "result", f"since {person.name} signed {claim.gate} said something else, or was judged by another policy"


def _against_waiver(made: Waiver, trusted: Trusted, policy: str, ask: Ask) -> Iterator[tuple[str, str]]:
    """Why what the waiver is about cannot be waived."""
    present = results(trusted.said, release=made.release, policy=policy).get(made.gate)
    if made.gate in ask.exceptions.waivers.never:
        yield "never", f"the policy lets nobody waive {made.gate}"
    if made.environment not in ask.onward:
        yield "environment", f"it is for {made.environment}, not as far as {ask.environment}"
    if present is None or result_digest(present) != made.result:
        yield "result", f"{made.gate} has another result by now"
    elif present.verdict.outcome != "fail":
        yield "outcome", f"{made.gate} says {present.verdict.outcome}; only a failed gate is waived"


def _short_of_signers(made: Waiver, ask: Ask, others: list[tuple[str, str]]) -> tuple[str, str] | None:
    need = ask.exceptions.waivers.need
    offers: dict[str, set[str]] = {}
    for role, name in made.signers:
        offers.setdefault(name, set()).add(role)
    seated = seats(offers, list(need.items()))
    missing = [f"{n - len(seated[role])} more {role}" for role, n in need.items() if len(seated[role]) < n]
    if need and not missing:
        return None
    if others:
        return others[0]
    return "signers", "; ".join(missing) or "the policy has no [waivers] need: nobody may waive"


def _over(made: Waiver, now: datetime | None) -> tuple[str, str] | None:
    if now is None or now < made.not_after:
        return None
    return "not_after", f"it was over at {made.not_after:%F %T} UTC"
