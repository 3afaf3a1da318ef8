"""What followed a day: the requests asked from then on, and how two answers to them compare."""

from __future__ import annotations

import numpy as np

from lockgate.evaluation.comparison import compare, on_common_rows
from lockgate.evaluation.metrics import Metric, metric_named
from lockgate.evaluation.resampling import SEED, single
from lockgate.evaluation.scored import AS_OF, Scored
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate
from lockgate.records.wire import to_json

__all__ = ["followed"]

RELATIVE = "relative_difference"


def followed(
    ours: Scored, theirs: Scored | None = None, *, since: str, until: str, metric: str, baseline: str = "",
    seed: int = SEED,
) -> dict[str, Json]:  # fmt: skip
    """Measure what was asked on or after `since` about days before `until` (ISO days), of a later day's holdout.

    Args:
        theirs: the other answers to that holdout; None: the column `baseline`, where it has one.

    Returns:
        `rows`, `days`, `first`, `last`; and, where there are rows, `ours`, `theirs` and `relative` (ours / theirs - 1) as
        Estimates, and `against`: `live`, `baseline` or nothing.
    """
    measure = metric_named(metric, comparable=True)
    ours = _asked(ours, since, until)
    days = np.unique(ours.column(ours.day or AS_OF))
    if not len(ours):
        return {"rows": 0, "days": 0, "first": "", "last": ""}
    extent = {"rows": len(ours), "days": len(days), "first": str(days[0]), "last": str(days[-1])}
    alone = {**extent, "ours": to_json(_measured(measure, ours, seed)), "against": ""}
    other = _asked(theirs, since, until) if theirs is not None else None
    against = "live" if other is not None else "baseline" if baseline in ours.columns else ""
    if not against:
        return alone
    ours, other = on_common_rows(ours, ours.answering(baseline) if other is None else other)
    found = {**alone, "against": against, "theirs": to_json(_measured(measure, other, seed))}
    if why := ours.complaint(*measure.inputs) or other.complaint(*measure.inputs):
        return {**found, "relative": to_json(Estimate(name=RELATIVE, value=None, why=why, n=len(ours)))}
    relative = compare(ours, other, metric=measure, seed=seed).relative
    return {**found, "relative": to_json(relative.estimate(RELATIVE, "share"))}


def _asked(scored: Scored, since: str, until: str) -> Scored:
    """The rows asked on or after a day, about days before another. A row without a day is none of them; where rows
    have none at all, the day of asking stands for it.
    """
    first, end = np.datetime64(since, "D"), np.datetime64(until, "D")
    day = scored.column(scored.day or AS_OF)
    origin = scored.column(AS_OF) if AS_OF in scored.columns else day
    return scored.subset((origin >= first) & (day >= first) & (day < end))


def _measured(measure: Metric, scored: Scored, seed: int) -> Estimate:
    if why := scored.complaint(*measure.inputs):
        return Estimate(name=measure.name, value=None, why=why, n=len(scored))
    return single(measure, scored, seed=seed).estimate(measure.name, measure.unit)
