"""A day as people write it here, and only so."""

from __future__ import annotations

import datetime as dt

__all__ = ["read_day"]


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
