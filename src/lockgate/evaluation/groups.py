"""Is anybody treated otherwise than the rest? A metric per group, and how far it lies from the others'.

Each group of a column, and of several columns crossed, is held against all rows outside of it, or against a named
reference group. Three families of intervals are joint, each within itself: the metrics, their differences, their ratios.
With the promised frequency *all* intervals of a family hold at once, so the worst may be picked freely. The largest
of many estimated gaps exaggerates (ten equal groups of 100 seem 14 points apart); its interval here does not.

Rates have intervals by closed formulas, which stay honest at 0 and at 1, where a bootstrap would be sure of what it never saw
(`rates`). Other metrics have the bootstrap-t of `resampling`. A group that is too small is listed, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isfinite, nan

from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import SHARE, Metric
from lockgate.evaluation.rates import Measured, measured_rates, parity_of
from lockgate.evaluation.resampled_gaps import measured_by_resampling
from lockgate.evaluation.resampling import REPLICATES, SEED, single
from lockgate.evaluation.rows_to_pass import POWER_Z, rows_to_pass
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.sides import Side, sides_of

__all__ = ["MIN_GROUP", "Gap", "Gaps", "group_gaps"]

MIN_GROUP = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One group and those it is held against.

    Attributes:
        by, name: the column and its value; crossed columns read `sex & race` and `f & black`.
        against: what it is held against: `the rest`, or the reference group's name.
        value, other: the metric of the group and of the others; `n` counts the rows behind it (of a true positive rate,
            the positives).
        difference: value - other.
        ratio: value / other; unknown where the other is zero.
        parity: the smaller of the two over the larger, 1 at best (the four-fifths rule asks for 0.8); known also where
            one of them is zero.
        reach: how far the difference's interval reaches to either side when there is no gap: a smaller limit
            cannot be passed on so few rows.
        detectable: the smallest true difference that is told from none in four of five such holdouts.
    """

    by: str
    name: str
    against: str
    value: Interval
    other: Interval
    difference: Interval
    ratio: Interval
    parity: Interval
    reach: float
    detectable: float

    def __str__(self) -> str:
        return f"{self.by} = {self.name}"

    def rows_needed(self, limit: float) -> int:
        """Rows behind this group's metric with which a group that is treated alike passes `limit` in four of five holdouts.

        The others grow in proportion. 0 where it cannot be said.
        """
        reach, detectable = Decimal(self.reach), Decimal(self.detectable)
        return rows_to_pass(self.value.n, Decimal(limit), reach=reach, detectable=detectable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """All groups that could be judged, the largest difference first.

    Attributes:
        overall: the metric over all rows.
        groups: one `Gap` each.
        largest: the largest |difference| of all, with the bounds that all groups' intervals together give it.
        least_parity: the smallest `parity` of all, likewise.
        widest, least_equal: the groups these are of; None when there is none.
        not_assessed: each group or column that could not be judged, with the reason (`sex = x: 3 rows, fewer than 30`).
    """

    overall: Interval
    groups: tuple[Gap, ...]
    largest: Interval
    least_parity: Interval
    widest: Gap | None
    least_equal: Gap | None
    not_assessed: tuple[str, ...]


def group_gaps(
    scored: Scored, by: Sequence[str], *, metric: Metric, reference: Mapping[str, str] | None = None, crossed: int = 1,
    min_n: int = MIN_GROUP, level: float = 0.95, replicates: int = REPLICATES, seed: int = SEED,
) -> Gaps:  # fmt: skip
    """Measure every group of every column, and of up to `crossed` columns crossed.

    Args:
        scored: rows that the metric can be had of; otherwise `overall.why` has the `Metric.complaint`. A null group is a
            group.
        reference: column → the group that the others of this column are held against. A column that is not named is held
            against the rest; crossed columns have a reference when all of them do.
        min_n: fewer rows (behind the metric, on either side) are not assessed.
    """
    if why := metric.complaint(scored):
        return _nothing(Interval(value=nan, low=nan, high=nan, level=level, why=why), level, [])
    sides, not_assessed = sides_of(scored, by, metric, reference=reference or {}, crossed=crossed, min_n=min_n)
    overall = single(metric, scored, replicates=replicates, seed=seed)
    if not sides:
        return _nothing(overall, level, not_assessed)
    if metric.bounds == SHARE:
        measured = measured_rates(sides, level=level)
    else:
        measured = measured_by_resampling(sides, metric, level=level, replicates=replicates, seed=seed)
    gaps = [_gap(side, found) for side, found in zip(sides, measured, strict=True)]
    if metric.bounds[0] == 0:
        not_assessed += [f"{g}: ratio to {g.against}: {g.parity.why}" for g in gaps if not isfinite(g.parity.value)]
    ranked = sorted(gaps, key=lambda g: (-abs(g.difference.value), g.by, g.name))
    least = min((g for g in ranked if isfinite(g.parity.value)), key=lambda g: g.parity.value, default=None)
    return Gaps(
        overall=overall, groups=tuple(ranked), largest=_largest(ranked, level), least_parity=_least(ranked, level),
        widest=ranked[0], least_equal=least, not_assessed=tuple(not_assessed),
    )  # fmt: skip


def _gap(side: Side, found: Measured) -> Gap:
    return Gap(
        by=side.by, name=side.name, against=side.against, value=found.value, other=found.other,
        difference=found.difference, ratio=_finite(found.ratio), parity=parity_of(found.ratio),
        reach=found.reach * found.error, detectable=(found.reach + float(POWER_Z)) * found.error,
    )  # fmt: skip


def _finite(ratio: Interval) -> Interval:
    why = ratio.why or ("" if isfinite(ratio.value) else "the others have a value of zero")
    return replace(ratio, value=ratio.value if isfinite(ratio.value) else nan, why=why)


def _largest(gaps: Sequence[Gap], level: float) -> Interval:
    """The true largest lies between the largest of all nearest ends and the largest of all farthest ends."""
    found = [g.difference for g in gaps]
    nearest = [0.0 if d.low <= 0 <= d.high else min(abs(d.low), abs(d.high)) for d in found]
    farthest = [max(abs(d.low), abs(d.high)) for d in found]
    return replace(found[0], value=abs(found[0].value), low=max(nearest), high=max(farthest), level=level)


def _least(gaps: Sequence[Gap], level: float) -> Interval:
    found = [g.parity for g in gaps if isfinite(g.parity.value)]
    if not found:
        return Interval(value=nan, low=nan, high=nan, level=level, why="no two groups have a ratio")
    least = min(found, key=lambda p: p.value)
    return replace(least, low=min(p.low for p in found), high=min(p.high for p in found))


def _nothing(overall: Interval, level: float, not_assessed: Sequence[str]) -> Gaps:
    none = Interval(value=nan, low=nan, high=nan, level=level, why=overall.why or "no group can be judged")
    return Gaps(
        overall=overall, groups=(), largest=none, least_parity=none, widest=None, least_equal=None,
        not_assessed=tuple(not_assessed),
    )  # fmt: skip
