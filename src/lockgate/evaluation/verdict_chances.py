"""How likely is each verdict, before anybody trains: the operating characteristics of the three-way rule.

A harm is estimated with a standard error; its interval reaches so many errors to each side. It passes when the interval ends
within the limit, fails when it begins beyond, and is uncertain between. From the error alone follows how often each happens
at any true harm, how far from the limit a true harm must lie to be told apart from it, and how many rows would do.

Errors are taken as known and normal when rows are independent; with few days the error is itself estimated, and Student's t
(central for the reach, noncentral for the chances: Johnson and Welch 1940) takes the place of the normal distribution.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, sqrt
from statistics import NormalDist

from lockgate.errors import UsageError

__all__ = [
    "POWER",
    "Asked",
    "Chances",
    "chances",
    "distance_resolved",
    "growth_needed",
    "rate_gap",
    "reach_of",
]

POWER = 0.8
"""How often a gate must decide for us to call the difference one that it resolves: four times in five."""
MANY = 300  # degrees of freedom above which Student's t is the normal distribution for our purposes
LARGEST_GROWTH = 1e6
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a gate asks of a harm, and how well the holdout can tell.

    Attributes:
        limit: the largest harm allowed.
        error: standard error of the estimate, in the same unit.
        both_sides: the harm may not lie below `-limit` either (a gap between groups, coverage around its promise).
        comparisons: so many comparisons of the same kind are made at once; the interval is widened for them (Sidak 1967),
            and all must pass. At most one of them has a true harm.
        others: standard errors of the other comparisons; empty: as large as this one's.
        passes_widened: whether the widened interval must end within the limit, too; False: it only decides what fails.
        blocks: days that were resampled; 0 when rows are independent.
        level: of the interval.
        fails_beyond: what the interval must begin beyond to fail, where that is further than the limit (a limit that is a
            number with luck of its own); None: the limit.
    """

    limit: float
    error: float
    both_sides: bool = False
    comparisons: int = 1
    others: tuple[float, ...] = ()
    passes_widened: bool = True
    blocks: int = 0
    level: float = 0.95
    fails_beyond: float | None = None

    @property
    def fails(self) -> float:
        """What the interval must begin beyond to fail."""
        return self.limit if self.fails_beyond is None else self.fails_beyond

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the estimated error."""
        return float(self.blocks - 1) if 1 < self.blocks <= MANY else inf

    @property
    def reach(self) -> float:
        """So many errors to each side."""
        return reach_of(self.level, comparisons=self.comparisons, freedom=self.freedom)

    @property
    def reach_to_pass(self) -> float:
        """The same of the interval that must end within the limit."""
        return self.reach if self.passes_widened else reach_of(self.level, freedom=self.freedom)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How often each verdict comes at one true harm; the three add up to one."""

    true: float
    passes: float
    uncertain: float
    fails: float


def reach_of(level: float, *, comparisons: int = 1, freedom: float = inf) -> float:
    """How many standard errors an interval reaches to each side.

    >>> round(reach_of(0.95), 3), round(reach_of(0.95, comparisons=5), 3), round(reach_of(0.95, freedom=23), 3)
    (1.96, 2.569, 2.069)
    """
    upper = (1 + level ** (1 / comparisons)) / 2
    if not isfinite(freedom):
        return NORMAL.inv_cdf(upper)
    from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]  lazy: only few days need it

    return float(stdtrit(freedom, upper))


def chances(asked: Asked, true: float) -> Chances:
    """How often the gate passes, stays uncertain and fails when the true harm is `true`.

    >>> found = chances(Asked(limit=0.01, error=sqrt(0.08 / 2_000)), 0.0)  # accuracy margin 1%, 8% of answers differ
    >>> f"{found.passes:.2f} {found.uncertain:.2f} {found.fails:.2f}"
    '0.35 0.65 0.00'
    """
    if not (asked.error > 0 and isfinite(asked.error)):
        raise UsageError("a plan needs a standard error", value=str(asked.error), allowed="a finite number above 0")
    passes, fails = _alone(asked, true)
    others = asked.others or (asked.error,) * (asked.comparisons - 1)
    for error, times in Counter(others).items():
        neutral = _alone(replace(asked, error=error), 0.0)
        passes, fails = passes * neutral[0] ** times, 1 - (1 - fails) * (1 - neutral[1]) ** times
    return Chances(true=true, passes=passes, uncertain=max(0.0, 1 - passes - fails), fails=fails)


