"""Sums and differences of one metric over several answers to the same rows, each with its interval.

A contrast is a weight per answer: (-1, 1) is the second minus the first. Unlike `compare`, nothing is relative: contrasts are in the
metric's own unit, so that those which add up to a whole do so in print, too. Whole days (or what the rows have instead) are drawn, once for all
contrasts, as `resampling` does. The interval is the expanded percentile interval (Hesterberg, The American Statistician 69, 2015):
the percentile interval is too narrow with few days, so that its levels are those of Student's t. Studentizing, which single metrics use,
is not for differences of answers: where a change moves few of them, most days do not differ, and some resamples have no spread to divide by.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, isfinite, nan, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.intervals import Interval, too_few
from lockgate.evaluation.resampling import REPLICATES, SEED, Ratios, draws, method_over

__all__ = ["contrasts", "expanded_tail"]

Floats = NDArray[np.float64]
METHOD = "expanded percentiles"
ROUNDING = 1e-12  # what is smaller than this share of the metric itself is rounding


def contrasts(
    over: Ratios, weights: Sequence[Sequence[float]], *, level: float = 0.95, replicates: int = REPLICATES, seed: int = SEED
) -> tuple[Interval, ...]:  # fmt: skip
    """The weighted sum of the metrics, per row of `weights`.

    Args:
        over: the metric of G answers on identical rows.
        weights: one number per answer, shape (C, G).

    >>> day = np.arange(10.0)[:, None]
    >>> over = Ratios(top=np.hstack([day + 2, day + 1]), bottom=np.ones((10, 2)), n=np.array([10, 10]))
    >>> [round(i.value, 6) for i in contrasts(over, [(1, -1), (1, 0)])]
    [1.0, 6.5]
    """
    factors = np.asarray(weights, dtype=np.float64).reshape(-1, len(over.n))
    rows = np.stack([over.top, over.bottom], axis=2).reshape(len(over.top), -1)  # top, bottom, top, bottom …
    drawing = draws(rows, replicates, seed, width=rows.shape[1], often=over.often)
    found = np.concatenate([_sums(over, factors, part, counts) for counts, part in drawing])
    return tuple(_interval(over, factors[at], found[:, at], level) for at in range(len(factors)))


def expanded_tail(blocks: int, *, level: float = 0.95) -> float:
    """Which quantile of the resamples is the lower end: below (1 - level) / 2, by as much as few blocks ask for.

    >>> round(expanded_tail(10), 4), round(expanded_tail(10_000), 4)
    (0.0086, 0.025)
    """
    from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]  lazy: only this needs it

    reach = float(stdtrit(blocks - 1, (1 + level) / 2)) * sqrt(blocks / (blocks - 1))
    return NormalDist().cdf(-reach)


def _sums(over: Ratios, weights: Floats, rows: Floats, counts: Floats) -> Floats:
    """Value of each contrast in each resample, shape (B, C); answers that do not count may be undefined."""
    with np.errstate(all="ignore"):
        values = ((counts @ rows[:, 0::2]) / (counts @ rows[:, 1::2])) ** over.power
        return np.where(weights[None] != 0, weights[None] * values[:, None, :], 0.0).sum(-1)


def _interval(over: Ratios, weights: Floats, drawn: Floats, level: float) -> Interval:
    """The value is summed exactly, so that what cancels is zero to the last bit."""
    used = [(float(w), float(v)) for w, v in zip(weights, over.values(), strict=True) if w]
    value = fsum(w * v for w, v in used) if all(isfinite(v) for _, v in used) else nan
    low, high, why = nan, nan, ""
    if not isfinite(value):
        why = "undefined on these rows, as nothing happened there"
    elif over.blocks < 2:
        why = too_few(over.blocks, over.unit)
    elif not np.isfinite(drawn).all():
        why = f"too few {over.unit}s on which anything happened"
    elif np.abs(drawn - value).max() <= ROUNDING * max(abs(v) for _, v in used):
        low = high = value
    else:
        tail = expanded_tail(over.blocks, level=level)
        low, high = (float(np.quantile(drawn, q)) for q in (tail, 1 - tail))
    return Interval(
        value=value, low=low, high=high, level=level, n=int(over.n.max(initial=0)), why=why, block=over.unit,
        blocks=0 if over.unit == "row" else over.blocks, method=method_over(METHOD, over.unit, len(drawn)),
    )  # fmt: skip
