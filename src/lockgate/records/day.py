"""A day as people write it here, and only so."""

from __future__ import annotations

import datetime as dt

__all__ = ["day_in", "read_day"]


def read_day(text: object) -> dt.date:
    """Read `YYYY-MM-DD`. ValueError for anything else: Python alone would also take `20111015` and `2011-W41-6`.

    >>> read_day("2011-10-15")
    datetime.date(2011, 10, 15)
    """
    if isinstance(text, str) and len(text) == len("YYYY-MM-DD"):
        day = dt.date.fromisoformat(text)
        if day.isoformat() == text:
            return day
    raise ValueError(f"{text!r} is not written YYYY-MM-DD")


def day_in(text: str) -> dt.date:
    """The day of a date, or in UTC of a time (ISO 8601); a time without a zone is in UTC. ValueError for anything else.

    >>> day_in("2011-10-15"), day_in("2011-10-15T23:30:00-02:00"), day_in("2011-10-15T22:04:05Z")
    (datetime.date(2011, 10, 15), datetime.date(2011, 10, 16), datetime.date(2011, 10, 15))
    """
    if "T" not in text and " " not in text:
        return read_day(text)
    time = dt.datetime.fromisoformat(text)
    return time.date() if time.tzinfo is None else time.astimezone(dt.UTC).date()
