"""Who sits where: people are counted, never keys; one person fills one role."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["seats"]


def seats(
    offers: Mapping[str, Collection[str]], asked: Sequence[tuple[str, int]], *, last: Collection[str] = ()
) -> dict[str, list[str]]:
    """Role → people, each person in one role, as many roles filled as can be (augmenting paths).

    Args:
        offers: person → the roles they signed in. asked: role and how many people it needs.
        last: people who are seated only where nobody else fills the chair: own work.

    >>> seats({"pat": {"risk", "owner"}, "pia": {"owner"}}, [("owner", 1), ("risk", 1)])
    {'owner': ['pia'], 'risk': ['pat']}
    """
    chairs = [(role, number) for role, need in asked for number in range(need)]
    seated: dict[tuple[str, int], str] = {}

    def seat(name: str, tried: set[tuple[str, int]]) -> bool:
        for chair in chairs:
            if chair[0] in offers[name] and chair not in tried:
                tried.add(chair)
                if chair not in seated or seat(seated[chair], tried):
                    seated[chair] = name
                    return True
        return False

    standing_by = [name for name in sorted(offers, key=lambda name: name in last) if not seat(name, set())]
    found = {role: [seated[c] for c in chairs if c[0] == role and c in seated] for role, _ in asked}
    for name in standing_by:
        if name not in last:
            found[min(offers[name])].append(name)
    return found
