"""Is the release good enough by itself?"""

from __future__ import annotations

from lockgate.evaluation.metrics import metric_named
from lockgate.evaluation.resampling import SEED, single
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.gates.history import definition
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence

__all__ = ["evidence"]

KIND = "quality"


def evidence(scored: Scored, *, metric: str, seed: int = SEED) -> Evidence:
    """Measure one metric with its interval."""
    measure = metric_named(metric)
    params: dict[str, Json] = {"metric": metric, "words": measure.words, "definition": definition(measure)}
    if why := scored.complaint(*measure.inputs):
        return unmeasured(KIND, metric, why, **params)
    found = single(measure, scored, seed=seed).estimate(metric, measure.unit)
    return Evidence(gate=KIND, kind=KIND, statistic=found, params=params, seed=seed)
