"""How far off the answers were before, turned into an interval that should hold the truth four times in five.

Errors of the windows before the test, where no model had learned from the day it answered, are measured in spreads
(the product's own mean distance from its mean, plus one piece) and sorted by how much was forecast: a product that
hardly sells errs otherwise than a best-seller. Nothing is assumed about their shape.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from demand.panel import Floats
from demand.train import Choice
from lockgate import step

BANDS = 6
MISSED = 0.2  # of the truths lie outside, at most half of them below


@dataclass(frozen=True)
class Interval:
    """Per band of forecast pieces: from its edge up, the errors below and above which few truths lie, in spreads."""

    nominal: float
    edges: list[float]
    below: list[float]
    above: list[float]


@step
def interval(trials: pl.DataFrame, choice: Choice) -> Interval:
    """The interval of the chosen candidate, from its errors on all windows before the test."""
    forecast = trials[choice.candidate].to_numpy()
    error = (trials["actual"].to_numpy() - forecast) / scale(trials["spread"].to_numpy())
    edges = np.quantile(forecast, np.linspace(0, 1, BANDS + 1)[1:-1]).round(2)
    band = np.searchsorted(edges, forecast, side="right")
    floor = -forecast / scale(trials["spread"].to_numpy())
    pairs = [_pair(error[band == number], floor[band == number]) for number in range(BANDS)]
    return Interval(1 - MISSED, edges.tolist(), [low for low, _ in pairs], [high for _, high in pairs])


def _pair(error: Floats, floor: Floats) -> tuple[float, float]:
    """The lower error leaves a tenth below it, the upper one as much above as makes a fifth outside.

    An answer cannot fall under 0 (`floor`), so that fewer may lie below; then more may lie above.
    """
    low = float(np.quantile(error, MISSED / 2))
    under = float((error < np.maximum(low, floor)).mean())
    high = float(np.quantile(error, 1 - (MISSED - under)))
    return round(min(low, 0.0), 4), round(max(high, 0.0), 4)


def around(interval: Interval, units: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Low and high for each answer, in pieces, never below 0."""
    band = np.searchsorted(np.array(interval.edges), units, side="right")
    low = units + np.array(interval.below)[band] * scale(spread)
    high = units + np.array(interval.above)[band] * scale(spread)
    return np.round(np.maximum(low, 0.0), 2), np.round(high, 2)


def scale(spread: Floats) -> Floats:
    """The measure of errors, in pieces."""
    return spread + 1.0
