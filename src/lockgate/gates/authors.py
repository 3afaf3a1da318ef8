"""Whose own work something is: nobody judges it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.decisions import Proposed, Shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.records.trust import Trusted

__all__ = ["authors", "policy_editors"]


def authors(trusted: Trusted, release: str) -> frozenset[str]:
    """The people whose own work this is: authors, who started the run, and who registered the release."""
    names: set[str] = set()
    for each in trusted.said:
        if each.person and isinstance(each.claim, Proposed) and each.claim.release == release:
            names.update((*each.claim.authors, each.claim.started_by, each.person.name))
    return _with_people(trusted, names)


def policy_editors(trusted: Trusted, page: str) -> frozenset[str]:
    """Who last changed the policy that a page judges by, as the deliverer who signed the page says."""
    claims = (s.claim for s in trusted.said if s.person and isinstance(s.claim, Shown))
    return _with_people(trusted, {n for c in claims if c.page == page for n in c.policy_editors})


def _with_people(trusted: Trusted, names: Iterable[str]) -> frozenset[str]:
    """The names, and those under which the register knows the same people."""
    known = set(names)
    return frozenset(known | {p.name for p in trusted.people.people if any(p.is_called(n) for n in known)})
