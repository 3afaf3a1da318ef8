"""What is learned on, chosen on and tested on, cut by time and fixed by the as-of day alone.

    learned on            chosen on: three windows      tested on       as-of
    ────────────────────┬─────────┬─────────┬─────────┬───────────────┤ the future
                        -140      -105      -70       -35 days        0

A window holds the examples asked on or after its first day about days before its end. A model that is judged on a
window has learned only from days before it. The test window is looked at once, by the gates, through the packaged release.
"""

import datetime as dt
from dataclasses import dataclass

import polars as pl

from lockgate import step

DAYS = 35  # one window: long enough for 28 open days
CHOSEN_ON = 3  # windows
WEEK = dt.timedelta(days=7)
HORIZON = 28  # open days


@dataclass(frozen=True)
class Windows:
    """First day of each window, oldest first; the last one starts the test, which ends before `as_of`."""

    shop: str
    chosen: list[dt.date]
    test: dt.date
    as_of: dt.date

    def end(self, start: dt.date) -> dt.date:
        """The first day after the window that starts here."""
        return start + dt.timedelta(days=DAYS)


def test_starts(as_of: dt.date) -> dt.date:
    """The first day of the test window. Products and groups are chosen by what was known before it."""
    return as_of - dt.timedelta(days=DAYS)


@step
def windows(products: pl.DataFrame, as_of: dt.date) -> Windows:
    """The windows of this as-of day, in the calendar of the shop that sells the products."""
    test = test_starts(as_of)
    chosen = [test - dt.timedelta(days=DAYS * back) for back in range(CHOSEN_ON, 0, -1)]
    return Windows(shop=str(products["shop"][0]), chosen=chosen, test=test, as_of=as_of)


def origins(first: dt.date, end: dt.date, as_of: dt.date) -> list[dt.date]:
    """The days from `first` up to `end` on which a forecast is asked for: whole weeks before `as_of`.

    >>> origins(dt.date(2011, 10, 1), dt.date(2011, 10, 15), dt.date(2011, 10, 15))
    [datetime.date(2011, 10, 1), datetime.date(2011, 10, 8)]
    """
    weeks = ((as_of - first) // WEEK) * WEEK
    found: list[dt.date] = []
    day = as_of - weeks
    while day < end:
        found.append(day)
        day += WEEK
    return found


def examples_in(table: pl.DataFrame, start: dt.date, end: dt.date) -> pl.DataFrame:
    """The rows asked on or after `start` about days before `end`."""
    return table.filter((pl.col("as_of") >= start) & (pl.col("date") < end))


def examples_before(table: pl.DataFrame, end: dt.date) -> pl.DataFrame:
    """The rows about days before `end`: all that was known at its opening."""
    return table.filter(pl.col("date") < end)
