"""Intervals: one record for every method, and the closed-form ones for counted shares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite, nan, sqrt
from statistics import NormalDist

from lockgate.evaluation.blocks import LEAST_BLOCKS
from lockgate.evaluation.scored import Unit
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, decimal

__all__ = ["Interval", "apart", "clopper_pearson", "jeffreys", "newcombe", "quotient", "share_of", "too_few", "wilson"]


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

    @property
    def is_too_few(self) -> bool:
        """Whether the number is known and its interval is not, because too few days, clusters or rows stand behind it."""
        return isfinite(self.value) and not self.known and self.units < LEAST_BLOCKS

    def estimate(self, name: str, unit: str = "") -> Estimate:
        """The same as it travels: decimal strings, null with a reason. A half-known interval is unknown.

        Where units are too few, `extra["least"]` says how many would do.
        """
        low, high = (self.low, self.high) if self.known else (nan, nan)
        why = self.why or ("" if self.known else "the interval cannot be computed from these rows")
        extra: dict[str, Json] = {"block": self.block} if self.blocks and self.block != "day" else {}
        return Estimate(
            name=name, value=decimal(self.value), low=decimal(low), high=decimal(high), level=f"{self.level:g}",
            n=self.n, blocks=self.blocks, method=self.method, why=why, unit=unit,
            extra=extra | {"least": LEAST_BLOCKS} if self.is_too_few else extra,
        )  # fmt: skip

    def unless_few(self) -> Interval:
        """Without bounds when few days, clusters or rows stand behind it: these say nothing about how such units differ.

        When no unit differs at all (a flat interval) there is nothing to be unsure of.
        """
        if self.units >= LEAST_BLOCKS or not self.known or self.low == self.high:
            return self
        return replace(self, low=nan, high=nan, why=too_few(self.units, self.unit))

    def at_least_as_wide_as(self, other: Interval) -> Interval:
        """The smallest interval that holds both; where one is degenerate the other speaks."""
        if not (self.known and other.known):
            return self
        method = f"the wider of: {self.method}; {other.method}"
        return replace(self, low=min(self.low, other.low), high=max(self.high, other.high), method=method)


def too_few(number: int, unit: Unit) -> str:
    """Why there is no interval.

    >>> too_few(1, "day"), too_few(2, "cluster")
    ('too few days (1) to say how sure', 'too few clusters (2) to say how sure')
    """
    return f"too few {unit}s ({number:,}) to say how sure"


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
    return apart(wilson(*first, level=level), wilson(*second, level=level))


def apart(first: Interval, second: Interval, *, correlation: float = 0.0) -> Interval:
    """The difference of two shares from their own intervals (MOVER: Newcombe 1998, method 10; Zou and Donner 2008).

    Args:
        correlation: of the two estimates; 0 when no row is in both and rows are independent.
    """
    value = first.value - second.value
    low = value - _joined(first.value - first.low, second.high - second.value, correlation)
    high = value + _joined(first.high - first.value, second.value - second.low, correlation)
    return Interval(
        value=value, low=max(low, -1.0), high=min(high, 1.0), level=first.level, n=first.n + second.n,
        method="Newcombe-Wilson", why=first.why or second.why,
    )  # fmt: skip


def _joined(one: float, other: float, correlation: float) -> float:
    return sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def quotient(first: Interval, second: Interval) -> Interval:
    """The ratio of two independent shares from their own intervals (MOVER-R: Donner and Zou 2012).

    Where the second is 0 the ratio is infinite or undefined; the low bound still holds.

    >>> found = quotient(wilson(48, 80), wilson(12, 40))
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (2.0, 1.26, 3.39)
    """
    p, q, method = first.value, second.value, "MOVER-R on Wilson intervals"
    n = first.n + second.n
    if not (isfinite(p) and isfinite(q)) or p == q == 0:
        why = first.why or second.why or "both are zero"
        return Interval(value=nan, low=nan, high=nan, level=first.level, n=n, method=method, why=why)
    value = p / q if q else inf
    low = _bound(p * q, first.low * (2 * p - first.low), second.high * (2 * q - second.high), sign=-1)
    high = _bound(p * q, first.high * (2 * p - first.high), second.low * (2 * q - second.low), sign=1)
    return Interval(value=value, low=max(0.0, low), high=high, level=first.level, n=n, method=method)


def _bound(product: float, top: float, bottom: float, *, sign: int) -> float:
    if bottom == 0:
        return inf if sign > 0 else top / (2 * product) if product else 0.0
    root = sqrt(max(0.0, product * product - top * bottom))
    return (product + sign * root) / bottom


def clopper_pearson(hits: int, n: int, *, level: float = 0.95) -> Interval:
    """The exact interval of a share (Clopper and Pearson 1934): never holds the truth less often than promised.

    >>> found = clopper_pearson(0, 46)
    >>> round(found.low, 4), round(found.high, 4)
    (0.0, 0.0771)
    """
    return _beta(hits, n, (hits, n - hits + 1), (hits + 1, n - hits), level, "Clopper-Pearson")


def jeffreys(hits: float, n: float, *, level: float = 0.95) -> Interval:
    """Equal tails of the posterior under Jeffreys' prior (Brown, Cai and DasGupta 2001): as long as promised on average.

    >>> found = jeffreys(0, 46)
    >>> round(found.low, 4), round(found.high, 4)
    (0.0, 0.0529)
    """
    return _beta(hits, n, (hits + 0.5, n - hits + 0.5), (hits + 0.5, n - hits + 0.5), level, "Jeffreys")


def _beta(
    hits: float, n: float, below: tuple[float, float], above: tuple[float, float], level: float, method: str
) -> Interval:
    from scipy.special import betaincinv  # pyright: ignore[reportMissingTypeStubs]  lazy: only exact intervals need it

    if n <= 0:
        return Interval(value=nan, low=nan, high=nan, level=level, method=method, why="there are no rows")
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(*below, tail))
    high = 1.0 if hits == n else float(betaincinv(*above, 1 - tail))
    return Interval(value=hits / n, low=low, high=high, level=level, n=int(n), method=method)


def share_of(hits: float, n: float, *, level: float = 0.95) -> Interval:
    """The wider of Wilson's and Jeffreys' intervals, which holds a rare share at high levels, too.

    Where many intervals hold at once each needs a level of 99% and more, and there Wilson's is too narrow on its inner
    side when few rows are hits (ADR 23).

    >>> round(share_of(0, 46).high, 4)
    0.0771
    """
    found = wilson(hits, n, level=level)
    return replace(found.at_least_as_wide_as(jeffreys(hits, n, level=level)), method="Wilson or Jeffreys, the wider")
