"""A scored table in the numbers that a page shows: overall, by group, by horizon, coverage, and day by day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.evaluation.decided import decided
from lockgate.evaluation.intervals import wilson
from lockgate.evaluation.metrics import METRICS, Metric, metric_named
from lockgate.evaluation.resampling import single
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import slice_by
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, GroupEstimate
from lockgate.records.wire import to_json

__all__ = ["summary"]

WEEK = 7
FEWEST = 30  # rows of a group whose number people see; gates have limits of their own


def summary(
    scored: Scored, by: Sequence[str] = (), metric: str = "wape", baseline: str = "best_simple"
) -> dict[str, Json]:
    """Summarise answers for people; the gates decide on their own evidence, never on this.

    Returns:
        `metric` name, words, meaning, unit and better; `overall` Estimate; `groups`, `by_horizon` and `coverage` GroupEstimates; `not_assessed` groups too small to measure, with the reason; `days` rows of date, actual,
        forecast and best_simple summed over all answers for that day; `holdout` rows, days, first, last, origins.
        `decided`: answers that are yes or no, counted (`evaluation.decided`).
        All intervals resample what the rows have: whole days, whole clusters or single rows. On fewer than `LEAST_BLOCKS` of
        these there is none, and `why` says so. Without a day `days` is empty and `holdout` has none.
    """
    measure = metric_named(metric, comparable=True)
    if why := measure.complaint(scored):
        return {"overall": to_json(Estimate(name=metric, value=None, why=why, n=len(scored)))}
    sliced = slice_by(scored, [c for c in by if c in scored.columns], metric=measure, min_n=FEWEST) if by else None
    groups = sliced.groups if sliced else ()
    return {
        "metric": {n: getattr(measure, n) for n in ("name", "words", "meaning", "unit", "better")},
        "overall": to_json(single(measure, scored).estimate(metric, measure.unit)),
        "groups": [
            to_json(GroupEstimate(by=g.by, group=g.name, estimate=g.metric.estimate(metric, measure.unit)))
            for g in groups
        ],
        "not_assessed": [line for line in sliced.not_assessed if " = " in line] if sliced else [],
        "by_horizon": _by_horizon(scored, measure),
        "coverage": _coverage(scored, by),
        "days": _days(scored, baseline),
        "holdout": _extent(scored),
        "decided": decided(scored, [c for c in by if c in scored.columns], fewest=FEWEST),
    }


def _by_horizon(scored: Scored, measure: Metric) -> list[Json]:
    """Error per week ahead."""
    if "as_of" not in scored.columns or not scored.day:
        return []
    ahead = (scored.column(scored.day) - scored.column("as_of")).astype(int)
    weeks = (ahead - 1) // WEEK + 1
    found: list[Json] = []
    for week in np.unique(weeks):
        label = f"{(week - 1) * WEEK + 1} to {week * WEEK} days ahead"
        found.append(_one("horizon", label, _measured(measure, scored.subset(weeks == week))))
    return found


def _coverage(scored: Scored, by: Sequence[str]) -> list[Json]:
    """Share of truths inside the interval: overall, and per group of every column."""
    measure = METRICS["coverage"]
    if not (scored.low and scored.high) or scored.complaint(*measure.inputs):
        return []
    found = [_one("all", "all answers", _inside(scored))]
    for column in by:
        labels = scored.labels(column)
        found += [_one(column, str(g), _inside(scored.subset(labels == g))) for g in np.unique(labels)]
    return found


def _one(by: str, group: str, estimate: Estimate) -> Json:
    return to_json(GroupEstimate(by=by, group=group, estimate=estimate))


def _inside(part: Scored) -> Estimate:
    """As the check of intervals measures it: days are resampled, and never narrower than Wilson."""
    measure = METRICS["coverage"]
    hits = int(measure.rows(part)[0].sum())
    found = single(measure, part).at_least_as_wide_as(wilson(hits, len(part)))
    return found.estimate("coverage", measure.unit)


def _measured(measure: Metric, part: Scored) -> Estimate:
    return single(measure, part).estimate(measure.name, measure.unit)


def _days(scored: Scored, baseline: str) -> list[Json]:
    """One row per target day, from the answers of the latest origin that asked for it."""
    if not scored.day:
        return []
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
        {"date": str(d), **{n: round(float(v[(days == d) & last].sum()), 4) for n, v in columns.items()}}
        for d in np.unique(days)
    ]


def _extent(scored: Scored) -> Json:
    if not scored.day:
        return {"rows": len(scored), "days": 0, "first": None, "last": None, "origins": 0}
    days = np.unique(scored.column(scored.day))
    origins = len(np.unique(scored.column("as_of"))) if "as_of" in scored.columns else 0
    return {"rows": len(scored), "days": len(days), "first": str(days[0]), "last": str(days[-1]), "origins": origins}
