"""Two classifiers on the same rows: who is right where the other is wrong?

Rows that both get right or both get wrong say nothing about which is better; only the discordant ones do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan, sqrt

from lockgate.evaluation.comparison import on_common_rows
from lockgate.evaluation.intervals import Interval, apart, wilson
from lockgate.evaluation.scored import Scored

__all__ = ["McNemar", "discordant", "mcnemar", "paired_shares", "right_more_often"]


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Tests of equal error rates from discordant rows; NaN when there is none.

    Attributes:
        first_only, second_only: rows that only the first, only the second, gets right.
        mid_p: the one to use (Fagerland, Lydersen and Laake 2013): close to nominal where `exact` is cautious.
        exact: binomial, two-sided.
        chi2, p_value: McNemar 1947 without, and `chi2_corrected`, `p_corrected` with the continuity correction.
    """

    first_only: int
    second_only: int
    mid_p: float
    exact: float
    chi2: float
    p_value: float
    chi2_corrected: float
    p_corrected: float


def mcnemar(first_only: int, second_only: int) -> McNemar:
    """Test whether two classifiers err equally often.

    >>> found = mcnemar(6, 16)
    >>> round(found.exact, 5), round(found.mid_p, 5), round(found.p_corrected, 5), round(found.p_value, 5)
    (0.05248, 0.03469, 0.05501, 0.03301)
    """
    from scipy.special import bdtr, chdtrc  # pyright: ignore[reportMissingTypeStubs]  lazy: only this test needs it

    n, least = first_only + second_only, min(first_only, second_only)
    if not n:
        counts = {"first_only": first_only, "second_only": second_only}
        return McNemar(**counts, mid_p=nan, exact=nan, chi2=nan, p_value=nan, chi2_corrected=nan, p_corrected=nan)
    below = float(bdtr(least, n, 0.5))
    point = below - (float(bdtr(least - 1, n, 0.5)) if least else 0.0)
    exact = min(1.0, 2 * below)
    apart = abs(first_only - second_only)
    chi2, corrected = apart**2 / n, max(0, apart - 1) ** 2 / n
    return McNemar(
        first_only=first_only, second_only=second_only, exact=exact, mid_p=1 - point / 2 if not apart else exact - point,
        chi2=chi2, p_value=float(chdtrc(1, chi2)), chi2_corrected=corrected, p_corrected=float(chdtrc(1, corrected)),
    )  # fmt: skip


def discordant(first: Scored, second: Scored, *, level: float = 0.95) -> tuple[McNemar, Interval]:
    """McNemar's test on two answers to the same independent rows, and by how much more the first is right.

    Rows are matched by key (see `on_common_rows`). Where rows of one day or cluster err together, use `compare`.
    """
    first, second = on_common_rows(first, second)
    _, first_only, second_only, _ = _cells(first, second)
    return mcnemar(first_only, second_only), right_more_often(first, second, level=level)


def right_more_often(first: Scored, second: Scored, *, level: float = 0.95) -> Interval:
    """By how much more often the first is right, on the same independent rows in the same order."""
    return paired_shares(*_cells(first, second), level=level)


def _cells(first: Scored, second: Scored) -> tuple[int, int, int, int]:
    """Rows that both get right, only the first, only the second, neither."""
    one, other = (each.role("truth") == each.role("answer") for each in (first, second))
    return int((one & other).sum()), int((one & ~other).sum()), int((~one & other).sum()), int((~one & ~other).sum())


def paired_shares(both: int, first_only: int, second_only: int, neither: int, *, level: float = 0.95) -> Interval:
    """Interval of the difference of two shares of the same rows, first minus second (Newcombe 1998b, method 10).

    Args:
        both, first_only, second_only, neither: rows that each gets right.

    >>> found = paired_shares(36, 12, 2, 0)
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0569, 0.3404)
    """
    n = both + first_only + second_only + neither
    if not n:
        return Interval(value=nan, low=nan, high=nan, level=level, method="Newcombe, paired", why="there are no rows")
    one, other = wilson(both + first_only, n, level=level), wilson(both + second_only, n, level=level)
    found = apart(one, other, correlation=_phi(both, first_only, second_only, neither))
    return replace(found, n=n, method="Newcombe, paired")


def _phi(a: int, b: int, c: int, d: int) -> float:
    """Correlation of the two answers' being right, corrected where it is positive (Newcombe 1998b)."""
    sizes = (a + b) * (c + d) * (a + c) * (b + d)
    if not sizes:
        return 0.0
    product = a * d - b * c
    return (max(product - (a + b + c + d) / 2, 0) if product > 0 else product) / sqrt(sizes)
