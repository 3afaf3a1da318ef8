"""Is any group served worse than by the live release? Paired, on identical rows, group by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.evaluation.comparison import on_common_rows, relative_at
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import Metric, metric_named
from lockgate.evaluation.resampling import SEED
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import MIN_DAYS
from lockgate.gates.evidence import unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, GroupEstimate, decimal

__all__ = ["evidence"]

KIND = "champion_slices"
NAME = "relative_difference"
ALPHA = 0.05
MOST_GROUPS = 100
"""More groups than this are no declared slices; each would be tested at less than five in ten thousand."""


def evidence(
    scored: Scored, champion: Scored | None, *, metric: str, by: Sequence[str], min_n: int = 200, seed: int = SEED
) -> Evidence:
    """Measure release / live release - 1 of a metric in every group of every column, worst first.

    `extra["holm"]`: per group the lower end of its harm at 1 - 5% / k for k = 1 … number of groups, as decimal strings.
    """
    measure = metric_named(metric, comparable=True)
    params: dict[str, Json] = {"metric": metric, "words": measure.words, "better": measure.better, "by": list(by)}
    params |= {"against": "the live release", "min_n": min_n}
    if champion is None:
        return unmeasured(KIND, NAME, "there is no live release yet", **params, applicable=False)
    if why := scored.complaint(*measure.inputs):
        return unmeasured(KIND, NAME, why, **params)
    ours, theirs = on_common_rows(scored, champion)
    if why := theirs.complaint(*measure.inputs):
        return unmeasured(KIND, NAME, f"the live release cannot be compared: {why}", **params)
    found, skipped = _groups(ours, theirs, by, measure, min_n=min_n, seed=seed)
    left_out = [f"{len(scored) - len(ours):,} rows that the live release was not asked"] * (len(scored) > len(ours))
    if not found:
        why = "no group is large enough to be judged" + (f" ({'; '.join(skipped[:3])})" if skipped else "")
        return unmeasured(KIND, NAME, why, **params)
    sign = -1.0 if measure.better == "higher" else 1.0
    found.sort(key=lambda f: (-sign * f[2][0].value, f[0], f[1]))
    holm = [[decimal(min(sign * i.low, sign * i.high)) or "-Infinity" for i in intervals] for _, _, intervals in found]
    groups = tuple(
        GroupEstimate(by=column, group=name, estimate=intervals[0].estimate(NAME, "share"))
        for column, name, intervals in found
    )
    return Evidence(
        gate=KIND, kind=KIND, statistic=groups[0].estimate, groups=groups, params=params, seed=seed,
        not_assessed=(*skipped, *left_out), extra={"holm": holm},
    )  # fmt: skip


def _groups(
    ours: Scored, theirs: Scored, by: Sequence[str], measure: Metric, *, min_n: int, seed: int
) -> tuple[list[tuple[str, str, tuple[Interval, ...]]], list[str]]:
    """Column, group and its intervals at every level; and why others have none."""
    large: list[tuple[str, str, Scored, Scored]] = []
    skipped: list[str] = []
    for column in dict.fromkeys(by):
        labels = ours.labels(column)
        for name in np.unique(labels):
            mine, other = ours.subset(labels == name), theirs.subset(labels == name)
            why = _too_small(mine, min_n)
            skipped += [f"{column} = {name}: {why}"] if why else []
            large += [] if why else [(column, str(name), mine, other)]
    if len(large) > MOST_GROUPS:
        skipped += [f"{c} = {n}: more than {MOST_GROUPS} groups" for c, n, _, _ in large[MOST_GROUPS:]]
        large = large[:MOST_GROUPS]
    levels = [1 - ALPHA / k for k in range(1, len(large) + 1)]
    found = [(c, n, relative_at(mine, other, metric=measure, levels=levels, seed=seed)) for c, n, mine, other in large]
    skipped += [f"{c} = {n}: {i[0].why or 'it has no interval'}" for c, n, i in found if not i[0].known]
    return [f for f in found if f[2][0].known], skipped


def _too_small(part: Scored, min_n: int) -> str:
    if len(part) < min_n:
        return f"{len(part):,} row{'s' * (len(part) != 1)}, fewer than {min_n:,}"
    if part.unit != "row" and (blocks := len(np.unique(part.column(part.blocks)))) < MIN_DAYS:
        return f"rows on {blocks} {part.unit}{'s' * (blocks != 1)}, fewer than {MIN_DAYS}"
    return ""
