"""Which releases were proposed, by whom and when: the entries of a ledger that say so and count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lockgate.records.decisions import Proposed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockgate.records.ledger import Entry
    from lockgate.records.people import Person
    from lockgate.records.trust import Said

__all__ = ["LONGEST_NOTE", "NOTE", "TITLE", "Proposal", "first_proposal", "proposals", "words_of"]

NOTE: Final = "note"
"""In `extra` of a proposal: why the release was made, in the words of who started the run."""

TITLE: Final = "title"
"""In `extra` of a proposal by a job of a forge: the title of its commit, in the words of whoever committed."""

LONGEST_NOTE: Final = 1_000
"""Characters; who decides has minutes."""


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


def words_of(claim: Proposed, name: str) -> str:
    """A text in a proposal's `extra`, such as `NOTE`, cut to `LONGEST_NOTE`; "" for anything that is no text."""
    said = claim.extra.get(name)
    return said.encode("utf-8", "replace").decode().strip()[:LONGEST_NOTE] if isinstance(said, str) else ""
