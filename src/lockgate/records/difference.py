"""How far two values lie apart, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two values of one step.

    Attributes:
        words: one sentence.
        places: columns, JSON paths or partitions that differ, at most ten.
        rows: how many rows of a table differ; None: it is no table, or the rows do not pair.
        largest: the largest distance between two numbers at one place; None: no number differs.
        relative: the largest distance as a share of the larger of the two numbers.
    """

    words: str
    places: tuple[str, ...] = ()
    rows: int | None = None
    largest: float | None = None
    relative: float | None = None
