"""Several methods on several data sets: do their ranks differ, and which do? (Demšar, JMLR 7, 2006)

Numbers of different data sets cannot be averaged; ranks can.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.errors import UsageError

__all__ = ["Friedman", "critical_difference", "friedman", "signed_ranks"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Friedman:
    """Mean ranks (1 is best) and the tests that they are equal.

    Attributes:
        chi2, p_value: Friedman 1937, not corrected for ties, as Demšar prints it.
        f, f_p_value: Iman and Davenport 1980, less cautious; with (methods - 1) and (methods - 1) (sets - 1) degrees of freedom.
    """

    ranks: Floats
    chi2: float
    p_value: float
    f: float
    f_p_value: float


def friedman(scores: ArrayLike, *, better: str = "higher") -> Friedman:
    """Rank methods (columns) within each data set (row); ties share the mean of their ranks.

    >>> friedman([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]]).ranks.tolist()
    [1.0, 2.0, 3.0]
    """
    from scipy.special import chdtrc, fdtrc  # pyright: ignore[reportMissingTypeStubs]  lazy: only this test needs it

    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table) or not np.isfinite(table).all():
        raise UsageError(
            "methods cannot be ranked", value=f"shape {table.shape}", allowed="sets × methods, all numbers known"
        )
    sets, methods = table.shape
    ranks = np.stack([_ranks(row if better == "lower" else -row) for row in table]).mean(0)
    chi2 = 12 * sets / (methods * (methods + 1)) * float((ranks**2).sum() - methods * (methods + 1) ** 2 / 4)
    rest = sets * (methods - 1) - chi2
    f = (sets - 1) * chi2 / rest if rest > 1e-9 else float("inf")
    of = (methods - 1, (methods - 1) * (sets - 1))
    return Friedman(
        ranks=ranks, chi2=chi2, p_value=float(chdtrc(methods - 1, max(0.0, chi2))), f=f,
        f_p_value=float(fdtrc(*of, f)) if of[1] and f >= 0 else nan,
    )  # fmt: skip


def critical_difference(methods: int, sets: int, *, level: float = 0.95) -> float:
    """Mean ranks that lie further apart than this differ (Nemenyi 1963): the studentized range over sqrt(2).

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    from scipy.stats import studentized_range  # pyright: ignore[reportMissingTypeStubs]  slow to import

    q = float(studentized_range.ppf(level, methods, np.inf)) / sqrt(2)
    return q * sqrt(methods * (methods + 1) / (6 * sets))


def signed_ranks(first: ArrayLike, second: ArrayLike) -> tuple[float, float]:
    """Wilcoxon's rank sums over data sets: where the second is larger, and where the first is; no difference counts half.

    >>> signed_ranks([1.0, 2.0, 3.0], [1.5, 2.0, 2.0])
    (2.5, 3.5)
    """
    apart = np.round(np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64), 12)
    ranks = _ranks(np.abs(apart))
    same = float(ranks[apart == 0].sum()) / 2
    return float(ranks[apart > 0].sum()) + same, float(ranks[apart < 0].sum()) + same


def _ranks(values: Floats) -> Floats:
    _, which, often = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(often)
    return (last - (often - 1) / 2)[which]
