"""BCa intervals of any number: the bootstrap, corrected for bias and for an error that grows with the value (Efron 1987).

For metrics that are ratios of sums the studentized intervals of `resampling` are the default. This is for every other
function of a table: an own metric, a median, an AUC of an own making. Few days make the bootstrap too narrow, so the tails are
those of Student's t (Hesterberg, The American Statistician 69, 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, nan
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.blocks import LEAST_BLOCKS, Blocks, blocks_of
from lockgate.evaluation.contrasts import expanded_tail
from lockgate.evaluation.intervals import Interval, too_few
from lockgate.evaluation.joint import SUREST
from lockgate.evaluation.resampling import SEED, method_over
from lockgate.evaluation.scored import Scored

__all__ = ["bca", "bca_bounds"]

Floats = NDArray[np.float64]
REPLICATES = 2_000  # each resample calls the function once
NORMAL = NormalDist()
JACKKNIFE = 200  # so many groups of blocks are left out in turn, where there are more


def bca(
    scored: Scored, function: Callable[[Scored], float], *, level: float = 0.95, replicates: int = REPLICATES, seed: int = SEED
) -> Interval:  # fmt: skip
    """The interval of `function(scored)`; whole days, whole clusters or single rows are drawn, as the table says.

    A resample of which the function knows nothing (NaN) counts for neither side; when a tenth has none, neither has the interval.

    >>> rows = {"y": np.arange(30.0), "f": np.arange(30.0) + 1}
    >>> table = Scored(columns=rows, truth="y", answer="f")
    >>> found = bca(table, lambda t: float(np.median(t.role("truth"))), replicates=500)
    >>> found.value, found.low < 14.5 < found.high
    (14.5, True)
    """
    blocks = blocks_of(scored, np.arange(len(scored))) if len(scored) else None
    value = _called(function, scored) if blocks else nan
    if blocks is None or not isfinite(value) or blocks.units < LEAST_BLOCKS:
        why = "there are no rows" if not blocks else too_few(blocks.units, blocks.unit)
        return _interval(
            scored, blocks, value, (nan, nan), level, 0, why if isfinite(value) or not blocks else UNDEFINED
        )
    members = _members(blocks)
    random = np.random.default_rng(seed)
    drawn = np.array([_called(function, _drawn(scored, members, random)) for _ in range(replicates)])
    left = np.array([_called(function, _without(scored, members, part)) for part in _parts(len(members))])
    known = drawn[np.isfinite(drawn)]
    if len(known) < 0.9 * replicates or not np.isfinite(left).all():
        return _interval(scored, blocks, value, (nan, nan), level, replicates, "too many resamples have no value")
    if (known == value).all():
        return _interval(scored, blocks, value, (nan, nan), level, replicates, SAME)
    bounds = bca_bounds(value, known, left, level=min(1 - 2 * expanded_tail(blocks.units, level=level), SUREST))
    return _interval(scored, blocks, value, bounds, level, replicates, "")


UNDEFINED = "undefined on these rows"
SAME = "every resample has the same value, which says nothing about how sure it is"


def bca_bounds(value: float, drawn: Floats, left_out: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """Low and high from what resamples gave (`drawn`) and what leaving each unit out gave (`left_out`).

    >>> bca_bounds(5.0, np.full(100, 5.0), np.full(10, 5.0))
    (5.0, 5.0)
    """
    below = ((drawn < value).sum() + 0.5 * (drawn == value).sum()) / len(drawn)
    if below in (0.0, 1.0):
        return float(drawn.min()), float(drawn.max())
    bias = NORMAL.inv_cdf(float(below))
    apart = left_out.mean() - left_out
    size = float((apart**2).sum())
    acceleration = float((apart**3).sum()) / (6 * size**1.5) if size else 0.0
    ends = [_corrected(bias, acceleration, tail) for tail in ((1 - level) / 2, (1 + level) / 2)]
    low, high = (float(np.quantile(drawn, end)) for end in ends)
    return min(low, value), max(high, value)


def _corrected(bias: float, acceleration: float, tail: float) -> float:
    reach = bias + NORMAL.inv_cdf(tail)
    denominator = 1 - acceleration * reach
    if denominator <= 0:  # the correction has no meaning so far out: the outermost resample
        return float(reach > 0)
    return NORMAL.cdf(bias + reach / denominator)


def _called(function: Callable[[Scored], float], scored: Scored) -> float:
    with np.errstate(all="ignore"):
        return float(function(scored))


def _members(blocks: Blocks) -> list[NDArray[np.int64]]:
    order = np.argsort(blocks.index, kind="stable")
    return np.split(order, np.cumsum(np.bincount(blocks.index, minlength=blocks.number))[:-1])


def _drawn(scored: Scored, members: list[NDArray[np.int64]], random: np.random.Generator) -> Scored:
    picks = random.integers(len(members), size=len(members))
    return scored.subset(np.concatenate([members[at] for at in picks]))


def _without(scored: Scored, members: list[NDArray[np.int64]], part: NDArray[np.int64]) -> Scored:
    kept = np.ones(len(scored), dtype=np.bool_)
    kept[np.concatenate([members[at] for at in part])] = False
    return scored.subset(kept)


def _parts(number: int) -> list[NDArray[np.int64]]:
    """Which blocks are left out together: each alone, or in `JACKKNIFE` like parts."""
    return np.array_split(np.random.default_rng(SEED).permutation(number), min(number, JACKKNIFE))


def _interval(
    scored: Scored, blocks: Blocks | None, value: float, bounds: tuple[float, float], level: float, replicates: int, why: str
) -> Interval:  # fmt: skip
    unit = blocks.unit if blocks else scored.unit
    number = 0 if unit == "row" or blocks is None else blocks.units
    return Interval(
        value=value, low=bounds[0], high=bounds[1], level=level, n=len(scored), blocks=number, block=unit, why=why,
        method=method_over("BCa bootstrap", unit, replicates),
    )  # fmt: skip