def distance_resolved(asked: Asked, *, power: float = POWER) -> float:
    """How far from the limit a true harm must lie for the gate to decide so often.

    >>> round(distance_resolved(Asked(limit=0.1, error=0.05)), 3)
    0.14
    """
    low, high = 0.0, 1.0
    while _decides(asked, high * asked.error) < power:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _decides(asked, middle * asked.error) >= power else (middle, high)
    return high * asked.error


def growth_needed(asked: Asked, true: float = 0.0, *, power: float = POWER) -> float:
    """How many times as many rows (or days) let a true harm pass so often; infinite when none do.

    >>> round(growth_needed(Asked(limit=0.1, error=0.1)), 2), growth_needed(Asked(limit=0.0, error=0.1))
    (7.85, inf)
    """
    if true >= asked.limit or (asked.both_sides and true <= -asked.limit):
        return inf
    low, high = 0.0, 1.0
    while chances(_grown(asked, high), true).passes < power:
        low, high = high, high * 2
        if high > LARGEST_GROWTH:
            return inf
    for _ in range(50):
        middle = (low + high) / 2
        enough = middle > 0 and chances(_grown(asked, middle), true).passes >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def rate_gap(rate: float, rows: int, groups: int) -> tuple[float, int]:
    """Standard error of a gap in a rate between a group and the rest, when `rows` lie evenly in `groups`; and the comparisons.

    Two groups make one comparison: either is the rest of the other.

    >>> error, comparisons = rate_gap(0.4, 800, 2)
    >>> round(error, 4), comparisons
    (0.0346, 1)
    """
    if not 0 < rate < 1 or groups < 2 or rows < 2 * groups:
        raise UsageError(
            "these numbers are no plan for groups", value=f"rate {rate:g}, {rows:,} rows, {groups} groups",
            allowed="a rate between 0 and 1, two groups or more, two rows in each or more",
        )  # fmt: skip
    each = rows / groups
    return sqrt(rate * (1 - rate) * (1 / each + 1 / (rows - each))), 1 if groups == 2 else groups


def _alone(asked: Asked, true: float) -> tuple[float, float]:
    """(passes, fails) of one comparison."""
    to_pass, to_fail = asked.reach_to_pass, asked.reach
    below = _at_least(asked, (asked.limit - true) / asked.error, to_pass)
    above = _at_least(asked, (true - asked.fails) / asked.error, to_fail)
    if not asked.both_sides:
        return below, above
    low_passes = _at_least(asked, (asked.limit + true) / asked.error, to_pass)
    low_fails = _at_least(asked, (-true - asked.fails) / asked.error, to_fail)
    return max(0.0, below + low_passes - 1), min(1.0, above + low_fails)


def _at_least(asked: Asked, distance: float, reach: float) -> float:
    """How often an estimate lies more than its reach on the near side of a point `distance` true errors away."""
    if not isfinite(asked.freedom):
        return NORMAL.cdf(distance - reach)
    from scipy.special import nctdtr  # pyright: ignore[reportMissingTypeStubs]

    return 1 - float(nctdtr(asked.freedom, distance, reach))


def _decides(asked: Asked, distance: float) -> float:
    """How often one comparison decides, at a harm so far beyond its limit."""
    return _at_least(asked, distance / asked.error, asked.reach)


def _grown(asked: Asked, times: float) -> Asked:
    blocks = ceil(asked.blocks * times) if asked.blocks else 0
    others = tuple(error / sqrt(times) for error in asked.others)
    return replace(asked, error=asked.error / sqrt(times), others=others, blocks=max(2, blocks) if blocks else 0)
