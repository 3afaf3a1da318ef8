"""How each column is spread within each group: whom the release saw little of, and which column tells a group's members.

A column in which groups lie far apart can stand for the group, so those come first; the rest nobody would read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.binning import Bins, bins_of, texts_of
from lockgate.evaluation.scored import Column
from lockgate.records.evidence import decimal
from lockgate.records.findings import PartName, Spread

__all__ = ["within_groups"]

MOST_COLUMNS = 8  # per column that groups rows, beside truth and answer
MOST_GROUPS = 12  # of which these columns are shown
FEW = 30  # rows, below which a group's distance says nothing
DRAWS = 200
SEED = 20261128

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
        Per column of `by`: truth and answer of every group, then the `MOST_COLUMNS` other columns by which its groups differ
        most in the holdout, of its `MOST_GROUPS` largest groups.
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
    largest = sorted(sorted(groups, key=lambda g: -len(groups[g]))[:MOST_GROUPS])
    known = {g: groups[g] for g in largest if len(groups[g]) >= FEW}
    bins = {c: found for c in (*told, *others) if (found := _bins(c, parts, members)) is not None}
    apart = {column: _apart(bins[column], holdout[column], known) for column in bins}
    widest = sorted((c for c in others if c in bins), key=lambda c: -apart[c])[:MOST_COLUMNS]
    for column, shown in [*((c, sorted(groups)) for c in told if c in bins), *((c, largest) for c in widest)]:
        for spread in _spreads(by, column, bins[column], groups=shown, parts=parts, members=members):
            yield replace(spread, apart=decimal(apart[column]))


def _bins(column: str, parts: Mapping[PartName, Columns], members: Mapping[PartName, object]) -> Bins | None:
    return bins_of([parts[name][column] for name in members if column in parts[name]])


def _members(by: Column) -> dict[str, Rows]:
    """Group → the positions of its rows."""
    names, which = np.unique(texts_of(by), return_inverse=True)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(names)))
    return dict(zip(names.tolist(), np.split(order, ends[:-1]), strict=True))


def _spreads(
    by: str, column: str, bins: Bins, *, groups: Sequence[str], parts: Mapping[PartName, Columns],
    members: Mapping[PartName, Mapping[str, Rows]],
) -> Iterator[Spread]:  # fmt: skip
    values: dict[PartName, Column] = {n: parts[n][column] for n in members if column in parts[n]}
    for group in groups:
        counted = tuple(bins.counted(name, some[members[name].get(group, NOBODY)]) for name, some in values.items())
        yield Spread(by=by, group=group, column=column, labels=bins.labels, parts=counted)


def _apart(bins: Bins, values: Column, groups: Mapping[str, Rows]) -> float:
    """How far the group lies from the others that lies farthest, above what chance reaches in 95 of 100 cases.

    The largest of several distances is large by chance alone, the more so in small groups: so each distance is taken less its
    mean, and their largest is held against the largest of `DRAWS` tables in which all groups are drawn from one distribution.
    """
    if len(groups) < 2:
        return 0.0
    parts = [bins.counted("holdout", values[rows]) for rows in groups.values()]
    counts = np.array([(*part.counts, part.missing) for part in parts], dtype=np.int64)
    sizes, share = counts.sum(axis=1), counts.sum(axis=0) / counts.sum()
    random = np.random.default_rng(SEED)
    drawn = _distances(np.stack([random.multinomial(n, share, size=DRAWS) for n in sizes], axis=1))
    usual = drawn.mean(axis=0)
    largest = float((_distances(counts[None])[0] - usual).max())
    return largest - float(np.quantile((drawn - usual).max(axis=1), 0.95))


def _distances(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Total variation of each group to all others together. Shape (tables, groups, bins) in, (tables, groups) out."""
    rest = counts.sum(axis=1, keepdims=True) - counts
    own, other = (side / side.sum(axis=2, keepdims=True) for side in (counts, rest))
    return np.abs(own - other).sum(axis=2) / 2
