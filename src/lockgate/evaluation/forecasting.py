"""Metrics of forecasts and other numbers, and of the intervals around them."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
from numpy.typing import ArrayLike

from lockgate.evaluation.metric import SHARE, Floats, Metric, Terms, floats, ratio

__all__ = ["FORECASTING", "bias", "coverage", "mae", "mase", "pinball", "rmse", "rmsse", "wape"]


def _wape_terms(truth: Floats, answer: Floats) -> Terms:
    return np.abs(truth - answer), np.abs(truth)


def _mae_terms(truth: Floats, answer: Floats) -> Terms:
    return np.abs(truth - answer), np.ones_like(truth)


def _bias_terms(truth: Floats, answer: Floats) -> Terms:
    return answer - truth, np.ones_like(truth)


def _rmse_terms(truth: Floats, answer: Floats) -> Terms:
    return (truth - answer) ** 2, np.ones_like(truth)


def _mase_terms(truth: Floats, answer: Floats, scale: Floats) -> Terms:
    return np.abs(truth - answer) / scale, np.ones_like(truth)


def _rmsse_terms(truth: Floats, answer: Floats, scale: Floats) -> Terms:
    return ((truth - answer) / scale) ** 2, np.ones_like(truth)


def _coverage_terms(truth: Floats, low: Floats, high: Floats) -> Terms:
    return ((low <= truth) & (truth <= high)).astype(np.float64), np.ones_like(truth)


def _pinball_terms(level: float) -> Callable[..., Terms]:
    def terms(truth: Floats, answer: Floats) -> Terms:
        over = truth - answer
        return np.maximum(level * over, (level - 1) * over), np.ones_like(truth)

    return terms


def wape(truth: ArrayLike, answer: ArrayLike) -> float:
    """Weighted absolute percentage error: all misses over all that happened. NaN when nothing happened.

    >>> wape([4, 0, 6], [3, 1, 6])
    0.2
    """
    return ratio(_wape_terms(floats(truth), floats(answer)))


def mae(truth: ArrayLike, answer: ArrayLike) -> float:
    """Mean absolute error, in the unit of the truth.

    >>> mae([4, 0, 5], [3, 1, 6])
    1.0
    """
    return ratio(_mae_terms(floats(truth), floats(answer)))


def bias(truth: ArrayLike, answer: ArrayLike) -> float:
    """Mean of answer minus truth: positive when too much is forecast.

    >>> bias([4, 0], [6, 1])
    1.5
    """
    return ratio(_bias_terms(floats(truth), floats(answer)))


def rmse(truth: ArrayLike, answer: ArrayLike) -> float:
    """Root of the mean squared error.

    >>> rmse([0, 0], [3, 3])
    3.0
    """
    return ratio(_rmse_terms(floats(truth), floats(answer)), 0.5)


def mase(truth: ArrayLike, answer: ArrayLike, scale: ArrayLike) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006): below 1 is better than repeating the last value in training.

    Args:
        scale: per row, the mean absolute error of the naive forecast of its series in training.

    >>> mase([10, 14], [11, 11], [2, 2])
    1.0
    """
    return ratio(_mase_terms(floats(truth), floats(answer), floats(scale)))


def rmsse(truth: ArrayLike, answer: ArrayLike, scale: ArrayLike) -> float:
    """Root mean squared scaled error, over all rows at once (Makridakis et al. 2022 average it by series).

    Args:
        scale: per row, the root mean squared error of the naive forecast of its series in training.

    >>> rmsse([10, 14], [13, 10], [1, 1]) == 12.5 ** 0.5
    True
    """
    return ratio(_rmsse_terms(floats(truth), floats(answer), floats(scale)), 0.5)


def coverage(truth: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of truths inside the answered interval, both ends included.

    >>> coverage([1, 5, 9], [0, 0, 0], [5, 5, 5]) == 2 / 3
    True
    """
    return ratio(_coverage_terms(floats(truth), floats(low), floats(high)))


def pinball(truth: ArrayLike, answer: ArrayLike, level: float) -> float:
    """Mean pinball loss of an answered quantile (Koenker and Bassett 1978).

    >>> pinball([10, 10], [8, 12], 0.9)
    1.0
    """
    return ratio(_pinball_terms(level)(floats(truth), floats(answer)))


def _pinball_at(level: float) -> Callable[[ArrayLike, ArrayLike], float]:
    return lambda truth, answer: pinball(truth, answer, level)


FORECASTING: tuple[Metric, ...] = (
    Metric(
        name="wape", words="forecast error (WAPE)", function=wape, terms=_wape_terms, unit="share",
        meaning="all misses added up, as a share of the sum of what really happened; 0 is perfect",
    ),
    Metric(
        name="mae", words="mean absolute error", function=mae, terms=_mae_terms,
        meaning="how far an answer is off on average",
    ),
    Metric(
        name="rmse", words="root mean squared error", function=rmse, terms=_rmse_terms, power=0.5,
        meaning="how far an answer is off, large misses counting more",
    ),
    Metric(
        name="bias", words="bias (answer minus truth)", function=bias, terms=_bias_terms,
        better="neither", bounds=(-inf, inf),
    ),
    Metric(
        name="mase", words="scaled error (MASE)", function=mase, terms=_mase_terms, inputs=("truth", "answer", "scale"),
        meaning="how far an answer is off, in units of what repeating the last value missed in training; below 1 beats that",
        domains={"scale": "positive"},
    ),
    Metric(
        name="rmsse", words="scaled squared error (RMSSE)", function=rmsse, terms=_rmsse_terms, power=0.5,
        inputs=("truth", "answer", "scale"), domains={"scale": "positive"},
        meaning="as MASE, large misses counting more",
    ),
    Metric(
        name="coverage", words="interval coverage", function=coverage, terms=_coverage_terms,
        inputs=("truth", "low", "high"), better="neither", bounds=SHARE, unit="share",
    ),
    Metric(
        name="pinball_10", words="pinball loss of the 10% bound", terms=_pinball_terms(0.1),
        inputs=("truth", "low"), function=_pinball_at(0.1),
    ),
    Metric(
        name="pinball_90", words="pinball loss of the 90% bound", terms=_pinball_terms(0.9),
        inputs=("truth", "high"), function=_pinball_at(0.9),
    ),
)  # fmt: skip
