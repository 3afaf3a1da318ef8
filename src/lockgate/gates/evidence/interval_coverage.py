"""Do the answered intervals hold the truth as often as they promise?"""

from __future__ import annotations

import numpy as np

from lockgate.evaluation.intervals import wilson
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.resampling import SEED, single
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.records.evidence import Estimate, Evidence, decimal

__all__ = ["evidence"]

KIND = "interval_coverage"


def evidence(scored: Scored, *, seed: int = SEED) -> Evidence:
    """Measure the share of truths inside. Days err together, so days are resampled; never narrower than Wilson."""
    measure = METRICS["coverage"]
    if why := scored.complaint(*measure.inputs):
        return unmeasured(KIND, "coverage", why)
    low, high = scored.role("low"), scored.role("high")
    if crossed := int((low > high).sum()):
        return unmeasured(KIND, "coverage", f"{crossed:,} of {len(scored):,} intervals end before they start")
    hits = int(measure.rows(scored)[0].sum())
    interval = single(measure, scored, seed=seed).at_least_as_wide_as(wilson(hits, len(scored)))
    width = Estimate(name="mean_width", value=decimal(float(np.mean(high - low))), n=len(scored))
    return Evidence(gate=KIND, kind=KIND, statistic=interval.estimate("coverage", "share"), also=(width,), seed=seed)
