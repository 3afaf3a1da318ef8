"""Intervals: one record for every method, and the closed-form ones for counted shares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite, nan, sqrt
from statistics import NormalDist

from lockgate.evaluation.scored import Unit
from lockgate.records.evidence import Estimate, decimal

__all__ = ["Interval", "newcombe", "wilson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number and how far it may be off. A bound that cannot be had is NaN and `why` says so.

    Attributes:
        n: rows behind it.
        blocks: resampled days or clusters behind it (`block` says which); 0 when rows are taken as independent.
        level: how often such intervals hold the truth; for joint intervals, all of them at once.
    """

    value: float
    low: float
    high: float
    level: float = 0.95
    n: int = 0
    blocks: int = 0
    method: str = ""
    why: str = ""
    block: Unit = "day"

    @property
    def units(self) -> int:
        """What is resampled, counted: blocks, or rows where these are independent."""
        return self.blocks or self.n

    @property
    def unit(self) -> Unit:
        """What is resampled."""
        return self.block if self.blocks else "row"

    @property
    def known(self) -> bool:
        """Whether value and both bounds are finite."""
        return isfinite(self.value) and isfinite(self.low) and isfinite(self.high)

    def estimate(self, name: str, unit: str = "") -> Estimate:
        """The same as it travels: decimal strings, null with a reason. A half-known interval is unknown."""
        low, high = (self.low, self.high) if self.known else (nan, nan)
        why = self.why or ("" if self.known else "the interval cannot be computed from these rows")
        return Estimate(
            name=name, value=decimal(self.value), low=decimal(low), high=decimal(high), level=f"{self.level:g}",
            n=self.n, blocks=self.blocks, method=self.method, why=why, unit=unit,
            extra={"block": self.block} if self.blocks and self.block != "day" else {},
        )  # fmt: skip

    def unless_few(self, least: int) -> Interval:
        """Without bounds when few days, clusters or rows stand behind it: these say nothing about how such units differ.

        When no unit differs at all (a flat interval) there is nothing to be unsure of.
        """
        if self.units >= least or not self.known or self.low == self.high:
            return self
        return replace(self, low=nan, high=nan, why=f"too few {self.unit}s ({self.units}) to say how sure")

    def at_least_as_wide_as(self, other: Interval) -> Interval:
        """The smallest interval that holds both; where one is degenerate the other speaks."""
        if not (self.known and other.known):
            return self
        method = f"the wider of: {self.method}; {other.method}"
        return replace(self, low=min(self.low, other.low), high=max(self.high, other.high), method=method)


def wilson(hits: float, n: float, *, level: float = 0.95) -> Interval:
    """Interval of a share of independent rows (Wilson 1927); stays honest at 0 and at 1. Counts may be effective ones.

    >>> round(wilson(0, 46).high, 4)
    0.0771
    """
    if n <= 0:
        return Interval(value=nan, low=nan, high=nan, level=level, method="Wilson", why="there are no rows")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, shrink = hits / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / shrink
    half = z / shrink * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == n else min(1.0, middle + half)
    return Interval(value=share, low=low, high=high, level=level, n=int(n), method="Wilson")


def newcombe(first: tuple[int, int], second: tuple[int, int], *, level: float = 0.95) -> Interval:
    """Interval of the difference of two independent shares, first minus second (Newcombe 1998, method 10).

    Args:
        first, second: (hits, rows).

    >>> gap = newcombe((56, 70), (48, 80))
    >>> round(gap.low, 4), round(gap.high, 4)
    (0.0524, 0.3339)
    """
    a, b = wilson(*first, level=level), wilson(*second, level=level)
    value = a.value - b.value
    low = value - sqrt((a.value - a.low) ** 2 + (b.high - b.value) ** 2)
    high = value + sqrt((a.high - a.value) ** 2 + (b.value - b.low) ** 2)
    return Interval(value=value, low=low, high=high, level=level, n=a.n + b.n, method="Newcombe-Wilson")
