"""What can a gate on so many rows decide? Before anybody trains: how often it will pass, stay uncertain, and fail.

A three-way rule passes when the whole interval keeps the limit, fails when it breaks it, and is uncertain in between. At
the limit it errs in (1 - level) / 2 of cases to each side; with few rows it can practically never pass, even when
nothing is wrong. By the normal approximation (`benchmarks/operating_characteristics.py` holds it against simulation).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

from lockgate.errors import UsageError

__all__ = [
    "Chances", "chances_of_comparison", "chances_of_gap", "error_of_gap", "error_of_paired_shares", "rows_for_comparison",
    "rows_for_gap", "rows_for_half_width",
]  # fmt: skip

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How often a gate passes, is uncertain and fails; they add up to 1."""

    passes: float
    uncertain: float
    fails: float


def error_of_gap(rate: float, rows: int, others: int) -> float:
    """Standard error of the difference of two groups' rates near `rate`.

    >>> round(error_of_gap(0.4, 400, 400), 4)
    0.0346
    """
    _need(0 < rate < 1, "rate", rate, "between 0 and 1")
    _need(min(rows, others) > 0, "rows", min(rows, others), "at least 1")
    return sqrt(rate * (1 - rate) * (1 / rows + 1 / others))


def error_of_paired_shares(discordant: float, difference: float, rows: int) -> float:
    """Standard error of the difference of two classifiers' accuracies on the same rows.

    Args:
        discordant: share of rows that only one of them gets right.

    >>> round(error_of_paired_shares(0.08, 0.0, 2000), 5)
    0.00632
    """
    _need(0 < discordant <= 1, "discordant", discordant, "above 0, at most 1")
    _need(abs(difference) <= discordant, "difference", difference, "no larger than the discordant share")
    _need(rows > 0, "rows", rows, "at least 1")
    return sqrt((discordant - difference * difference) / rows)


def chances_of_gap(gap: float, *, limit: float, error: float, level: float = 0.95) -> Chances:
    """A gate on the size of a gap, to either side.

    >>> found = chances_of_gap(0.0, limit=0.1, error=error_of_gap(0.4, 100, 100))
    >>> round(found.passes, 2), round(found.uncertain, 2)
    (0.0, 1.0)
    """
    reach = NORMAL.inv_cdf((1 + level) / 2)
    passes = _between(-limit + reach * error, limit - reach * error, gap, error)
    fails = 1 - _between(-limit - reach * error, limit + reach * error, gap, error)
    return Chances(passes=passes, uncertain=max(0.0, 1 - passes - fails), fails=fails)


def chances_of_comparison(gain: float, *, margin: float, error: float, level: float = 0.95) -> Chances:
    """A gate that allows a loss of up to `margin` (or, below zero, demands a gain). `gain` is what is truly there.

    >>> found = chances_of_comparison(0.0, margin=0.01, error=error_of_paired_shares(0.08, 0.0, 2000))
    >>> round(found.passes, 3), round(found.fails, 3)
    (0.352, 0.0)
    """
    reach = NORMAL.inv_cdf((1 + level) / 2)
    passes = NORMAL.cdf((gain + margin) / error - reach)
    fails = NORMAL.cdf(-(gain + margin) / error - reach)
    return Chances(passes=passes, uncertain=max(0.0, 1 - passes - fails), fails=fails)


def rows_for_gap(rate: float, limit: float, *, power: float = 0.8, level: float = 0.95) -> int:
    """Rows per group with which two groups that are treated alike pass `limit` with probability `power`.

    >>> rows_for_gap(0.4, 0.1)
    505
    """
    _need(limit > 0, "limit", limit, "above 0")
    reach = NORMAL.inv_cdf((1 + level) / 2) + NORMAL.inv_cdf((1 + power) / 2)
    return ceil(2 * rate * (1 - rate) * (reach / limit) ** 2)


def rows_for_comparison(
    discordant: float, margin: float, *, gain: float = 0.0, power: float = 0.8, level: float = 0.95
) -> int:
    """Rows with which a release that is better by `gain` passes a margin on accuracy with probability `power`.

    >>> rows_for_comparison(0.08, 0.01)
    6280
    """
    _need(gain + margin > 0, "gain + margin", gain + margin, "above 0, or it never passes more often than not")
    reach = NORMAL.inv_cdf((1 + level) / 2) + NORMAL.inv_cdf(power)
    return ceil((discordant - gain * gain) * (reach / (gain + margin)) ** 2)


def rows_for_half_width(rate: float, half_width: float, *, level: float = 0.95) -> int:
    """Rows with which a rate's interval reaches no further than `half_width` to either side.

    >>> rows_for_half_width(0.4, 0.1)
    93
    """
    _need(half_width > 0, "half_width", half_width, "above 0")
    return ceil(rate * (1 - rate) * (NORMAL.inv_cdf((1 + level) / 2) / half_width) ** 2)


def _between(low: float, high: float, center: float, error: float) -> float:
    return max(0.0, NORMAL.cdf((high - center) / error) - NORMAL.cdf((low - center) / error)) if low < high else 0.0


def _need(holds: bool, what: str, value: float, allowed: str) -> None:
    if not holds:
        raise UsageError(f"a plan needs another {what}", value=f"{value:g}", allowed=allowed)
