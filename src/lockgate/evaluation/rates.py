"""Gaps of counted rates, by closed formulas that stay honest at 0 and at 1.

Each rate has Wilson's interval or Jeffreys', whichever is wider, each difference is put together from two of these as Newcombe's is,
each ratio as Donner and Zou's, all at the level that makes them joint (`joint`). Rows of one day or customer err together: then a rate stands on as many rows as its
blocks are worth (design effect: Kish 1965), what two groups have in common goes out of their difference, and each interval has
the degrees of freedom of the days or customers that its own rows come from, of a gap those of the side that has fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.blocks import Blocks, design_effect
from lockgate.evaluation.intervals import Interval, apart, quotient, share_of
from lockgate.evaluation.joint import level_of, reaches
from lockgate.evaluation.sides import BOTTOM, TOP, Side

__all__ = ["Measured", "joint_rates", "measured_rates", "parity_of"]

Floats = NDArray[np.float64]


class Measured(NamedTuple):
    """The numbers of one gap; `error` is the difference's standard error when there is none, `reach` in such errors."""

    value: Interval
    other: Interval
    difference: Interval
    ratio: Interval
    error: float
    reach: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    """A counted share: its rows, as how many independent rows they count, and what each block adds to its error.

    `blocks`: how many days or clusters have any of its rows.
    """

    share: float
    n: int
    effective: float
    influence: Floats
    blocks: int


def measured_rates(sides: Sequence[Side], *, level: float) -> list[Measured]:
    """Measure all gaps at once, each of the three families jointly."""
    blocks = sides[0].blocks
    usual = _effect_of(_plain(sides[0].own + sides[0].others, blocks), blocks)
    own, others = (
        [_rate(sums, blocks, usual) for sums in part] for part in zip(*((s.own, s.others) for s in sides), strict=True)
    )
    families = (
        [r.influence for r in own],
        [a.influence - b.influence for a, b in zip(own, others, strict=True)],
        [_relative(a) - _relative(b) for a, b in zip(own, others, strict=True)],
    )
    freedom = (
        [] if blocks.unit == "row" else [float(min(a.blocks, b.blocks) - 1) for a, b in zip(own, others, strict=True)]
    )
    reach = [reaches(np.stack(family, axis=1), level=level, freedom=freedom) for family in families]
    label = f"joint over {len(sides)} group{'s' * (len(sides) != 1)}"
    each = zip(own, others, zip(*reach, strict=True), strict=True)
    return [_measured(a, b, three, blocks, level, label) for a, b, three in each]


def joint_rates(sides: Sequence[Side], *, level: float) -> list[Interval]:
    """Each group's own rate, joint over the groups; those they could be held against are looked at only for the usual design effect."""
    blocks = sides[0].blocks
    usual = _effect_of(_plain(sides[0].own + sides[0].others, blocks), blocks)
    own = [_rate(side.own, blocks, usual) for side in sides]
    freedom = [] if blocks.unit == "row" else [float(rate.blocks - 1) for rate in own]
    reach = reaches(np.stack([rate.influence for rate in own], axis=1), level=level, freedom=freedom)
    label = f"joint over {len(sides)} group{'s' * (len(sides) != 1)}"
    return [_told(_interval(r, z), r.n, blocks, level, label) for r, z in zip(own, reach, strict=True)]


def _told(interval: Interval, n: int, blocks: Blocks, level: float, label: str) -> Interval:
    number = 0 if blocks.unit == "row" else blocks.units
    method = f"{interval.method}, {label}"
    return replace(interval, level=level, n=n, blocks=number, block=blocks.unit, method=method)


def _measured(own: _Rate, other: _Rate, reach: Sequence[float], blocks: Blocks, level: float, label: str) -> Measured:
    of_value, of_difference, of_ratio = reach

    def told(interval: Interval, n: int) -> Interval:
        return _told(interval, n, blocks, level, label)

    difference = apart(
        _interval(own, of_difference), _interval(other, of_difference), correlation=_correlation(own, other, blocks)
    )
    ratio = quotient(_interval(own, of_ratio), _interval(other, of_ratio))
    pooled = (own.share * own.n + other.share * other.n) / (own.n + other.n)
    return Measured(
        value=told(_interval(own, of_value), own.n), other=told(_interval(other, of_value), other.n),
        difference=told(difference, own.n + other.n), ratio=told(ratio, own.n + other.n), reach=of_difference,
        error=sqrt(pooled * (1 - pooled) * (1 / own.effective + 1 / other.effective)),
    )  # fmt: skip


def _interval(rate: _Rate, reach: float) -> Interval:
    return replace(share_of(rate.share * rate.effective, rate.effective, level=level_of(reach)), value=rate.share)


def _plain(sums: Floats, blocks: Blocks) -> _Rate:
    top, bottom = (float(x) for x in blocks.total(sums)[[TOP, BOTTOM]])
    share = top / bottom
    influence = (sums[:, TOP] - share * sums[:, BOTTOM]) / bottom
    influence = influence if blocks.often is None else influence * np.sqrt(blocks.often)
    seen = int((sums[:, BOTTOM] > 0).sum())
    return _Rate(share=share, n=round(bottom), effective=bottom, influence=influence, blocks=seen)


def _rate(sums: Floats, blocks: Blocks, usual: float) -> _Rate:
    """`usual`: the design effect where none can be seen, because all answers are alike."""
    found = _plain(sums, blocks)
    effect = _effect_of(found, blocks) if 0 < found.share < 1 else usual
    return replace(found, effective=found.n / effect)


def _effect_of(rate: _Rate, blocks: Blocks) -> float:
    if blocks.unit == "row":
        return 1.0
    return design_effect(rate.influence, rate.share, rows=rate.n, blocks=rate.blocks)


def _relative(rate: _Rate) -> Floats:
    return rate.influence / rate.share if rate.share else np.zeros_like(rate.influence)


def _correlation(own: _Rate, other: _Rate, blocks: Blocks) -> float:
    """Of two estimates; independent rows of different groups have none."""
    size = sqrt(float((own.influence**2).sum() * (other.influence**2).sum()))
    return 0.0 if blocks.unit == "row" or not size else float(own.influence @ other.influence) / size


def parity_of(ratio: Interval) -> Interval:
    """The smaller of two over the larger, with the bounds that the interval of their ratio gives.

    >>> found = parity_of(Interval(value=1.25, low=1.0, high=1.6))
    >>> found.value, found.low, found.high
    (0.8, 0.625, 1.0)
    """
    if not ratio.value >= 0:
        return replace(ratio, value=nan, low=nan, high=nan)
    inverse = [1 / bound if bound else inf for bound in (ratio.value, ratio.low, ratio.high)]
    straddles = ratio.low <= 1 <= ratio.high
    ends = sorted((min(ratio.low, inverse[1]), min(ratio.high, inverse[2])))
    high = 1.0 if straddles else ends[1]
    return replace(
        ratio, value=min(ratio.value, inverse[0]), low=ends[0], high=high, why="" if isfinite(ends[0]) else ratio.why
    )
