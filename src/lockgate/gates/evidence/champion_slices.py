"""Is any group served worse than by the live release? Paired, on identical rows, group by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.evaluation.blocks import LEAST_BLOCKS
from lockgate.evaluation.comparison import on_common_rows, relative_at
from lockgate.evaluation.folding import MOST_GROUPS
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import Metric, metric_named
from lockgate.evaluation.resampling import SEED
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, GroupEstimate, decimal

__all__ = ["evidence"]

KIND = "champion_slices"
NAME = "relative_difference"
ALPHA = 0.05


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
    if why := measure.complaint(scored):
        return unmeasured(KIND, NAME, why, **params)
    ours, theirs = on_common_rows(scored, champion)
    if why := measure.complaint(theirs):
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
    large: list[tuple[str, str, np.ndarray]] = []
    skipped: list[str] = []
    for column in dict.fromkeys(by):
        names, group = ours.groups(column)
        small = _too_small(ours, group, len(names), min_n)
        for at, name in enumerate(names.tolist()):
            why = small[at] or (f"more than {MOST_GROUPS} groups" if len(large) == MOST_GROUPS else "")
            skipped += [f"{column} = {name}: {why}"] if why else []
            large += [] if why else [(column, name, np.flatnonzero(group == at))]
    levels = [1 - ALPHA / k for k in range(1, len(large) + 1)]
    found = [
        (c, n, relative_at(ours.subset(at), theirs.subset(at), metric=measure, levels=levels, seed=seed))
        for c, n, at in large
    ]
    skipped += [f"{c} = {n}: {i[0].why or 'it has no interval'}" for c, n, i in found if not i[0].known]
    return [f for f in found if f[2][0].known], skipped


def _too_small(scored: Scored, group: np.ndarray, groups: int, min_n: int) -> list[str]:
    """Per group why it cannot be judged, or nothing."""
    rows = np.bincount(group, minlength=groups).tolist()
    blocks = _blocks(scored, group, groups) if scored.unit != "row" else [LEAST_BLOCKS] * groups
    return [_why(n, days, min_n, scored.unit) for n, days in zip(rows, blocks, strict=True)]


def _blocks(scored: Scored, group: np.ndarray, groups: int) -> list[int]:
    """How many different days or clusters each group has."""
    labels, block = np.unique(scored.column(scored.blocks), return_inverse=True)
    return np.bincount(np.unique(group * len(labels) + block) // max(1, len(labels)), minlength=groups).tolist()


def _why(rows: int, blocks: int, min_n: int, unit: str) -> str:
    if rows < min_n:
        return f"{rows:,} row{'s' * (rows != 1)}, fewer than {min_n:,}"
    return f"rows on {blocks} {unit}{'s' * (blocks != 1)}, fewer than {LEAST_BLOCKS}" if blocks < LEAST_BLOCKS else ""
