"""Is the release good enough by itself?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lockgate.evaluation.calibration import calibration
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import metric_named
from lockgate.evaluation.resampling import SEED, single
from lockgate.evaluation.roc import auc
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.gates.history import definition
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence

__all__ = ["evidence"]

KIND = "quality"
OF_SCORES: Mapping[str, tuple[str, str, Callable[[Scored], Interval]]] = {
    "auc": ("chance that a yes is scored above a no (AUC)", "", auc),
    "ece": ("calibration error of the probability (ECE)", "share", lambda scored: calibration(scored).error),
}
"""Metrics that are no ratio of sums: name -> words, unit, and how they are measured."""


def evidence(scored: Scored, *, metric: str, seed: int = SEED) -> Evidence:
    """Measure one metric with its interval."""
    if metric in OF_SCORES:
        return _of_scores(scored, metric)
    measure = metric_named(metric)
    params: dict[str, Json] = {"metric": metric, "words": measure.words, "definition": definition(measure)}
    if why := measure.complaint(scored):
        return unmeasured(KIND, metric, why, **params)
    found = single(measure, scored, seed=seed).estimate(metric, measure.unit)
    return Evidence(gate=KIND, kind=KIND, statistic=found, params=params, seed=seed)


def _of_scores(scored: Scored, metric: str) -> Evidence:
    words, unit, measured = OF_SCORES[metric]
    params: dict[str, Json] = {"metric": metric, "words": words}
    if not scored.score:
        return unmeasured(KIND, metric, "the predictor answers no probability (a field `score`)", **params)
    return Evidence(gate=KIND, kind=KIND, statistic=measured(scored).estimate(metric, unit), params=params)
