"""Conditions of approvals: what an approver asks for, and by whom and how it was met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from lockgate.gates.authors import authors
from lockgate.records.decisions import Decision
from lockgate.records.waivers import Condition, Met

if TYPE_CHECKING:
    from lockgate.gates.binding import Ask
    from lockgate.records.trust import Said, Trusted

__all__ = ["ConditionSet", "conditions", "conditions_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionSet:
    """A condition that an approver set. `how` is empty while it is not met."""

    entry: str
    text: str
    due: datetime | None
    set_by: str
    how: str = ""
    met_by: str = ""

    def holds_back(self, now: datetime) -> bool:
        """Whether the approval does not count for want of it."""
        return not self.how and (self.due is None or now >= self.due)


def conditions(trusted: Trusted, *, release: str, ask: Ask) -> tuple[ConditionSet, ...]:
    """The conditions of every approval of this release for `ask.environment`, oldest first, and by whom they were met."""
    found: list[ConditionSet] = []
    for said in trusted.said:
        claim = said.claim
        if isinstance(claim, Decision) and claim.decision == "approve" and said.person:
            if (claim.release, claim.environment) == (release, ask.environment):
                found += conditions_of(said, trusted, ask)
    return tuple(found)


def conditions_of(said: Said, trusted: Trusted, ask: Ask) -> tuple[ConditionSet, ...]:
    """The conditions of one approval."""
    claim, person = said.claim, said.person
    if not isinstance(claim, Decision) or person is None or not claim.conditions:
        return ()
    own = authors(trusted, claim.release) if ask.self_approval == "refused" else frozenset[str]()
    return tuple(_with_answer(said, person.name, claim, c, trusted, own) for c in claim.conditions)


def _with_answer(
    said: Said, by: str, claim: Decision, condition: Condition, trusted: Trusted, own: frozenset[str]
) -> ConditionSet:
    """Met by who set it, or by another person in the same role; never by an author."""
    made = ConditionSet(entry=said.entry.digest, text=condition.text, due=condition.due, set_by=by)
    for other in trusted.said:
        met, person = other.claim, other.person
        if not (isinstance(met, Met) and person and person.kind == "person" and met.how.strip()):
            continue
        may = person.name == by or (met.role == claim.role and met.role in person.roles)
        if may and person.name not in own and (met.entry, met.condition) == (said.entry.digest, condition.text):
            made = replace(made, how=met.how, met_by=person.name)
    return made
