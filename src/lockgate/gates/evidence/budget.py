"""How fast, how large, how quick to start is the packaged release, through the release host that serves it?

A quantile of n timings has an interval from their order alone: of n numbers, as many lie below the true quantile as a
binomial says (David and Nagaraja 2003, Order Statistics, §7.1). Timings in a row are taken as independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, nan

from scipy.stats import binom

from lockgate.evaluation.intervals import Interval
from lockgate.gates.evidence import unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["evidence", "quantile"]

KIND = "budget"
QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
METHOD = "order statistics"


def evidence(weighed: Mapping[str, Json]) -> Evidence:
    """Latency per answer (ms), cold start (s), resident memory and files (MiB), and the machine they were measured on."""
    latency, starts, memory = (_numbers(weighed[n]) for n in ("latency_ms", "cold_start_s", "memory_mb"))
    if not latency or not starts:
        return unmeasured(
            KIND, "p95_ms", "the release recorded no request that could be asked", machine=weighed["machine"]
        )
    size = f"{weighed['bytes'] / (1 << 20):.4g}"
    also = (
        *(quantile(latency, q).estimate(name, "ms") for name, q in QUANTILES.items()),
        quantile(starts, 0.5).estimate("cold_start_s", "s"),
        quantile(memory, 0.5).estimate("memory_mb", "MiB"),
        Estimate(
            name="artifact_mb", value=size, low=size, high=size, n=int(weighed["files"]), method="exact", unit="MiB"
        ),
    )
    p95 = next(e for e in also if e.name == "p95_ms")
    return Evidence(gate=KIND, kind=KIND, statistic=p95, also=also, params={"machine": weighed["machine"]})


def quantile(values: Sequence[float], q: float, *, level: float = 0.95) -> Interval:
    """The q-th quantile of sorted values, with the interval that their order gives; too few values bound nothing.

    >>> found = quantile([float(n) for n in range(1, 101)], 0.5)
    >>> found.value, found.low, found.high
    (50.0, 40.0, 61.0)
    """
    n = len(values)
    low, high = int(binom.ppf((1 - level) / 2, n, q)), int(binom.ppf((1 + level) / 2, n, q)) + 1
    value = values[min(n - 1, max(0, round(q * n) - 1))]
    if low < 1 or high > n:
        why = f"{n:,} numbers are too few for a {level:.0%} interval of this quantile"
        return Interval(value=value, low=nan, high=inf, level=level, n=n, method=METHOD, why=why)
    return Interval(value=value, low=values[low - 1], high=values[high - 1], level=level, n=n, method=METHOD)


def _numbers(texts: Json) -> list[float]:
    return sorted(float(text) for text in texts)
