"""Only cross-validation is there: a t-test over folds that knows that training sets overlap (Nadeau and Bengio 2003).

Folds share most of their training rows, so their scores go together and a plain t-test finds differences that are not there.
"""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["corrected_t", "variance_factor"]


def variance_factor(folds: int, test_over_train: float) -> float:
    """What the variance over folds is multiplied with; naively it would be 1 / folds.

    >>> round(variance_factor(10, 1 / 9), 4)
    0.2111
    """
    return 1 / folds + test_over_train


def corrected_t(differences: ArrayLike, *, test_over_train: float) -> tuple[float, float]:
    """Statistic and two-sided p-value of the mean difference per fold; NaN where none can be had.

    Args:
        test_over_train: rows in a fold's test over rows in its training, 1/9 with ten folds.

    >>> statistic, p_value = corrected_t([0.02, 0.01, 0.03, 0.02], test_over_train=1 / 3)
    >>> round(statistic, 3), round(p_value, 3)
    (3.207, 0.049)
    """
    from scipy.special import stdtr  # pyright: ignore[reportMissingTypeStubs]  lazy: only this test needs it

    given = np.asarray(differences, dtype=np.float64)
    n = given.size
    if n < 2 or not np.isfinite(given).all() or not (variance := float(given.var(ddof=1))):
        return nan, nan
    statistic = float(given.mean()) / sqrt(variance * variance_factor(n, test_over_train))
    return statistic, 2 * float(stdtr(n - 1, -abs(statistic)))
