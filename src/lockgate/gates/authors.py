"""Whose own work something is, so that nobody judges it alone; and what a page asks who signs under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.records.decisions import Proposed, Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from lockgate.records.trust import Trusted

__all__ = [
    "UNKNOWN_EDITORS",
    "authors",
    "editors_unknown",
    "policy_editors",
    "questions_of",
    "shown_since",
    "was_shown",
]

UNKNOWN_EDITORS: Final = "policy_editors_unknown"
"""In `extra` of `Shown`: why nobody can tell who edited the policy."""


def authors(trusted: Trusted, release: str) -> frozenset[str]:
    """The people whose own work this is: authors, who started the run, and who registered the release."""
    names: set[str] = set()
    for each in trusted.said:
        if each.person and isinstance(each.claim, Proposed) and each.claim.release == release:
            names.update((*each.claim.authors, each.claim.started_by, each.person.name))
    return _with_people(trusted, names)


def policy_editors(trusted: Trusted, page: str) -> frozenset[str]:
    """Who edited the policy that a page judges by since the one in force was signed, as the deliverer who signed the page says."""
    return _with_people(trusted, {n for shown in _pages(trusted, page) for n in shown.policy_editors})


def editors_unknown(trusted: Trusted, page: str) -> str:
    """Why nobody can tell who edited the policy that a page judges by; empty when git could."""
    said = [shown.extra.get(UNKNOWN_EDITORS) for shown in _pages(trusted, page)]
    return next((why for why in said if isinstance(why, str) and why), "")


def questions_of(trusted: Trusted, page: str) -> tuple[str, ...]:
    """The questions that a page asks who signs under it, as deliverers signed; who signs it again takes none away."""
    return tuple(dict.fromkeys(q for shown in _pages(trusted, page) for q in shown.questions))


def was_shown(trusted: Trusted, page: str, *, release: str, environment: str) -> bool:
    """Whether a deliverer signed that people see this page of this release before this environment (law 9)."""
    return any((s.release, s.environment) == (release, environment) for s in _pages(trusted, page))


def shown_since(trusted: Trusted, page: str, *, release: str, environment: str) -> datetime | None:
    """When a deliverer first signed so; None: nobody did."""
    found = (s.entry.time for s in trusted.said if s.person and isinstance(s.claim, Shown) and s.claim.page == page
             and (s.claim.release, s.claim.environment) == (release, environment))  # fmt: skip
    return min(found, default=None)


def _pages(trusted: Trusted, page: str) -> Iterator[Shown]:
    for said in trusted.said:
        if said.person and isinstance(said.claim, Shown) and said.claim.page == page:
            yield said.claim


def _with_people(trusted: Trusted, names: Iterable[str]) -> frozenset[str]:
    """The names, and those under which the register knows the same people."""
    known = set(names)
    return frozenset(known | {p.name for p in trusted.people.people if any(p.is_called(n) for n in known)})
