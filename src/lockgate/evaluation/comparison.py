"""Which of two answers is better? Always on identical rows, always on the difference, never on two intervals.

Comparing two separate intervals is nearly powerless; the paired difference cancels the rows' common luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, inf, nan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.errors import UsageError
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.matching import numbered, seen_before, where_in
from lockgate.evaluation.metrics import Metric
from lockgate.evaluation.resampling import FAR, REPLICATES, SEED, Resamples, ratios, resample
from lockgate.evaluation.scored import Scored

__all__ = [
    "Comparison",
    "DieboldMariano",
    "compare",
    "diebold_mariano",
    "hln_factor",
    "on_common_rows",
    "relative_at",
    "same_rows",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two answers by one metric. `relative` is first / second - 1: below zero means that the first is lower."""

    first: Interval
    second: Interval
    relative: Interval


def compare(
    first: Scored,
    second: Scored,
    *,
    metric: Metric,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Comparison:
    """Compare two answers on identical rows (see `on_common_rows`) with one draw of blocks for both.

    >>> day = np.repeat(np.arange("2011-10-01", "2011-10-25", dtype="datetime64[D]"), 10)
    >>> truth = np.tile(np.arange(1.0, 11), 24)
    >>> rows = {"day": day, "y": truth, "ours": truth + 1, "theirs": truth + 2}
    >>> ours = Scored(columns=rows, truth="y", answer="ours", day="day")
    >>> from lockgate.evaluation.metrics import METRICS
    >>> compare(ours, ours.answering("theirs"), metric=METRICS["mae"]).relative.value
    -0.5
    """
    drawn = resample(ratios(metric, [first, second]), [(0, 1)], replicates=replicates, seed=seed)
    return Comparison(
        first=drawn.interval(0, level=level), second=drawn.interval(1, level=level), relative=_relative(drawn, level)
    )


def _relative(drawn: Resamples, level: float) -> Interval:
    values = drawn.ratios.values()
    n = int(drawn.ratios.n[0])
    with np.errstate(all="ignore"):
        value = float(values[0] / values[1] - 1) if values[1] else (0.0 if values[0] == 0 else nan)
    low, high = drawn.bounds(2, level=level)
    if drawn.ratios.log:
        low, high = (expm1(bound) if bound < FAR else inf for bound in (low, high))
    elif values[1]:  # a flawless answer has no logarithm: the difference, in units of the second
        low, high = low / float(values[1]), high / float(values[1])
    if drawn.ratios.bounds[0] == 0:  # nothing can be more than 100% lower
        low = max(low, -1.0)
    return drawn.as_interval(value, low, high, n=n, level=level)


def relative_at(
    first: Scored, second: Scored, *, metric: Metric, levels: Sequence[float], replicates: int = REPLICATES, seed: int = SEED
) -> tuple[Interval, ...]:  # fmt: skip
    """`compare`'s relative difference at several levels, from one draw: what a step-down correction asks for."""
    drawn = resample(ratios(metric, [first, second]), [(0, 1)], replicates=replicates, seed=seed)
    return tuple(_relative(drawn, level) for level in levels)


def on_common_rows(first: Scored, second: Scored) -> tuple[Scored, Scored]:
    """Both tables cut to the rows they share, in the order of the first.

    Rows are matched by `identity`; without it they must already be the same rows in the same order.
    Raises UsageError when a key names two rows, when rows cannot be matched, or when their truths differ.
    """
    if first.identity and first.identity == second.identity:
        first, second = _matched(first, second)
    if not same_rows(first, second):
        what = "truths" if first.unit == "row" else f"{first.unit}s and truths"
        raise UsageError(
            "two answers were not scored on the same rows", value=f"{len(first):,} and {len(second):,} rows",
            allowed=f"the same keys, or the same {what} in the same order",
        )  # fmt: skip
    return first, second


def same_rows(first: Scored, second: Scored) -> bool:
    """Whether two tables hold the same days or clusters and the same truths in the same order."""
    if len(first) != len(second) or first.unit != second.unit:
        return False
    same_blocks = first.unit == "row" or np.array_equal(first.column(first.blocks), second.column(second.blocks))
    return same_blocks and np.array_equal(first.role("truth"), second.role("truth"), equal_nan=True)


def _matched(first: Scored, second: Scored) -> tuple[Scored, Scored]:
    """Both cut to the rows that they share; a table that is cut to all of its rows in their order is not copied."""
    ours, theirs = numbered(first.named_by(), second.named_by())
    for numbers in (ours, theirs):
        if seen_before(numbers).any():
            what, value = "two scored rows have the same key", ", ".join(first.identity)
            raise UsageError(what, value=value, allowed="one row per key")
    if np.array_equal(ours, theirs):
        return first, second
    left, right = where_in(ours, theirs)
    return (first if len(left) == len(first) else first.subset(left)), second.subset(right)


@dataclass(frozen=True, slots=True, kw_only=True)
class DieboldMariano:
    """A test of equal accuracy. `statistic` below zero: the first loses less.

    Attributes:
        enough: whether there are at least ten periods per step of the horizon; below, the size is off.
        fallback: the plain variance was not positive, so the Bartlett kernel was used instead.
    """

    statistic: float
    p_value: float
    periods: int
    horizon: int
    enough: bool
    fallback: bool = False


def diebold_mariano(
    first: ArrayLike, second: ArrayLike, *, horizon: int = 1, kernel: Literal["acf", "bartlett"] = "acf",
    alternative: Literal["two_sided", "less"] = "two_sided",
) -> DieboldMariano:  # fmt: skip
    """Test two series of per-period losses for equal means (Diebold and Mariano 1995).

    With the small-sample correction and t(n - 1) of Harvey, Leybourne and Newbold (1997). Not for nested models.

    Args:
        first, second: loss per period, in time order, equal length, no nulls.
        horizon: steps ahead; losses may be correlated up to `horizon - 1` periods.
        alternative: `less` asks whether the first loses less.
    """
    from scipy.special import stdtr  # pyright: ignore[reportMissingTypeStubs]  lazy: only this test needs it

    difference = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    n = difference.size
    result = DieboldMariano(statistic=nan, p_value=nan, periods=n, horizon=horizon, enough=n >= 10 * horizon)
    if n <= horizon or not np.isfinite(difference).all():
        return result
    variance = _long_run_variance(difference, horizon, kernel)
    fallback = kernel == "acf" and variance <= 0
    if fallback:
        variance = _long_run_variance(difference, horizon, "bartlett")
    if variance <= 0:
        return result
    statistic = float(difference.mean()) / sqrt(variance / n) * hln_factor(n, horizon)
    below = float(stdtr(n - 1, statistic))
    p_value = below if alternative == "less" else 2 * min(below, 1 - below)
    return DieboldMariano(
        statistic=statistic, p_value=p_value, periods=n, horizon=horizon, enough=result.enough, fallback=fallback
    )


def hln_factor(n: int, horizon: int) -> float:
    """The correction of Harvey, Leybourne and Newbold (1997) that shrinks the statistic in small samples.

    >>> round(hln_factor(20, 4), 6)
    0.824621
    """
    return sqrt(max(0.0, (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n))


def _long_run_variance(difference: NDArray[np.float64], horizon: int, kernel: str) -> float:
    centered, n = difference - difference.mean(), difference.size
    covariance = [float(centered[lag:] @ centered[: n - lag]) / n for lag in range(horizon)]
    weights = [1 - lag / horizon if kernel == "bartlett" else 1.0 for lag in range(horizon)]
    return covariance[0] + 2 * sum(w * c for w, c in zip(weights[1:], covariance[1:], strict=True))
