"""A table in partitions: which there are, in order, and which stored bytes and values each has."""

from __future__ import annotations

import datetime as dt
from functools import cached_property

from lockgate.records.artifact import DATASET
from lockgate.records.digest import digest
from lockgate.records.frozen import frozen

__all__ = ["DATASET", "Dataset", "Part", "key_of"]

MONTHS = 12
DAYS_OF_WEEK = 7


@frozen
class Part:
    """One partition.

    Attributes:
        key: as people read it, e.g. `2011-10`; empty for the table without rows.
        number: its place in the calendar; the partition before it has the number before.
        digest: identity of its values, in row order.
        object: digest of the stored bytes.
    """

    key: str
    number: int
    digest: str
    object: str
    rows: int
    size_bytes: int


@frozen(slots=False)
class Dataset:
    """A table in partitions.

    Attributes:
        period: `day`, `week`, `month` or `year`.
        by: the date column that decides where a row belongs.
        parts: in calendar order; a period without rows in its source has none.
        empty: the table without rows: what a reader gets where there is no partition.
    """

    period: str
    by: str
    parts: tuple[Part, ...]
    empty: Part

    @cached_property
    def by_number(self) -> dict[int, Part]:
        """The partitions by their place in the calendar."""
        return {p.number: p for p in self.parts}

    @property
    def identity(self) -> str:
        """Digest of keys and identities in order; equal values have equal identities whatever wrote them."""
        pairs = [[p.key, p.digest] for p in self.parts]
        return digest(DATASET, {"period": self.period, "by": self.by, "parts": pairs, "empty": self.empty.digest})


def key_of(period: str, number: int) -> str:
    """A partition's name from its place in the calendar; weeks are those of ISO 8601, named by ISO year.

    >>> key_of("month", 2011 * 12 + 9), key_of("week", (dt.date(2021, 1, 3).toordinal() - 1) // 7)
    ('2011-10', '2020-W53')
    >>> key_of("day", dt.date(2020, 2, 29).toordinal()), key_of("year", 987)
    ('2020-02-29', '0987')
    """
    if period == "day":
        return dt.date.fromordinal(number).isoformat()
    if period == "week":
        year, week, _ = dt.date.fromordinal(number * DAYS_OF_WEEK + 1).isocalendar()
        return f"{year:04}-W{week:02}"
    return f"{number // MONTHS:04}-{number % MONTHS + 1:02}" if period == "month" else f"{number:04}"
