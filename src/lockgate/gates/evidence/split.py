"""Is the holdout apart from training, in time and by groups?

Out of time: the last truth that training saw was known before the first question of the holdout is asked. By groups: a
customer, a machine, a patient is on one side only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from lockgate.errors import UsageError
from lockgate.evaluation.matching import is_among, numbered
from lockgate.evaluation.scored import AS_OF, Scored, plain
from lockgate.gates.evidence import EXAMPLES, unmeasured
from lockgate.gates.evidence.leakage import NO_TABLE
from lockgate.gates.rows import Rows, day_of
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["evidence"]

KIND = "split"
NAME = "gap_days"


def evidence(
    scored: Scored,
    training_table: Rows | None,
    *,
    day: str | None = None,
    label_days: int = 0,
    apart: Sequence[str] = (),
) -> Evidence:
    """Measure the days between training and holdout, and the groups that are on both sides.

    Args:
        day: the training table's column of days; with `label_days` after it the row's truth was known. None: no gap.
        label_days: the horizon, where `day` is the day of the features and the truth came later.
        apart: columns of both tables; no value of theirs may be on both sides.
    """
    if day is None and not apart:
        raise UsageError("gates.split has nothing to look at", allowed='day="…", apart=["…"], or both')
    if training_table is None or not len(training_table) or not len(scored):
        why = NO_TABLE if training_table is None else "training table or holdout has no rows"
        return unmeasured(KIND, NAME, why)
    gap = _gap(scored, training_table, day, label_days) if day else Estimate(name=NAME, value="0", why="not looked at")
    both = {c: _on_both_sides(scored, training_table, c) for c in apart}
    rows = [{"column": c, "value": value} for c, (found, _) in both.items() for value in found[:EXAMPLES]]
    return Evidence(
        gate=KIND, kind=KIND, statistic=gap, rows=cast("tuple[dict[str, Json], ...]", tuple(rows[:EXAMPLES])),
        also=tuple(
            Estimate(name=f"on_both_sides.{c}", value=str(len(found)), n=groups, unit="groups")
            for c, (found, groups) in both.items()
        ),
        params={"day": day, "label_days": label_days, "apart": list(apart)},
        not_assessed=() if day else ("the gap in time: the gate names no `day` column",),
    )  # fmt: skip


def _gap(scored: Scored, table: Rows, day: str, label_days: int) -> Estimate:
    origin = AS_OF if AS_OF in scored.columns else scored.day
    if origin is None:
        return Estimate(name=NAME, value=None, why="the holdout's rows have no day", unit="days")
    trained, asked = table.column(day), scored.column(origin)
    for name, column in ((day, trained), (origin, asked)):
        if column.dtype.kind != "M":
            raise UsageError("a gap needs days", value=name, allowed="a column of dates")
    if undated := int(np.isnat(trained).sum()):
        return Estimate(name=NAME, value=None, why=f"{undated:,} training rows have no '{day}'", unit="days")
    last, first = day_of(trained, latest=True), day_of(asked, latest=False)
    if last is None or first is None:
        return Estimate(name=NAME, value=None, why="the holdout has no day", unit="days")
    days = int((first - last).astype(int)) - label_days
    return Estimate(name=NAME, value=str(days), n=len(table), method=f"{first} less {last}", unit="days")


def _on_both_sides(scored: Scored, table: Rows, column: str) -> tuple[list[Json], int]:
    """The groups that are on both sides, in order, and how many the holdout has."""
    ours = scored.column(column)
    asked, trained = numbered([ours], [table.column(column)])
    values, first = np.unique(asked, return_index=True)
    return [plain(v) for v in np.sort(ours[first[is_among(values, trained)]])], len(values)
