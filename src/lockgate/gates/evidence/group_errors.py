"""How large is the error, or the bias, in each group? Numbers per group with intervals that hold for all groups at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.group_values import group_values
from lockgate.evaluation.metrics import Metric, metric_named
from lockgate.evaluation.resampling import SEED
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, GroupEstimate

__all__ = ["evidence"]

KIND = "group_errors"
RELATIVE = "relative_bias"
Floats = NDArray[np.float64]


def evidence(
    scored: Scored, *, metric: str, by: Sequence[str], crossed: int = 1, min_n: int = 200, seed: int = SEED
) -> Evidence:
    """Measure a metric in each group, the worst first: the largest error, or the bias that is furthest from zero.

    `relative_bias` is the sum of answer minus truth as a share of the sum of truths.
    """
    measure = _relative_bias() if metric == RELATIVE else metric_named(metric)
    params: dict[str, Json] = {"metric": metric, "words": measure.words, "by": list(by), "better": measure.better}
    params |= {"min_n": min_n, "crossed": crossed}
    if why := measure.complaint(scored):
        return unmeasured(KIND, metric, why, **params)
    found = group_values(scored, list(by), metric=measure, crossed=crossed, min_n=min_n, seed=seed)
    groups = [
        GroupEstimate(by=g.by, group=g.name, estimate=g.metric.estimate(metric, measure.unit)) for g in found.groups
    ]
    if not groups:
        some = f" ({'; '.join(found.not_assessed[:3])})" if found.not_assessed else ""
        nothing = unmeasured(KIND, metric, f"no group is large enough to be judged{some}", **params)
        return replace(nothing, not_assessed=found.not_assessed)
    groups.sort(key=lambda g: (-_badness(g, measure), g.by, g.group))
    return Evidence(
        gate=KIND, kind=KIND, statistic=groups[0].estimate, groups=tuple(groups), params=params, seed=seed,
        also=(found.overall.estimate(metric, measure.unit),), not_assessed=found.not_assessed,
    )  # fmt: skip


def _badness(found: GroupEstimate, measure: Metric) -> float:
    value = float(found.estimate.value or "nan")
    return {"lower": value, "higher": -value}.get(measure.better, abs(value))


def _relative_bias() -> Metric:
    def terms(truth: Floats, answer: Floats) -> tuple[Floats, Floats]:
        return answer - truth, np.abs(truth)

    def value(truth: Floats, answer: Floats) -> float:
        top, bottom = terms(truth, answer)
        return float(top.sum() / bottom.sum())

    return Metric(
        name=RELATIVE, words="bias (answer minus truth, as a share of truth)", function=value, terms=terms,
        better="neither", bounds=(-np.inf, np.inf), unit="share",
        meaning="how much too high answers are, all added up, as a share of the sum of what really happened",
    )  # fmt: skip
