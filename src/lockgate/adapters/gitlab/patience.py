"""How long to wait before a call is made again: as long as the server asks, within bounds (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["IN_ALL_SECONDS", "LONGEST_SECONDS", "PAUSES_SECONDS", "pauses", "seconds_asked"]

PAUSES_SECONDS: Final = (0.5, 2.0, 5.0)
"""Between four tries, where the server asks for nothing."""
LONGEST_SECONDS: Final = 120.0
"""What is asked to wait longer is given up at once: coming back earlier is what the server does not want."""
IN_ALL_SECONDS: Final = 240.0
"""Of pauses, for one call."""


def seconds_asked(said: str, *, date: str = "", now: float) -> float:
    """What `Retry-After` asks for, in seconds or as a date; 0 where it asks for nothing that can be read.

    `date`: the answer's own header of that name; `now`: POSIX seconds by our clock, for an answer without one.

    >>> seconds_asked("90", now=0.0)
    90.0
    >>> seconds_asked("Fri, 27 Nov 2026 18:01:30 GMT", date="Fri, 27 Nov 2026 18:00:00 GMT", now=0.0)
    90.0
    """
    said = said.strip()
    if said.isascii() and said.isdigit():
        return float(said)
    until, given = _time(said), _time(date)
    return max(0.0, until - (now if given is None else given)) if until is not None else 0.0


def pauses() -> Callable[[float], float | None]:
    """For one call: asked seconds → how long to wait before the next try; None: there is none."""
    rest, slept = iter(PAUSES_SECONDS), 0.0

    def pause(asked: float) -> float | None:
        nonlocal slept
        usual = next(rest, None)
        if usual is None:
            return None
        wait = max(usual, asked)
        if wait > LONGEST_SECONDS or slept + wait > IN_ALL_SECONDS:
            return None
        slept += wait
        return wait

    return pause


def _time(said: str) -> float | None:
    """POSIX seconds of an HTTP date."""
    try:
        found = parsedate_to_datetime(said)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):  # the last one: a zone or a year that no clock has
        return None
