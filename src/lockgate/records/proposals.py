"""Which releases were proposed, by whom and when: the entries of a ledger that say so and count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.records.decisions import Proposed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockgate.records.ledger import Entry
    from lockgate.records.people import Person
    from lockgate.records.trust import Said

__all__ = ["Proposal", "first_proposal", "proposals"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One entry by which a release exists. `person`: who signed it, as a rule the pipeline's machine."""

    entry: Entry
    claim: Proposed
    person: Person


def proposals(said: Iterable[Said]) -> Iterator[Proposal]:
    """Those that count, in the order given. A release may be proposed again by another pipeline."""
    for s in said:
        if s.person and isinstance(s.claim, Proposed):
            yield Proposal(s.entry, s.claim, s.person)


def first_proposal(said: Iterable[Said], release: str) -> Proposal | None:
    """The entry since which a release exists; None: nobody proposed it."""
    return next((p for p in proposals(said) if p.claim.release == release), None)
