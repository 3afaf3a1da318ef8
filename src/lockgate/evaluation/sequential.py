"""Looking more than once: what repeated looks do to a test, and bounds that stay honest.

Five looks at 5% each are wrong in 14 of 100 cases (Armitage, McPherson and Rowe 1969). Pocock's bound is the same at
every look, that of O'Brien and Fleming is high first. An always-valid p-value may be looked at after every row.
"""

from __future__ import annotations

from math import ceil, exp, log, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["false_alarm", "group_sequential", "likelihood_ratio"]

Floats = NDArray[np.float64]
STEP, FAR = (
    0.025,
    40.0,
)  # of the grid that densities are kept on, in standard errors of one look; where it ends at the latest


def false_alarm(bounds: list[float]) -> float:
    """How often |z| crosses its bound at one of equally spaced looks when nothing is there.

    By carrying the density of the running sum from look to look (Armitage, McPherson and Rowe 1969).

    >>> round(false_alarm([1.959964] * 5), 3)
    0.142
    """
    normal, alarm = NormalDist(), 0.0
    density, grid = np.array([1.0]), np.array([0.0])
    for look, bound in enumerate(bounds, start=1):
        limit = bound * sqrt(look)
        edge = min(limit, FAR)
        after, step = np.linspace(-edge, edge, 2 * ceil(edge / STEP) + 1, retstep=True)
        alarm += float((density * np.array([1 - normal.cdf(limit - x) + normal.cdf(-limit - x) for x in grid])).sum())
        moved = np.exp(-0.5 * (after[:, None] - grid[None]) ** 2) / sqrt(2 * np.pi)
        weights = np.full(len(after), float(step))
        weights[[0, -1]] /= 2
        density, grid = (moved @ density) * weights, after
    return alarm


def group_sequential(looks: int, kind: Literal["pocock", "obrien_fleming"] = "pocock", *, level: float = 0.95) -> float:
    """The constant c that keeps `level` over so many looks: |z| crosses c (Pocock 1977), or c sqrt(looks / look)
    (O'Brien and Fleming 1979).

    >>> round(group_sequential(2), 3), round(group_sequential(2, "obrien_fleming"), 3)
    (2.178, 1.977)
    """
    low, high = 1.0, 5.0
    for _ in range(24):
        c = (low + high) / 2
        bounds = [c if kind == "pocock" else c * sqrt(looks / look) for look in range(1, looks + 1)]
        low, high = (c, high) if false_alarm(bounds) > 1 - level else (low, c)
    return (low + high) / 2


def likelihood_ratio(n: int, mean: float, *, variance: float, spread: float) -> float:
    """The mixture sequential likelihood ratio of a mean against zero; 1 over its largest value so far is an always-valid
    p-value (Robbins 1970; Johari, Pekelis and Walsh 2022).

    Args:
        spread: variance of the effects that are thought possible.

    >>> round(likelihood_ratio(100, 0.3, variance=1.0, spread=0.1), 6)
    18.028637
    """
    total = variance + n * spread
    exponent = n * n * spread * mean * mean / (2 * variance * total)
    return sqrt(variance / total) * exp(exponent) if exponent < log(1e300) else float("inf")
