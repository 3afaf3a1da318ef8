"""Do the answered intervals hold the truth as often as they promise?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.evaluation.groups import group_gaps
from lockgate.evaluation.intervals import wilson
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.resampling import SEED, single
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, decimal

__all__ = ["evidence"]

KIND = "interval_coverage"


def evidence(scored: Scored, *, by: Sequence[str] = (), min_n: int = 200, seed: int = SEED) -> Evidence:
    """Measure the share of truths inside. Days err together, so days are resampled; never narrower than Wilson.

    The intervals of all groups of all columns hold at once; the worst-covered group comes first.
    """
    measure = METRICS["coverage"]
    if why := scored.complaint(*measure.inputs):
        return unmeasured(KIND, "coverage", why)
    low, high = scored.role("low"), scored.role("high")
    if crossed := int((low > high).sum()):
        return unmeasured(KIND, "coverage", f"{crossed:,} of {len(scored):,} intervals end before they start")
    hits = int(measure.rows(scored)[0].sum())
    interval = single(measure, scored, seed=seed).at_least_as_wide_as(wilson(hits, len(scored)))
    width = Estimate(name="mean_width", value=decimal(float(np.mean(high - low))), n=len(scored))
    per = group_gaps(scored, list(by), metric=measure, min_n=min_n, seed=seed) if by else None
    groups = [
        GroupEstimate(by=g.by, group=g.name, estimate=g.value.estimate("coverage", "share"))
        for g in (per.groups if per else ())
    ]
    groups.sort(key=lambda g: (float(g.estimate.value or "nan"), g.by, g.group))
    return Evidence(
        gate=KIND, kind=KIND, statistic=interval.estimate("coverage", "share"), also=(width,), groups=tuple(groups), seed=seed,
        not_assessed=per.not_assessed if per else (), params={"by": list(by), "min_n": min_n} if by else {},
    )  # fmt: skip
