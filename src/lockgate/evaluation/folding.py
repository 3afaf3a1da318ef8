"""Groups that are too small to judge, or too many, are one remainder before anything is summed: a column of ids costs no memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_GROUPS", "Folded", "folded"]

MOST_GROUPS = 100
"""More groups than this of one column are no declared groups: each would be tested at less than five in ten thousand, and pairs
of groups grow with the square."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """The groups that are kept, by name; which of them each row has (`len(names)`: the remainder); and why others are not."""

    names: tuple[str, ...]
    group: NDArray[np.int64]
    left_out: Mapping[str, str]

    @property
    def cells(self) -> int:
        """The groups and the remainder."""
        return len(self.names) + 1


def folded(names: Sequence[str], group: NDArray[np.int64], *, min_n: int, always: Collection[str] = ()) -> Folded:
    """Keep the groups of at least `min_n` rows, of too many the largest, and those that are named in `always`.

    >>> found = folded(["a", "b", "c"], np.array([0, 0, 1, 2, 2]), min_n=2)
    >>> found.names, found.group.tolist(), dict(found.left_out)
    (('a', 'c'), [0, 0, 2, 1, 1], {'b': '1 row, fewer than 2'})
    """
    rows = np.bincount(group, minlength=len(names))
    large = np.flatnonzero(rows >= min_n)
    most = np.sort(large[np.argsort(-rows[large], kind="stable")][:MOST_GROUPS])
    named = [at for at, name in enumerate(names) if name in always] if always else []
    kept = sorted({*most.tolist(), *named})
    place = np.full(len(names), len(kept), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    left_out = {
        name: f"{n:,} row{'s' * (n != 1)}, fewer than {min_n:,}"
        if n < min_n
        else f"beyond the {MOST_GROUPS} largest groups"
        for name, n, at in zip(names, rows.tolist(), place.tolist(), strict=True)
        if at == len(kept)
    }
    return Folded(names=tuple(names[at] for at in kept), group=place[group], left_out=left_out)
