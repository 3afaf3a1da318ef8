"""How good is one feature alone? A feature that does nearly all that the model does is often the answer in disguise.

Each feature predicts by itself: the mean truth of the training rows in its bin (at most forty bins of equal counts; a
text is its own bin; missing is one). Skill is R squared on the holdout, and for a truth of two values 2 AUC - 1 (Gini).
"""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from lockgate.gates.rows import Column, is_missing

__all__ = ["alone", "skill"]

BINS = 40
MOST_ROWS = 200_000
"""More training rows than these are thinned evenly; a mean per bin needs no more."""

Floats = NDArray[np.float64]


def skill(truth: Floats, answer: Floats) -> float:
    """R squared, or 2 AUC - 1 where the truth has two values; NaN where neither can be had.

    >>> skill(np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.1, 0.9, 0.8, 0.4]))
    1.0
    """
    known = np.isfinite(truth) & np.isfinite(answer)
    truth, answer = truth[known], answer[known]
    values = np.unique(truth)
    if len(values) < 2:
        return nan
    if len(values) == 2:
        high = truth == values[1]
        ranks = rankdata(answer)
        wins = ranks[high].sum() - high.sum() * (high.sum() + 1) / 2
        return float(2 * wins / (high.sum() * (~high).sum()) - 1)
    with np.errstate(over="ignore", invalid="ignore"):  # a miss too large to square is no skill at all
        return float(1 - ((truth - answer) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def alone(feature: Column, target: Floats, asked: Column) -> Floats:
    """What one feature predicts of `asked`: the mean `target` of the training rows in the same bin, else the mean of all."""
    step = max(1, len(target) // MOST_ROWS)
    known = np.isfinite(target[::step])
    feature, target = feature[::step][known], target[::step][known]
    if not len(target):
        return np.full(len(asked), nan)
    edges = _edges(feature)
    trained, wanted = _bins(feature, edges), _bins(asked, edges)
    names, at = np.unique(trained, return_inverse=True)
    means = np.bincount(at, weights=target) / np.bincount(at)
    place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(names[place] == wanted, means[place], target.mean())


def _edges(feature: Column) -> Floats | None:
    """Where numbers are cut; None: values are their own bins."""
    if feature.dtype.kind not in "fiu":
        return None
    known = feature[~is_missing(feature)].astype(np.float64)
    return np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if known.size else np.array([])


def _bins(column: Column, edges: Floats | None) -> Column:
    if edges is None:
        return np.datetime_as_string(column) if column.dtype.kind == "M" else column.astype(np.str_)
    numbers = column.astype(np.float64)
    return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="right"), -1)
