"""What a request's field may be, written into its annotation: `Annotated[float, Range(0, 100)]`. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

__all__ = ["Choices", "Horizon", "Range"]


@dataclass(frozen=True)
class Choices:
    """A request field must be one of the values in a column of a state table.

    `label` is the column that people read beside the value.
    """

    state: str
    column: str
    label: str | None = None


@dataclass(frozen=True)
class Horizon:
    """A date field may be as-of + 1 up to the `days`-th open day after as-of.

    `closed` answers why a day is closed, or None for an open one; None counts every day as open.
    """

    days: int
    closed: Callable[[dt.date], str | None] | None = None


@dataclass(frozen=True)
class Range:
    """A number may be from `low` to `high`, both included, in the unit of the field; None: no end there."""

    low: float | None = None
    high: float | None = None
