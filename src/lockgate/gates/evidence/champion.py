"""Is the release at least as good as the live one, on identical rows?"""

from __future__ import annotations

from lockgate.evaluation.comparison import compare, on_common_rows
from lockgate.evaluation.metrics import metric_named
from lockgate.evaluation.resampling import SEED
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.records.evidence import Evidence

__all__ = ["evidence"]

KIND = "champion"
NAME = "relative_difference"


def evidence(scored: Scored, champion: Scored | None, *, metric: str, seed: int = SEED) -> Evidence:
    """Measure release / live release - 1 of a metric. No live release: nothing to measure, and said so."""
    measure = metric_named(metric, comparable=True)
    params = {"metric": metric, "words": measure.words, "better": measure.better, "against": "the live release"}
    if champion is None:
        return unmeasured(KIND, NAME, "there is no live release yet", **params, applicable=False)
    if why := measure.complaint(scored):
        return unmeasured(KIND, NAME, why, **params)
    ours, theirs = on_common_rows(scored, champion)
    if why := measure.complaint(theirs):
        return unmeasured(KIND, NAME, f"the live release cannot be compared: {why}", **params)
    found = compare(ours, theirs, metric=measure, seed=seed)
    left_out = len(scored) - len(ours)
    return Evidence(
        gate=KIND, kind=KIND, statistic=found.relative.estimate(NAME, "share"), params=params, seed=seed,
        also=(found.first.estimate(metric, measure.unit), found.second.estimate(f"{metric}_of_champion", measure.unit)),
        not_assessed=(f"{left_out:,} rows that the live release was not asked",) if left_out else (),
    )  # fmt: skip
