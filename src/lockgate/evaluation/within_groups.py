"""How each column is spread within each group: whom the release saw little of, and which column tells a group's members.

A column in which groups lie far apart can stand for the group, so those come first; the rest nobody would read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.binning import bins_of, shift_between, texts_of
from lockgate.evaluation.scored import Column
from lockgate.records.evidence import decimal
from lockgate.records.findings import PartName, Spread

__all__ = ["within_groups"]

WIDEST = 8  # columns per column that groups rows, beside truth and answer
LARGEST = 12  # groups of which these columns are shown

Columns = Mapping[str, Column]
Rows = NDArray[np.int64]
NOBODY: Rows = np.array([], dtype=np.int64)


def within_groups(roles: Mapping[str, str], parts: Mapping[PartName, Columns], by: Sequence[str]) -> tuple[Spread, ...]:
    """Count columns within groups, in the same bins for every group and every set of rows.

    Args:
        roles: column → what it is (`truth`, `answer`, …), in the order in which it is shown.
        parts: set of rows → its columns. The holdout is there; another may lack a column, so has no part of it.
        by: columns that group rows; one that the holdout lacks is passed over.

    Returns:
        Per column of `by`: truth and answer of every group, then the `WIDEST` other columns by which its groups differ most
        in the holdout, of its `LARGEST` groups.
    """
    return tuple(spread for one in by if one in parts["holdout"] for spread in _of(one, roles, parts))


def _of(by: str, roles: Mapping[str, str], parts: Mapping[PartName, Columns]) -> Iterator[Spread]:
    holdout = parts["holdout"]
    members: dict[PartName, dict[str, Rows]] = {
        name: _members(columns[by]) for name, columns in parts.items() if by in columns
    }
    groups = members["holdout"]
    told = [c for c, role in roles.items() if role in ("truth", "answer")]
    others = [c for c, role in roles.items() if role not in ("truth", "answer") and c != by]
    apart = {column: _apart(holdout[column], groups) for column in (*told, *others)}
    widest = sorted(others, key=lambda c: -apart[c])[:WIDEST]
    largest = sorted(sorted(groups, key=lambda g: -len(groups[g]))[:LARGEST])
    for column, shown in [*((c, sorted(groups)) for c in told), *((c, largest) for c in widest)]:
        for spread in _spreads(by, column, groups=shown, parts=parts, members=members):
            yield replace(spread, apart=decimal(apart[column]))


def _members(by: Column) -> dict[str, Rows]:
    """Group → the positions of its rows."""
    names, which = np.unique(texts_of(by), return_inverse=True)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(names)))
    return dict(zip(names.tolist(), np.split(order, ends[:-1]), strict=True))


def _spreads(
    by: str, column: str, *, groups: Sequence[str], parts: Mapping[PartName, Columns],
    members: Mapping[PartName, Mapping[str, Rows]],
) -> Iterator[Spread]:  # fmt: skip
    values: dict[PartName, Column] = {n: parts[n][column] for n in members if column in parts[n]}
    if (bins := bins_of(list(values.values()))) is None:
        return
    for group in groups:
        counted = tuple(bins.counted(name, some[members[name].get(group, NOBODY)]) for name, some in values.items())
        yield Spread(by=by, group=group, column=column, labels=bins.labels, parts=counted)


def _apart(values: Column, groups: Mapping[str, Rows]) -> float:
    """How far the group lies from all other rows that lies farthest: the share that would have to move, less chance's."""
    bins = bins_of([values])
    if bins is None or len(groups) < 2:
        return 0.0
    counts = [np.array(bins.counted("holdout", values[rows]).counts) for rows in groups.values()]
    whole = np.sum(counts, axis=0)
    return max(_beyond(inside, whole - inside) for inside in counts)


def _beyond(inside: NDArray[np.int64], outside: NDArray[np.int64]) -> float:
    n, m = int(inside.sum()), int(outside.sum())
    return shift_between(inside.tolist(), outside.tolist()) - _by_chance(inside + outside, n, m) if n and m else 0.0


def _by_chance(counts: NDArray[np.int64], n: int, m: int) -> float:
    """The distance to expect of two samples of one distribution: half the sum of the means of folded normals.

    >>> round(_by_chance(np.array([50, 50]), 20, 80), 4)
    0.0997
    """
    share = counts / counts.sum()
    return float(np.sqrt(share * (1 - share)).sum()) * sqrt(2 / pi * (1 / n + 1 / m)) / 2
