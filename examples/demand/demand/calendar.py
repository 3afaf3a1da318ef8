"""When a shop is open: which days are closed, and why.

Days are counted in open days everywhere in this project, because a shop that is closed on Saturdays
does not sell nothing on Saturdays: it is not asked.
"""

import datetime as dt
import functools
from collections.abc import Callable

ONE_DAY = dt.timedelta(days=1)

SATURDAY = 5

OPENED_ONCE = dt.date(2009, 12, 5)  # the one Saturday in the published file with invoices
ROYAL_WEDDING = dt.date(2011, 4, 29)


def closed_gift_shop(day: dt.date) -> str | None:
    """Why the gift shop of Online Retail II is closed that day, or None. UK bank holidays are known years ahead.

    >>> closed_gift_shop(dt.date(2011, 10, 15))
    'closed on Saturdays'
    >>> closed_gift_shop(dt.date(2011, 10, 16)) is None
    True
    """
    if day == OPENED_ONCE:
        return None
    if day.weekday() == SATURDAY:
        return "closed on Saturdays"
    if (day.month, day.day) >= (12, 24) or (day.month, day.day) <= (1, 3):
        return "closed from 24 December to 3 January"
    return bank_holidays(day.year).get(day)


@functools.cache
def bank_holidays(year: int) -> dict[dt.date, str]:
    """The days between January and December on which this shop keeps the holidays of England."""
    easter = easter_sunday(year)
    return {
        easter - 2 * ONE_DAY: "closed on Good Friday",
        easter: "closed on Easter Sunday",
        easter + ONE_DAY: "closed on Easter Monday",
        ROYAL_WEDDING: "closed for the royal wedding",
        _monday_from(dt.date(year, 5, 1)): "closed on the early May bank holiday",
        _monday_from(dt.date(year, 5, 25)): "closed on the spring bank holiday",
        _monday_from(dt.date(year, 8, 25)): "closed on the summer bank holiday",
    }


def easter_sunday(year: int) -> dt.date:
    """Easter in the Gregorian calendar (Meeus, Jones, Butcher).

    >>> easter_sunday(2010), easter_sunday(2011)
    (datetime.date(2010, 4, 4), datetime.date(2011, 4, 24))
    """
    century, rest = divmod(year, 100)
    moon = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (year % 19 + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return dt.date(year, month, day + 1)


def closed_walmart(day: dt.date) -> str | None:
    """Why a Walmart store of the M5 tables is closed that day, or None."""
    return "closed on Christmas Day" if (day.month, day.day) == (12, 25) else None


def closed_favorita(day: dt.date) -> str | None:
    """Why a Favorita store is closed that day, or None."""
    if (day.month, day.day) == (12, 25):
        return "closed on Christmas Day"
    return "closed on New Year's Day" if (day.month, day.day) == (1, 1) else None


CALENDARS: dict[str, Callable[[dt.date], str | None]] = {
    "gift shop": closed_gift_shop,
    "walmart": closed_walmart,
    "favorita": closed_favorita,
}


def closed_reason(day: dt.date, shop: str = "gift shop") -> str | None:
    """Why this shop is closed that day, or None when it is open."""
    return CALENDARS[shop](day)


@functools.cache
def open_days(first: dt.date, end: dt.date, shop: str = "gift shop") -> tuple[dt.date, ...]:
    """The open days from `first` up to, not including, `end`."""
    every = (first + n * ONE_DAY for n in range((end - first).days))
    return tuple(day for day in every if closed_reason(day, shop) is None)


def next_open_days(start: dt.date, count: int, shop: str = "gift shop") -> list[dt.date]:
    """The first `count` open days after `start`.

    >>> next_open_days(dt.date(2011, 10, 14), 2)
    [datetime.date(2011, 10, 16), datetime.date(2011, 10, 17)]
    """
    found: list[dt.date] = []
    day = start
    while len(found) < count:
        day += ONE_DAY
        if closed_reason(day, shop) is None:
            found.append(day)
    return found


def _monday_from(day: dt.date) -> dt.date:
    return day + (7 - day.weekday()) % 7 * ONE_DAY
