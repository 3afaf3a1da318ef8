"""A scored table in the numbers that a page shows: overall, by group, by horizon, coverage, and day by day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.evaluation.intervals import wilson
from lockgate.evaluation.metrics import metric_named
from lockgate.evaluation.resampling import single
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import slice_by
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, GroupEstimate, decimal
from lockgate.records.wire import to_json

__all__ = ["summary"]

WEEK = 7


def summary(scored: Scored, by: Sequence[str] = (), metric: str = "wape", baseline: str = "best_simple") -> dict[str, Json]:
    """Summarise answers for people; the gates decide on their own evidence, never on this.

    Returns:
        `overall` Estimate, `groups`, `by_horizon` and `coverage` GroupEstimates, `days` rows of date, actual,
        forecast and best_simple summed over all answers for that day, `holdout` rows, days, first, last, origins.
    """
    measure = metric_named(metric, comparable=True)
    if why := scored.complaint(*measure.inputs):
        return {"overall": to_json(Estimate(name=metric, value=None, why=why, n=len(scored)))}
    groups = slice_by(scored, list(by), metric=measure).groups if by else ()
    return {
        "overall": to_json(single(measure, scored).estimate(metric, measure.unit)),
        "groups": [to_json(GroupEstimate(by=g.by, group=g.name, estimate=g.metric.estimate(metric, measure.unit))) for g in groups],
        "by_horizon": _by_horizon(scored, measure, metric),
        "coverage": _coverage(scored, by),
        "days": _days(scored, baseline),
        "holdout": _extent(scored),
    }


def _by_horizon(scored: Scored, measure: Any, metric: str) -> list[Json]:
    """Error per week ahead."""
    if "as_of" not in scored.columns:
        return []
    ahead = (scored.column(scored.day) - scored.column("as_of")).astype(int)
    weeks = (ahead - 1) // WEEK + 1
    found: list[Json] = []
    for week in np.unique(weeks):
        part = scored.subset(weeks == week)
        label = f"{(week - 1) * WEEK + 1} to {week * WEEK} days ahead"
        estimate = single(measure, part).estimate(metric, measure.unit)
        found.append(to_json(GroupEstimate(by="horizon", group=label, estimate=estimate)))
    return found


def _coverage(scored: Scored, by: Sequence[str]) -> list[Json]:
    """Share of truths inside the interval, overall and per group of the first column."""
    if not (scored.low and scored.high):
        return []
    truth = scored.role("truth")
    inside = (truth >= scored.role("low")) & (truth <= scored.role("high"))
    found = [_share("all", "all answers", inside)]
    for column in by[:1]:
        labels = scored.labels(column)
        found += [_share(column, str(g), inside[labels == g]) for g in np.unique(labels)]
    return [to_json(g) for g in found]


def _share(by: str, group: str, inside: np.ndarray) -> GroupEstimate:
    interval = wilson(int(inside.sum()), inside.size)
    estimate = Estimate(
        name="coverage", value=decimal(float(inside.mean())), low=decimal(interval.low), high=decimal(interval.high),
        n=int(inside.size), method="Wilson", unit="share",
    )  # fmt: skip
    return GroupEstimate(by=by, group=group, estimate=estimate)


def _days(scored: Scored, baseline: str) -> list[Json]:
    """One row per target day, from the answers of the latest origin that asked for it."""
    days = scored.column(scored.day)
    last = np.ones(len(scored), bool)
    if "as_of" in scored.columns:
        origins = scored.column("as_of")
        newest = {d: origins[days == d].max() for d in np.unique(days)}
        last = np.array([origins[i] == newest[days[i]] for i in range(len(scored))])
    columns = {"actual": scored.role("truth"), "forecast": scored.role("answer")}
    if baseline in scored.columns:
        columns["best_simple"] = scored.numbers(baseline)
    return [
        {"date": str(d), **{n: round(float(v[(days == d) & last].sum()), 4) for n, v in columns.items()}} for d in np.unique(days)
    ]


def _extent(scored: Scored) -> Json:
    days = np.unique(scored.column(scored.day))
    origins = len(np.unique(scored.column("as_of"))) if "as_of" in scored.columns else 0
    return {"rows": len(scored), "days": len(days), "first": str(days[0]), "last": str(days[-1]), "origins": origins}
