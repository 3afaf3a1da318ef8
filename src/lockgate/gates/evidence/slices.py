"""Is any group served much worse than another of its kind?"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.evaluation.metrics import metric_named
from lockgate.evaluation.resampling import SEED, single
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import Group, slice_by
from lockgate.gates.evidence import unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, GroupEstimate

__all__ = ["evidence"]

KIND = "slices"
NAME = "worst_over_best"


def evidence(scored: Scored, *, metric: str, by: Sequence[str], min_n: int = 200, seed: int = SEED) -> Evidence:
    """Measure the metric per group, worst first, and the widest ratio between two groups of one column."""
    measure = metric_named(metric, comparable=True)
    params: dict[str, Json] = {"metric": metric, "words": measure.words, "by": list(by), "min_n": min_n}
    if why := measure.complaint(scored):
        return unmeasured(KIND, NAME, why, **params)
    found = slice_by(scored, by, metric=measure, min_n=min_n, seed=seed)
    groups = tuple(
        GroupEstimate(by=g.by, group=g.name, estimate=g.metric.estimate(metric, measure.unit)) for g in found.groups
    )
    return Evidence(
        gate=KIND, kind=KIND, statistic=found.worst_over_best.estimate(NAME, "times"), groups=groups, seed=seed,
        also=(single(measure, scored, seed=seed).estimate(metric, measure.unit),), not_assessed=found.not_assessed,
        params={**params, "worst": _named(found.worst), "best": _named(found.best)},
    )  # fmt: skip


def _named(group: Group | None) -> Json:
    return None if group is None else {"by": group.by, "group": group.name}
