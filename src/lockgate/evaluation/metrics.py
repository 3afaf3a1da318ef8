"""Metrics: what is computed from truths and answers.

Every metric in `METRICS` is a ratio of two sums over rows, raised to a power. So per-day sums are all that
a resampled day needs, and ten thousand resamples are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.errors import NotFound, did_you_mean
from lockgate.evaluation.scored import Scored

__all__ = [
    "METRICS",
    "SHARE",
    "Metric",
    "accuracy",
    "bias",
    "coverage",
    "mae",
    "metric_named",
    "pinball",
    "rmse",
    "wape",
]

Floats = NDArray[np.float64]
Terms = tuple[Floats, Floats]
SHARE = (0.0, 1.0)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _ratio(terms: Terms, power: float = 1.0) -> float:
    top, bottom = terms[0].sum(), terms[1].sum()
    return float((top / bottom) ** power) if bottom else float("nan")


def _wape_terms(truth: Floats, answer: Floats) -> Terms:
    return np.abs(truth - answer), np.abs(truth)


def _mae_terms(truth: Floats, answer: Floats) -> Terms:
    return np.abs(truth - answer), np.ones_like(truth)


def _bias_terms(truth: Floats, answer: Floats) -> Terms:
    return answer - truth, np.ones_like(truth)


def _rmse_terms(truth: Floats, answer: Floats) -> Terms:
    return (truth - answer) ** 2, np.ones_like(truth)


def _accuracy_terms(truth: Floats, answer: Floats) -> Terms:
    return (truth == answer).astype(np.float64), np.ones_like(truth)


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
    return _ratio(_wape_terms(_floats(truth), _floats(answer)))


def mae(truth: ArrayLike, answer: ArrayLike) -> float:
    """Mean absolute error, in the unit of the truth.

    >>> mae([4, 0, 5], [3, 1, 6])
    1.0
    """
    return _ratio(_mae_terms(_floats(truth), _floats(answer)))


def bias(truth: ArrayLike, answer: ArrayLike) -> float:
    """Mean of answer minus truth: positive when too much is forecast.

    >>> bias([4, 0], [6, 1])
    1.5
    """
    return _ratio(_bias_terms(_floats(truth), _floats(answer)))


def rmse(truth: ArrayLike, answer: ArrayLike) -> float:
    """Root of the mean squared error.

    >>> rmse([0, 0], [3, 3])
    3.0
    """
    return _ratio(_rmse_terms(_floats(truth), _floats(answer)), 0.5)


def accuracy(truth: ArrayLike, answer: ArrayLike) -> float:
    """Share of answers that equal the truth.

    >>> accuracy([1, 0, 1, 1], [1, 0, 0, 1])
    0.75
    """
    return _ratio(_accuracy_terms(_floats(truth), _floats(answer)))


def coverage(truth: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of truths inside the answered interval, both ends included.

    >>> coverage([1, 5, 9], [0, 0, 0], [5, 5, 5]) == 2 / 3
    True
    """
    return _ratio(_coverage_terms(_floats(truth), _floats(low), _floats(high)))


def pinball(truth: ArrayLike, answer: ArrayLike, level: float) -> float:
    """Mean pinball loss of an answered quantile (Koenker and Bassett 1978).

    >>> pinball([10, 10], [8, 12], 0.9)
    1.0
    """
    return _ratio(_pinball_terms(level)(_floats(truth), _floats(answer)))


def _pinball_at(level: float) -> Callable[[ArrayLike, ArrayLike], float]:
    return lambda truth, answer: pinball(truth, answer, level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric by name: `(sum of top / sum of bottom) ** power`.

    Attributes:
        words: as a product owner reads it, inside a sentence.
        meaning: how it is computed, for somebody who never heard of it.
        function: arrays in the order of `inputs` → number.
        terms: the same arrays → per-row top and bottom.
        inputs: which columns of `Scored` it reads.
        better: where good is; `neither` has a target (coverage, bias), so it never decides which of two is better.
        bounds: what the value can be.
        unit: `share` is read in per cent; empty is the unit of the truth.
    """

    name: str
    words: str
    function: Callable[..., float]
    terms: Callable[..., Terms]
    inputs: tuple[str, ...] = ("truth", "answer")
    power: float = 1.0
    better: Literal["lower", "higher", "neither"] = "lower"
    bounds: tuple[float, float] = (0.0, inf)
    unit: str = ""
    meaning: str = ""

    def rows(self, scored: Scored) -> Terms:
        """Per-row top and bottom."""
        return self.terms(*(scored.role(role) for role in self.inputs))

    def value(self, scored: Scored) -> float:
        """The metric over all rows; NaN where it is undefined."""
        return _ratio(self.rows(scored), self.power)


_ALL: tuple[Metric, ...] = (
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
        name="accuracy", words="accuracy", function=accuracy, terms=_accuracy_terms,
        better="higher", bounds=SHARE, unit="share", meaning="the share of answers that are right",
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
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def metric_named(name: Any, *, comparable: bool = False) -> Metric:
    """Look a metric up. `comparable` asks for one that can say which of two answers is better."""
    known = {n for n, m in METRICS.items() if not comparable or m.better != "neither"}
    if name not in known:
        what = "no such metric that can say which answer is better" if comparable else "no such metric"
        raise NotFound(what, value=str(name), allowed=did_you_mean(str(name), known))
    return METRICS[name]
