"""How old is what the release knows, what it learned from, and what it was judged on?

Ages are counted to the release's own as-of day, which the delivery gave it, and never to a clock: the same release has
the same evidence whenever and wherever it is measured (ADR 30). Known means strictly before as-of, so the youngest age
is one day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np

from lockgate.evaluation.scored import Scored
from lockgate.gates.rows import Rows, day_of
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["evidence"]

KIND = "staleness"
WHAT = {
    "data_days": "the newest row of the data that it answers from",
    "model_days": "the newest row that the model was fitted on",
    "holdout_days": "the newest row that it was judged on",
}


def evidence(
    release: Mapping[str, Json], known_days: Mapping[str, Json], scored: Scored, training_table: Rows | None,
    *, day: str | None = None,
) -> Evidence:  # fmt: skip
    """Measure three ages in days; what cannot be had is listed. `day`: the training table's column of dates."""
    as_of = dt.date.fromisoformat(str(release["as_of"]))
    newest = {
        "data_days": _state(known_days),
        "model_days": _trained(training_table, day),
        "holdout_days": _holdout(scored),
    }
    ages = [_age(name, found, as_of) for name, found in newest.items()]
    return Evidence(
        gate=KIND, kind=KIND, statistic=next((a for a in ages if a.value is not None), ages[0]), also=tuple(ages),
        not_assessed=tuple(f"the age of {WHAT[a.name]}: {a.why}" for a in ages if a.value is None),
        params={"as_of": as_of.isoformat(), "day": day, "newest": {n: str(d) for n, d in newest.items()}, "tables": dict(known_days)},
    )  # fmt: skip


def _age(name: str, newest: dt.date | str, as_of: dt.date) -> Estimate:
    if isinstance(newest, str):
        return Estimate(name=name, value=None, why=newest, unit="days")
    return Estimate(name=name, value=str((as_of - newest).days), method="exact", unit="days")


def _state(known: Mapping[str, Json]) -> dt.date | str:
    """The newest day of the table that ends first: an answer is as old as the oldest thing it looks at."""
    if not known:
        return "the release carries no table"
    if empty := sorted(name for name, day in known.items() if day is None):
        return f"{', '.join(empty)} holds no row with a day before as-of"
    return min(dt.date.fromisoformat(str(day)) for day in known.values())


def _trained(table: Rows | None, day: str | None) -> dt.date | str:
    if table is None:
        return "the training pipeline names no training_table"
    if day is None:
        return "the gate names no column `day` of the training table"
    column = table.column(day)
    if column.dtype.kind != "M":
        return f"'{day}' is no column of dates"
    return _as_date(day_of(column, latest=True), f"'{day}' holds no day")


def _holdout(scored: Scored) -> dt.date | str:
    if scored.day is None:
        return "the holdout's rows have no day"
    column = scored.column(scored.day)
    if column.dtype.kind != "M":
        return "the holdout's rows have no day"
    return _as_date(day_of(column, latest=True), "the holdout's rows have no day")


def _as_date(day: np.datetime64 | None, why: str) -> dt.date | str:
    return why if day is None else dt.date.fromisoformat(str(day))
