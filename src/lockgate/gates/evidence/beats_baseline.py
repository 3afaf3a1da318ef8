"""Is the release better than the best simple method, row by row on the same holdout?"""

from __future__ import annotations

from lockgate.evaluation.comparison import compare
from lockgate.evaluation.metrics import metric_named
from lockgate.evaluation.resampling import SEED
from lockgate.evaluation.rivals import method_in_words
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.records.evidence import Evidence

__all__ = ["evidence"]

KIND = "beats_baseline"
NAME = "relative_difference"


def evidence(scored: Scored, *, baseline: str, metric: str, seed: int = SEED) -> Evidence:
    """Measure release / baseline - 1 of a metric, with one draw of days for both."""
    measure = metric_named(metric, comparable=True)
    simple = scored.answering(baseline)
    why = measure.complaint(scored) or measure.complaint(simple)
    params = {"metric": metric, "words": measure.words, "better": measure.better, "baseline": baseline}
    params["against"] = method_in_words(scored, baseline)
    if why:
        return unmeasured(KIND, NAME, why, **params)
    found = compare(scored, simple, metric=measure, seed=seed)
    return Evidence(
        gate=KIND, kind=KIND, statistic=found.relative.estimate(NAME, "share"), params=params, seed=seed,
        also=(
            found.first.estimate(metric, measure.unit),
            found.second.estimate(f"{metric}_of_{baseline}", measure.unit),
        ),
    )  # fmt: skip
