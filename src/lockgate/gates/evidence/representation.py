"""Are the people whom a release is judged on, and was trained on, those whom it will be used for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isclose

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.scored import Scored
from lockgate.evaluation.shares import shares
from lockgate.gates.evidence import unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, GroupEstimate, decimal

__all__ = ["evidence"]

KIND = "representation"
NAME = "share_difference"
MOST_GROUPS = 200


def evidence(
    scored: Scored, replayed: Scored | None = None, *, by: str, reference: Mapping[str, str], rows: str = "both"
) -> Evidence:
    """Each group's share of the rows minus its share of the reference population, the furthest off first.

    Args:
        replayed: training rows, which are looked at, too, where they have the column.
        reference: group → share, as decimal strings. When they add up to one, every other group should not be there.
        rows: `holdout` or `training` to look at one of the two only.
    """
    params: dict[str, Json] = {"by": [by], "reference": dict(reference)} | ({"rows": rows} if rows != "both" else {})
    wanted = {group: float(share) for group, share in reference.items()}
    if why := _names_nobody(scored, by, wanted):
        return unmeasured(KIND, NAME, why, **params)
    found: list[GroupEstimate] = []
    left_out: list[str] = []
    tables: list[_Table] = []
    asked = (("holdout", scored, "the holdout", by), ("training", replayed, "the training rows", f"{by} in training"))
    for which, some, words, name in asked:
        if why := _not_counted(some, by, asked=rows in ("both", which), lacking=some is replayed):
            left_out.append(f"{words}{why}")
        elif some is not None:
            tables.append(_table(some, by, wanted, name=name, words=words))
    for table in tables:
        found += _compared(table, wanted, comparisons=sum(len(t.groups) for t in tables))
        left_out += table.unnamed
    if not found:
        return unmeasured(KIND, NAME, "there are no rows", **params)
    found.sort(key=lambda g: (-abs(float(g.estimate.value or "nan")), g.by, g.group))
    known, few = ([g for g in found if (g.estimate.low is None) == lacks] for lacks in (False, True))
    decides = next((g for g in few if g.by == by), found[0] if not known else known[0])  # without the holdout, nothing
    left_out += [f"{g.by} = {g.group}: {g.estimate.why}" for g in few if g.by != decides.by]
    return Evidence(
        gate=KIND,
        kind=KIND,
        statistic=decides.estimate,
        groups=tuple(known),
        params=params,
        not_assessed=tuple(left_out),
    )


def _not_counted(rows: Scored | None, by: str, *, asked: bool, lacking: bool) -> str:
    """Why these rows are not looked at, or "". `lacking`: they may lack the column; the holdout that lacks it is a mistake."""
    if not asked:
        return ", as the gate is declared without them"
    if rows is None:
        return ", as none are kept"
    if lacking and by not in rows.columns:
        return f" have no column {by}"
    return "" if len(rows) else ", as there are none"


def _names_nobody(scored: Scored, by: str, wanted: Mapping[str, float]) -> str:
    """A reference population of which no row is a member is another spelling: its small shares would all be near 0."""
    there = np.unique(scored.labels(by)).tolist() if by in scored.columns and len(scored) else []
    if not there or set(there) & set(wanted):
        return ""
    return f"no row is of a group that the reference population names ({', '.join(list(wanted)[:6])}; there: {', '.join(there[:6])})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Rows whose groups are counted; `unnamed`: what the reference population says nothing of."""

    rows: Scored
    labels: NDArray[np.str_]
    groups: list[str]
    unnamed: list[str]
    name: str
    words: str


def _table(rows: Scored, by: str, wanted: Mapping[str, float], *, name: str, words: str) -> _Table:
    labels = rows.labels(by)
    seen = np.unique(labels).tolist()
    complete = isclose(sum(wanted.values()), 1.0, abs_tol=1e-6)
    groups = [*wanted, *(g for g in seen if g not in wanted and complete)][:MOST_GROUPS]
    rest = [f"{name} = {g}: the reference population does not name it" for g in seen if g not in groups]
    return _Table(rows=rows, labels=labels, groups=groups, unnamed=rest, name=name, words=words)


def _compared(table: _Table, wanted: Mapping[str, float], *, comparisons: int) -> list[GroupEstimate]:
    """Each group's share minus the reference, with intervals that hold at once for all `comparisons` of all tables."""
    intervals = shares(table.rows, table.labels, table.groups, comparisons=comparisons)
    made: list[GroupEstimate] = []
    for group, own in zip(table.groups, intervals, strict=True):
        share = wanted.get(group, 0.0)
        gap = replace(own, value=own.value - share, low=own.low - share, high=own.high - share)
        said: dict[str, Json] = {"own": decimal(own.value), "against": decimal(share), "of": table.words}
        estimate = gap.estimate(NAME, "share")
        named = replace(estimate, extra={**estimate.extra, **said})
        made.append(GroupEstimate(by=table.name, group=group, estimate=named))
    return made
