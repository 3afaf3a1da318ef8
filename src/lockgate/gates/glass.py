"""Broken glass: one person lets a release in at once; it is flagged for ever, and a review stays open until it is closed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from lockgate.gates.binding import results
from lockgate.gates.exceptions import duration
from lockgate.gates.since import judged_otherwise, never_otherwise
from lockgate.gates.waivers import SKEW
from lockgate.records.decisions import result_digest
from lockgate.records.digest import short
from lockgate.records.in_force import revoked
from lockgate.records.waivers import BrokeGlass, Reviewed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.gates.binding import Ask
    from lockgate.records.trust import Said, Trusted

__all__ = ["Glass", "against_glass", "against_review", "broken_glass", "glass_in_force"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glass:
    """One time that somebody broke the glass. It is shown for ever; `finding` is empty while the review is open."""

    entry: str
    release: str
    environment: str
    by: str
    role: str
    reason: str
    gates: tuple[str, ...]
    at: datetime
    not_after: datetime
    finding: str = ""
    reviewed_by: str = ""
    reviewed_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Nobody has closed the review yet."""
        return not self.finding


def glass_in_force(trusted: Trusted, *, release: str, policy: str, ask: Ask, now: datetime) -> Said | None:
    """The newest broken glass that lets this release into `ask.environment` now."""
    return next((s for s in reversed(trusted.said) if not against_glass(s, trusted, release, policy, ask, now)), None)


def against_glass(
    said: Said, trusted: Trusted, release: str, policy: str, ask: Ask, now: datetime
) -> tuple[str, str] | None:
    """The first field that keeps an entry from letting this release in without everybody's approval, and the sentence."""
    return next(_against_glass(said, trusted, release, policy, ask, now), None)


def _against_glass(
    said: Said, trusted: Trusted, release: str, policy: str, ask: Ask, now: datetime
) -> Iterator[tuple[str, str]]:
    claim, person, rules = said.claim, said.person, ask.exceptions.break_glass
    if not isinstance(claim, BrokeGlass):
        yield "statement", "it breaks no glass"
        return
    if person is None:
        yield said.field, said.why
        return
    for field, bound, current in (
        ("release", claim.release, release), ("environment", claim.environment, ask.environment),
        ("policy", claim.policy, policy), ("people", claim.people, trusted.people.digest),
    ):  # fmt: skip
        if bound != current:
            yield field, f"it is for another {field}"
    if person.kind != "person":
        yield "kind", f"{person.name} is a machine; only a person breaks the glass"
    if claim.role not in person.roles or claim.role not in rules.roles:
        yield "role", f"{person.name} may not break the glass as {claim.role}"
    if not claim.reason.strip():
        yield "reason", "it gives no reason"
    if now >= claim.not_after:
        yield "not_after", f"it was over at {claim.not_after:%F %T} UTC"
    if claim.not_after - min(said.entry.time, now) > duration(rules.lasts) + SKEW:
        yield "not_after", f"it would count until {claim.not_after:%F %T} UTC, longer than the {rules.lasts} allowed"
    if said.entry.digest in revoked(trusted, ask.exceptions.revokers):
        yield "revoked", "it was revoked"
    if other := judged_otherwise(trusted, release, claim.log, policy=policy):
        yield "policy", f"since then this release was judged by policy {short(other)}"
    if ask.uncertain:
        present = {g: result_digest(r) for g, r in results(trusted.said, release=release, policy=policy).items()}
        covered = never_otherwise(trusted, release, claim.log, claim.results)
        if uncovered := [g for g in ask.uncertain if covered.get(g, "") != present.get(g)]:
            yield "results", f"it does not name {', '.join(uncovered)} with its present result"


def broken_glass(trusted: Trusted, *, ask: Ask) -> tuple[Glass, ...]:
    """Every time a person who held the role broke the glass, oldest first, with its review. Nothing takes it away."""
    found: dict[str, Glass] = {}
    for said in trusted.said:
        claim, person = said.claim, said.person
        if person is None or person.kind != "person":
            continue
        if isinstance(claim, BrokeGlass) and claim.role in person.roles:
            found[said.entry.digest] = Glass(
                entry=said.entry.digest, release=claim.release, environment=claim.environment, by=person.name,
                role=claim.role, reason=claim.reason, gates=tuple(sorted(claim.results)), at=said.entry.time,
                not_after=claim.not_after,
            )  # fmt: skip
        elif isinstance(claim, Reviewed) and (glass := found.get(claim.entry)) and not against_review(said, glass, ask):
            found[claim.entry] = replace(
                glass, finding=claim.finding, reviewed_by=person.name, reviewed_at=said.entry.time
            )
    return tuple(found.values())


def against_review(said: Said, glass: Glass, ask: Ask) -> tuple[str, str] | None:
    """Why an entry does not close the review of broken glass; None when it does."""
    claim, person, rules = said.claim, said.person, ask.exceptions.break_glass
    if person is None or not isinstance(claim, Reviewed):
        return said.field or "statement", said.why
    if claim.role not in person.roles or claim.role not in rules.review or person.kind != "person":
        return "role", f"{person.name} may not review as {claim.role}"
    if person.name == glass.by and ask.self_approval == "refused":
        return "author", f"{person.name} broke the glass; somebody else reviews it"
    return None if claim.finding.strip() else ("finding", "it says nothing about what was found")
