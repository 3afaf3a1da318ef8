"""Is anybody served much worse than the rest? A metric per group, and how far the worst is from the best.

Picking the worst of many groups exaggerates. So intervals are joint: one draw of blocks for all groups, and the
largest studentized deviation over all of them (max-t: Romano and Wolf 2005) sets the width. With the promised
frequency *all* groups' intervals, and separately all pairs' ratios, hold at once; the worst and the best may
then be picked freely. Groups too small to judge are listed with the reason, never dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.blocks import LEAST_BLOCKS, Blocks, blocks_of
from lockgate.evaluation.folding import Folded, folded
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import Metric
from lockgate.evaluation.resampling import (
    REPLICATES,
    SEED,
    Resamples,
    over_blocks,
    resample,
)
from lockgate.evaluation.scored import Scored, Unit

__all__ = ["Group", "Slices", "slice_by"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows where column `by` has the value `name`."""

    by: str
    name: str
    metric: Interval

    def __str__(self) -> str:
        return f"{self.by} = {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """All groups that could be judged, worst first, and the widest ratio between two groups of one column.

    Attributes:
        worst_over_best: at least 1, however the metric is oriented; NaN with a reason when no two groups compare.
        worst, best: the pair with that ratio.
        not_assessed: each group or column that could not be judged, with the reason.
    """

    groups: tuple[Group, ...]
    worst_over_best: Interval
    worst: Group | None
    best: Group | None
    not_assessed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tally:
    """One group before it is judged: its sums per block, rows and blocks; `unit` is what a block is."""

    by: str
    name: str
    n: int
    blocks: int
    unit: Unit
    sums: NDArray[np.float64]


def slice_by(
    scored: Scored, columns: Sequence[str], *, metric: Metric, min_n: int = 200, min_days: int = LEAST_BLOCKS,
    level: float = 0.95, replicates: int = REPLICATES, seed: int = SEED,
) -> Slices:  # fmt: skip
    """Judge every group of every column; groups of different columns are never compared with each other.

    Rows must be free of nulls in what the metric reads (see `Scored.complaint`); a null group is a group.
    `min_days` holds for clusters, too, where these are resampled; for single rows `min_n` is all that counts.
    """
    terms = metric.rows(scored)
    groups_of = {column: scored.groups(column) for column in dict.fromkeys(columns)}
    cells = {column: folded(names.tolist(), cell, min_n=min_n) for column, (names, cell) in groups_of.items()}
    blocks = blocks_of(scored, *terms, *(fold.group for fold in cells.values()))
    tallies = list[_Tally]()
    not_assessed = list[str]()
    for column, fold in cells.items():
        found = _tallies(blocks, terms, column, fold)
        reasons = {**fold.left_out, **{tally.name: why for tally in found if (why := _too_small(tally, min_days))}}
        kept = [tally for tally in found if tally.name not in reasons]
        not_assessed += [f"{column} = {name}: {reasons[name]}" for name in sorted(reasons)]
        if len(kept) < 2:
            not_assessed.append(f"{column}: {'only one group' if kept else 'no group'} to judge, nothing to compare")
        tallies += kept
    if not tallies:
        nothing = _no_ratio(level, "no group can be judged")
        return Slices(groups=(), worst_over_best=nothing, worst=None, best=None, not_assessed=tuple(not_assessed))
    over = over_blocks(
        blocks, np.stack([t.sums[:, 0] for t in tallies], axis=1), np.stack([t.sums[:, 1] for t in tallies], axis=1),
        n=np.array([t.n for t in tallies]), power=metric.power, bounds=metric.bounds,
    )  # fmt: skip
    pairs = [(i, j) for i, j in combinations(range(len(tallies)), 2) if tallies[i].by == tallies[j].by]
    drawn = resample(over, pairs, joint=True, replicates=replicates, seed=seed)
    groups = [Group(by=t.by, name=t.name, metric=drawn.interval(i, level=level)) for i, t in enumerate(tallies)]
    ratio, worst, best = _widest(drawn, groups, metric, level)
    sign = -1 if metric.better == "higher" else 1
    ranked = sorted(groups, key=lambda g: (-sign * g.metric.value, g.by, g.name))
    return Slices(groups=tuple(ranked), worst_over_best=ratio, worst=worst, best=best, not_assessed=tuple(not_assessed))


def _tallies(blocks: Blocks, terms: Sequence[NDArray[np.float64]], column: str, fold: Folded) -> list[_Tally]:
    sums = blocks.sums([*terms, np.ones_like(terms[0])], fold.group, fold.cells)
    rows = blocks.total(sums[:, :, 2])
    seen = (sums[:, :, 2] > 0).sum(0)
    return [
        _Tally(by=column, name=name, n=int(rows[i]), blocks=int(seen[i]), unit=blocks.unit, sums=sums[:, i])
        for i, name in enumerate(fold.names)
    ]


def _too_small(tally: _Tally, min_blocks: int) -> str:
    if tally.unit != "row" and tally.blocks < min_blocks:
        return f"rows on {tally.blocks} {tally.unit}{'s' * (tally.blocks != 1)}, fewer than {min_blocks}"
    if not tally.sums[:, 1].sum() > 0:
        return f"undefined on its {tally.n:,} rows, as nothing happened there"
    return ""


def _widest(
    drawn: Resamples, groups: Sequence[Group], metric: Metric, level: float
) -> tuple[Interval, Group | None, Group | None]:
    """The largest ratio of two groups. Jointly, the true largest lies between the largest bounds of all pairs."""
    if not len(drawn.pairs):
        return _no_ratio(level, "no two groups of one column can be compared"), None, None
    values = drawn.ratios.values()
    if not (values > 0).all():
        zero = groups[int(np.argmin(values))]
        return _no_ratio(level, f"{zero} has a value of zero, so ratios are undefined"), None, None
    spans = [_span(drawn, which, level) for which in range(len(drawn.pairs))]
    ratios = np.abs(np.log(values[drawn.pairs[:, 0]]) - np.log(values[drawn.pairs[:, 1]]))
    at = int(np.argmax(ratios))
    first, second = groups[int(drawn.pairs[at, 0])], groups[int(drawn.pairs[at, 1])]
    first_is_worse = (first.metric.value > second.metric.value) != (metric.better == "higher")
    low, high = max(low for low, _ in spans), max(high for _, high in spans)
    n = sum(int(n) for n in drawn.ratios.n[np.unique(drawn.pairs[at])])
    interval = drawn.as_interval(float(np.exp(ratios[at])), low, high, n=n, level=level)
    return interval, *((first, second) if first_is_worse else (second, first))


def _span(drawn: Resamples, which: int, level: float) -> tuple[float, float]:
    """How unequal a pair surely is, and how unequal it may be, as ratios of at least 1.

    Off the log scale (shares) it is the ratio of the two groups' joint bounds.
    """
    if drawn.ratios.log:
        low, high = drawn.bounds(len(drawn.ratios.n) + which, level=level)
    else:
        (a, b), (c, d) = (drawn.bounds(int(i), level=level) for i in drawn.pairs[which])
        if min(a, c) <= 0:
            return 1.0, inf
        low, high = float(np.log(a / d)), float(np.log(b / c))
    return float(np.exp(max(low, -high, 0.0))), float(np.exp(max(high, -low)))


def _no_ratio(level: float, why: str) -> Interval:
    return Interval(value=nan, low=nan, high=nan, level=level, why=why)
