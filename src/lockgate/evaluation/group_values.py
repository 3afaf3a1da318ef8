"""How large is a metric in each group? Each group's own value, whoever the others are.

All intervals hold at once with the promised frequency, so the worst may be picked freely. A group needs rows of its own
only: one whose rest is small is measured, and so is the only group of a column (`groups` compares groups, and needs both).
Rates have closed formulas (`rates`), other metrics the bootstrap-t of `resampling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

from lockgate.evaluation.groups import MIN_GROUP
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import SHARE, Metric
from lockgate.evaluation.rates import joint_rates
from lockgate.evaluation.resampled_gaps import values_by_resampling
from lockgate.evaluation.resampling import REPLICATES, SEED, single
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.sides import sides_of
from lockgate.evaluation.slices import Group

__all__ = ["GroupValues", "group_values"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupValues:
    """The metric over all rows, and of every group that could be judged; each that could not, with the reason."""

    overall: Interval
    groups: tuple[Group, ...]
    not_assessed: tuple[str, ...]


def group_values(
    scored: Scored, by: Sequence[str], *, metric: Metric, crossed: int = 1, min_n: int = MIN_GROUP, level: float = 0.95,
    replicates: int = REPLICATES, seed: int = SEED,
) -> GroupValues:  # fmt: skip
    """Measure every group of every column, and of up to `crossed` columns crossed. Arguments as of `groups.group_gaps`."""
    if why := metric.complaint(scored):
        nothing = Interval(value=nan, low=nan, high=nan, level=level, why=why)
        return GroupValues(overall=nothing, groups=(), not_assessed=())
    overall = single(metric, scored, replicates=replicates, seed=seed)
    sides, not_assessed = sides_of(scored, by, metric, reference={}, crossed=crossed, min_n=min_n, alone=True)
    if not sides:
        return GroupValues(overall=overall, groups=(), not_assessed=tuple(not_assessed))
    if metric.bounds == SHARE:
        found = joint_rates(sides, level=level)
    else:
        found = values_by_resampling(sides, metric, level=level, replicates=replicates, seed=seed)
    groups = tuple(
        Group(by=s.by, name=s.name, metric=replace(value, level=level)) for s, value in zip(sides, found, strict=True)
    )
    return GroupValues(overall=overall, groups=groups, not_assessed=tuple(not_assessed))
