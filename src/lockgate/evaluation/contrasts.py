"""Sums and differences of one metric over several answers to the same rows, each with its interval.

A contrast is a weight per answer: (-1, 1) is the second minus the first. Unlike `compare`, nothing is relative: contrasts are in the
metric's own unit, so that those which add up to a whole do so in print, too. Days are drawn once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, isfinite

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.resampling import REPLICATES, SEED, Ratios, Resamples, draws, studentized

__all__ = ["contrasts"]

Floats = NDArray[np.float64]
ROUNDING = 1e-26  # a variance below this share of its parts is rounding: identical answers must have error 0


def contrasts(
    over: Ratios, weights: Sequence[Sequence[float]], *, level: float = 0.95, replicates: int = REPLICATES, seed: int = SEED
) -> tuple[Interval, ...]:  # fmt: skip
    """The weighted sum of the metrics, per row of `weights`, by the studentized bootstrap over whole days.

    Args:
        over: the metric of G answers on identical rows.
        weights: one number per answer, shape (C, G).

    >>> day = np.arange(10.0)[:, None]
    >>> over = Ratios(top=np.hstack([day + 2, day + 1]), bottom=np.ones((10, 2)), n=np.array([10, 10]))
    >>> [round(i.value, 6) for i in contrasts(over, [(1, -1), (1, 0)])]
    [1.0, 6.5]
    """
    factors = np.asarray(weights, dtype=np.float64).reshape(-1, len(over.n))
    rows = np.stack([over.top, over.bottom], axis=2).reshape(over.blocks, -1)  # top, bottom, top, bottom …
    center, error = _linear(over, factors, rows, np.ones((1, over.blocks)))
    found = list[Floats]()
    for counts, drawn in draws(rows, replicates, seed, width=2 * rows.shape[0] * len(factors)):
        values, spread = _linear(over, factors, drawn, counts)
        found.append(studentized(values, center, spread))
    none = np.zeros((0, 2), dtype=np.int64)
    drawn = Resamples(ratios=over, pairs=none, center=center[0], error=error[0], t=np.concatenate(found), joint=False)
    return tuple(_interval(drawn, at, factors[at], level) for at in range(len(factors)))


def _interval(drawn: Resamples, at: int, weights: Floats, level: float) -> Interval:
    """The value is summed exactly, so that what cancels is zero to the last bit."""
    used = [(float(w), float(v)) for w, v in zip(weights, drawn.ratios.values(), strict=True) if w]
    defined = all(isfinite(v) for _, v in used)
    value = fsum(w * v for w, v in used) if defined else float("nan")
    low, high = (float(bound) for bound in drawn.bounds(at, level=level))
    return drawn.as_interval(value, low, high, n=int(drawn.ratios.n.max(initial=0)), level=level)


def _linear(over: Ratios, weights: Floats, rows: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Value and standard error of each contrast in each resample, shape (B, C), by linearisation of the ratio."""
    top, bottom, days = rows[:, 0::2], rows[:, 1::2], counts[0].sum()
    sums_top, sums_bottom = counts @ top, counts @ bottom
    with np.errstate(all="ignore"):
        values = (sums_top / sums_bottom) ** over.power
        # d(value) = value * power * (d top / top - d bottom / bottom); a flawless day has top 0
        flawless = (over.power == 1.0) / sums_bottom
        on_top = np.where(sums_top == 0, flawless, over.power * values / sums_top)
        on_bottom = -over.power * values / sums_bottom
        by_top, by_bottom = (weights[None] * part[:, None, :] for part in (on_top, on_bottom))  # (B, C, G)
        influence = by_top @ top.T + by_bottom @ bottom.T  # (B, C, D)
        size = np.abs(by_top) @ np.abs(top).T + np.abs(by_bottom) @ np.abs(bottom).T
        variance, whole = ((counts[:, None, :] * part**2).sum(-1) for part in (influence, size))
        variance *= days / (days - 1) if days > 1 else 1.0
        error = np.sqrt(np.where(variance > ROUNDING * whole, variance, 0.0))
        return np.where(weights[None] != 0, weights[None] * values[:, None, :], 0.0).sum(-1), error
