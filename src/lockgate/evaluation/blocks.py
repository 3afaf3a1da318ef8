"""What is drawn again when we ask how sure a number is: whole days, whole clusters, or single rows.

Rows that err together must be drawn together. A table says which do: those of one `day`, those of one `cluster`
(a customer, a shop), or none, when rows are independent. A metric is a ratio of sums, so a block only needs its sums.
Equal rows are one *kind* with a count: a million yes-or-no answers are a handful of kinds (the counts bootstrap).
Where rows or clusters are many and all differ, they are dealt into `AT_MOST` blocks at random: the sums of such blocks
vary as the rows do, and ten thousand resamples of a million rows cost no more than those of two thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.scored import Scored, Unit

__all__ = ["AT_MOST", "LEAST_BLOCKS", "Blocks", "blocks_of", "design_effect"]

AT_MOST = 2_000  # blocks that are drawn one by one; more would only cost time
LEAST_BLOCKS = 8
"""Fewer days or clusters than this say too little about how such blocks differ: no interval rests on them (docs/statistics.md)."""
DEALT = 20261101  # seed of the dealing: the same rows always land in the same blocks

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Which block each row belongs to.

    Attributes:
        unit: what a block is: `day`, `cluster` or `row`.
        index: block of each row, or of each of `rows`.
        number: of blocks.
        units: days, clusters or rows behind them; more than `number` where several were dealt into one block.
        rows: positions that stand for all equal rows; None: every row stands for itself.
        often: how many rows each kind stands for, shape (number,); None: every block counts once.
    """

    unit: Unit
    index: Positions
    number: int
    units: int
    rows: Positions | None = None
    often: Floats | None = None

    def sums(self, terms: Sequence[Floats], cell: Positions | None = None, cells: int = 1) -> Floats:
        """Sum per-row terms by block and cell: shape (blocks in order, cells, terms).

        The order of rows changes no bit of the result: within a block, rows are summed in the order of their values.
        """
        if self.rows is not None:
            terms, cell = [t[self.rows] for t in terms], None if cell is None else cell[self.rows]
        slot = self.index * cells + (cell if cell is not None else 0)
        order = np.lexsort((*terms, slot))
        size = self.number * cells
        sums = [np.bincount(slot[order], weights=term[order], minlength=size).astype(np.float64) for term in terms]
        return np.stack(sums, axis=-1).reshape(self.number, cells, len(terms))

    def total(self, sums: NDArray[Any]) -> Floats:
        """Sum over all blocks (the first axis), each kind as often as it occurs."""
        return sums.sum(0) if self.often is None else np.tensordot(self.often, sums, axes=1)


def blocks_of(scored: Scored, *told_apart: NDArray[Any]) -> Blocks:
    """Find the blocks that resampling must keep whole.

    Args:
        told_apart: every per-row value that will be summed or grouped by; rows that agree in all are one kind.
            Only independent rows need them.
    """
    if scored.unit == "row":
        return _rows(told_apart)
    labels, index = np.unique(scored.column(scored.blocks), return_inverse=True)
    found = Blocks(unit=scored.unit, index=index, number=len(labels), units=len(labels))
    return _dealt(found) if scored.unit == "cluster" and found.number > AT_MOST else found


def design_effect(influence: Floats, share: float, *, rows: float, blocks: int) -> float:
    """How many rows that err together are worth one independent row, for a counted share (Kish 1965); at least 1.

    Args:
        influence: what each block adds to the share's error; blocks without rows add nothing.
        blocks: days or clusters with any of the rows; what fewer than two of them are worth cannot be seen, and is 1.
    """
    spread = share * (1 - share) / rows if rows else 0.0
    if blocks < 2 or not spread:
        return 1.0
    return max(1.0, float((influence**2).sum()) * blocks / (blocks - 1) / spread)


def _rows(told_apart: Sequence[NDArray[Any]]) -> Blocks:
    """Kinds, in the order of their values; when there are too many, rows in that order, dealt into blocks."""
    order = np.lexsort(told_apart)
    first = np.ones(len(order), dtype=np.bool_)
    if len(order):
        first[1:] = np.logical_or.reduce([values[order][1:] != values[order][:-1] for values in told_apart])
    starts = np.flatnonzero(first)
    kinds, rows = len(starts), len(order)
    if kinds <= AT_MOST:
        often = np.diff(starts, append=rows).astype(np.float64)
        index = np.arange(kinds)
        return Blocks(unit="row", index=index, number=kinds, units=rows, rows=order[starts], often=often)
    rank = np.empty(rows, dtype=np.int64)
    rank[order] = np.arange(rows)
    return _dealt(Blocks(unit="row", index=rank, number=rows, units=rows))


def _dealt(blocks: Blocks) -> Blocks:
    """Deal many blocks at random into `AT_MOST`, as evenly as cards."""
    deal = np.random.default_rng(DEALT).permutation(blocks.number) % AT_MOST
    return replace(blocks, index=deal[blocks.index], number=AT_MOST)
