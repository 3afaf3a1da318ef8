"""A reason in words that also says in numbers what it tells. Standard library only."""

from __future__ import annotations

from typing import Self

__all__ = ["Reason"]


class Reason(str):
    """One sentence of a predictor's `explain`: which input moves this answer, and by how much.

    The evidence page adds the numbers up over many requests and holds them against what shuffling that input does. A
    reason without words is counted there and shown nowhere.

    Args:
        text: the sentence.
        of: the input, or the cause that several inputs make up; named like a field of the request where it is one.
        by: how far it moves this answer; only the sizes relative to each other are told.

    >>> Reason("Fridays sell more; that raises the forecast by 2.1.", of="weekday", by=2.1).of
    'weekday'
    """

    __slots__ = ("by", "of")
    of: str
    by: float

    def __new__(cls, text: str = "", *, of: str, by: float) -> Self:
        """The sentence; it is a text like any other."""
        made = super().__new__(cls, text)
        made.of, made.by = of, float(by)
        return made
