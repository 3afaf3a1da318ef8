"""Which rows of two tables are the same, by the columns that name them? Ten million rows in seconds.

A row's name becomes one whole number, which is compared as fast as numbers are; texts are looked at a part at a time, so that
they are never all there as Python objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_among", "numbered", "seen_before", "told_apart", "where_in"]

Column = NDArray[Any]
Numbers = NDArray[np.int64]
AT_ONCE = 500_000  # cells that are Python objects at the same time
LARGEST = 2**62


def numbered(
    *tables: Sequence[Column], cells: Callable[[Column], Sequence[object]] | None = None
) -> tuple[Numbers, ...]:
    """One number per row of each table: two rows have the same one exactly when all their cells are equal.

    A null equals a null, as a field may be left out of a request. A date equals its ISO text.

    Args:
        tables: of each the columns that name a row, in the same order.
        cells: how texts are compared, when not as they are; called with a part of a column at a time.

    >>> ours, theirs = numbered([np.array(["a", "b", "a"]), np.array([1, 1, 2])], [np.array(["a", "c"]), np.array([2, 1])])
    >>> ours.tolist() == [theirs[0], theirs[0], theirs[0]], bool(ours[2] == theirs[0]), len(set(ours.tolist()))
    (False, True, 3)
    """
    lengths = [len(table[0]) for table in tables]
    found, size = np.zeros(sum(lengths), dtype=np.int64), 1
    for columns in zip(*tables, strict=True):
        more, distinct = _by_value(columns) if _one_kind(columns) else _by_cell(columns, cells)
        if size * distinct > LARGEST:
            used, found = np.unique(found, return_inverse=True)
            size = len(used)
        found *= distinct
        found += more
        size *= distinct
    return tuple(np.split(found, np.cumsum(lengths)[:-1]))


def is_among(ours: Numbers, theirs: Numbers) -> NDArray[np.bool_]:
    """Which of our rows are in the other table, too.

    >>> is_among(np.array([3, 1, 3]), np.array([4, 3])).tolist()
    [True, False, True]
    """
    if not len(theirs):
        return np.zeros(len(ours), dtype=np.bool_)
    order, known = np.argsort(ours), np.sort(theirs)
    asked = ours[order]  # in order: looking up at random among ten million waits for memory
    place = np.searchsorted(known, asked).clip(max=len(known) - 1)
    among = np.zeros(len(ours), dtype=np.bool_)
    among[order] = known[place] == asked
    return among


def seen_before(numbers: Numbers) -> NDArray[np.bool_]:
    """Rows that an earlier row has the name of.

    >>> seen_before(np.array([5, 7, 5, 5])).tolist()
    [False, False, True, True]
    """
    again = np.ones(len(numbers), dtype=np.bool_)
    again[np.unique(numbers, return_index=True)[1]] = False
    return again


def where_in(ours: Numbers, theirs: Numbers) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the rows that both have, in our order: in ours, and in theirs. No number may occur twice in either.

    >>> [at.tolist() for at in where_in(np.array([3, 1, 2]), np.array([2, 4, 3]))]
    [[0, 2], [2, 0]]
    """
    order = np.argsort(theirs, kind="stable")
    place = np.searchsorted(theirs, ours, sorter=order)
    place[place == len(theirs)] = 0
    both = theirs[order[place]] == ours if len(theirs) else np.zeros(len(ours), dtype=np.bool_)
    return np.flatnonzero(both), order[place[both]]


def _one_kind(columns: Sequence[Column]) -> bool:
    """Numbers of one kind, or dates of one unit: then sorting tells them apart."""
    kinds = {c.dtype.kind for c in columns}
    return len(kinds) == 1 and (kinds <= set("bfiu") or (kinds == {"M"} and len({c.dtype for c in columns}) == 1))


def _by_value(columns: Sequence[Column]) -> tuple[Numbers, int]:
    distinct = np.unique(np.concatenate(columns))  # nulls are one, and come last
    return np.concatenate([np.searchsorted(distinct, c) for c in columns]), max(1, len(distinct))


def _by_cell(columns: Sequence[Column], cells: Callable[[Column], Sequence[object]] | None) -> tuple[Numbers, int]:
    seen, which = told_apart(columns, cells)
    return which, max(1, len(seen))


def told_apart(
    columns: Sequence[Column], cells: Callable[[Column], Sequence[object]] | None = None
) -> tuple[list[object], Numbers]:
    """The distinct cells in the order in which they come, and which of them each row has, column after column.

    >>> told_apart([np.array(["b", "a", "b"])])[1].tolist()
    [0, 1, 0]
    """
    seen: defaultdict[object, int] = defaultdict(count().__next__)  # all in C: sorting texts takes ten times as long
    read = cells or _as_they_are
    numbers = [
        np.fromiter(map(seen.__getitem__, read(part)), np.int64, len(part))
        for column in columns
        for part in _parts(column)
    ]
    return list(seen), np.concatenate(numbers or [np.zeros(0, dtype=np.int64)])


def _parts(column: Column) -> Iterator[Column]:
    return (column[start : start + AT_ONCE] for start in range(0, len(column), AT_ONCE))


def _as_they_are(part: Column) -> Sequence[object]:
    if part.dtype.kind == "M":
        return np.datetime_as_string(part).tolist()
    found: list[Any] = part.tolist()
    return found if part.dtype.kind == "U" else [None if cell != cell else cell for cell in found]
