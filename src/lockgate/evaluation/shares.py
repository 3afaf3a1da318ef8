"""What share of the rows each group has, with intervals that hold for all groups at once.

Rows of one day or one customer come together, so they count for fewer (design effect: Kish 1965). On as many rows as they
are worth, each share has its Wilson interval at the level that Sidak (1967) asks for so many groups, and as far as Student's t
reaches with so many days or customers; on fewer than `LEAST_BLOCKS` there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.blocks import LEAST_BLOCKS, Blocks, blocks_of, design_effect
from lockgate.evaluation.intervals import Interval, too_few, wilson
from lockgate.evaluation.joint import level_of
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.verdict_chances import reach_of

__all__ = ["shares"]


def shares(
    scored: Scored, labels: NDArray[np.str_], groups: Sequence[str], *, comparisons: int = 0, level: float = 0.95
) -> tuple[Interval, ...]:  # fmt: skip
    """The share of rows whose label is each of `groups`, in that order; a group that nobody belongs to has one, too.

    Args:
        comparisons: how many shares are looked at in all; 0: those of `groups`.

    >>> people = Scored(columns={"y": np.zeros(100), "a": np.zeros(100)}, truth="y", answer="a")
    >>> few, none = shares(people, np.array(["x"] * 20 + ["z"] * 80), ["x", "y"])
    >>> few.value, round(few.low, 3), round(few.high, 3), none.value, round(none.high, 3)
    (0.2, 0.126, 0.303, 0.0, 0.048)
    """
    each = level ** (1 / max(1, comparisons or len(groups)))
    blocks = blocks_of(scored, labels)
    found = [_share(blocks, labels == group, level=each) for group in groups]
    return tuple(replace(interval, level=level) for interval in found)


def _share(blocks: Blocks, inside: NDArray[np.bool_], *, level: float) -> Interval:
    n, hits = len(inside), int(inside.sum())
    sums = blocks.sums([inside.astype(np.float64), np.ones(n)])[:, 0, :]
    share = hits / n if n else 0.0
    influence = (sums[:, 0] - share * sums[:, 1]) / max(1, n)
    effect = 1.0 if blocks.unit == "row" else design_effect(influence, share, rows=n, blocks=blocks.number)
    if blocks.unit != "row":
        level = level_of(reach_of(level, freedom=max(1.0, blocks.units - 1)))
    found = wilson(hits / effect, n / effect, level=level)
    if blocks.unit != "row" and blocks.units < LEAST_BLOCKS:
        found = replace(found, low=nan, high=nan, why=too_few(blocks.units, blocks.unit))
    told = f"Wilson, joint{'' if blocks.unit == 'row' else f', on {n / effect:,.0f} effective rows'}"
    number = 0 if blocks.unit == "row" else blocks.units
    value = hits / n if n else found.value
    return replace(found, value=value, n=n, blocks=number, block=blocks.unit, method=told)
