"""Another time for a process that is tried out: shifted, or (nearly) standing still. Processes, not results, get to see it."""

from __future__ import annotations

import datetime as dt
import gc
import itertools
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Moment = time.struct_time | tuple[Any, ...]

__all__ = ["CLOCK", "set_clock", "shift_clock"]

CLOCK = "LOCKGATE_CLOCK"
"""The variable that tells a template its time: `shift SECONDS`, or `still SECONDS` since 1970."""


def set_clock(text: str) -> None:
    """Do what the variable says; nothing when it is empty."""
    kind, _, seconds = text.partition(" ")
    if kind == "shift":
        shift_clock(int(seconds))
    elif kind == "still":
        _stop_clock(int(seconds))


def shift_clock(seconds: int) -> None:
    """Python's clocks go on, that much later; clocks of native code do not."""
    real, real_ns, day = time.time, time.time_ns, dt.date.today()
    _tell(lambda: real() + seconds, lambda: real_ns() + seconds * 1_000_000_000)
    later = dt.timedelta(seconds=seconds)
    now, today = dt.datetime.now, dt.date.today

    def shifted_now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
        return _as(cls, now(tz) + later)

    def shifted_utcnow(cls: type[dt.datetime]) -> dt.datetime:
        return _as(cls, (now(dt.UTC) + later).replace(tzinfo=None))

    def shifted_today(cls: type[dt.date]) -> dt.date:
        return cls.fromordinal((today() + later).toordinal())

    _replace(dt.datetime, "now", shifted_now)
    _replace(dt.datetime, "utcnow", shifted_utcnow)
    if seconds and today() == day:  # else it asks `time.time`
        _replace(dt.date, "today", shifted_today)


def _tell(seconds: Callable[[], float], nanoseconds: Callable[[], int]) -> None:
    """Python's `time` by other clocks. What is asked about a moment that it is given answers as before."""
    localtime, gmtime, strftime, asctime = time.localtime, time.gmtime, time.strftime, time.asctime

    def local(secs: float | None = None, /) -> time.struct_time:
        return localtime(seconds() if secs is None else secs)

    def universal(secs: float | None = None, /) -> time.struct_time:
        return gmtime(seconds() if secs is None else secs)

    def formatted(form: str, moment: Moment | None = None, /) -> str:
        return strftime(form, local() if moment is None else moment)

    def text(moment: Moment | None = None, /) -> str:
        return asctime(local() if moment is None else moment)

    def text_of(secs: float | None = None, /) -> str:
        return asctime(local(secs))

    told: dict[str, Callable[..., Any]] = {
        "time": seconds, "time_ns": nanoseconds, "localtime": local, "gmtime": universal, "strftime": formatted,
        "asctime": text, "ctime": text_of,
    }  # fmt: skip
    for name, function in told.items():
        # Not a plain function: `converter = time.localtime` in a class must not become a method (logging does that).
        setattr(time, name, staticmethod(function))


def _stop_clock(at_s: int) -> None:
    """Time is how often it was asked for, a millisecond each: the same in every run, and who waits for it to pass comes to an end."""
    moment = dt.datetime.fromtimestamp(at_s, dt.UTC)
    asked = itertools.count()

    def anew() -> None:
        nonlocal asked
        asked = itertools.count()

    os.register_at_fork(after_in_child=anew)  # what the parent asked for does not count
    _tell(lambda: at_s + next(asked) / 1000, lambda: at_s * 1_000_000_000 + next(asked) * 1_000_000)

    def instant() -> dt.datetime:
        return moment + dt.timedelta(milliseconds=next(asked))

    def still_now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
        return _as(cls, instant().astimezone(tz) if tz else instant().astimezone().replace(tzinfo=None))

    def still_utcnow(cls: type[dt.datetime]) -> dt.datetime:
        return _as(cls, instant().replace(tzinfo=None))

    def still_today(cls: type[dt.date]) -> dt.date:
        return cls.fromordinal(moment.astimezone().date().toordinal())

    _replace(dt.datetime, "now", still_now)
    _replace(dt.datetime, "utcnow", still_utcnow)
    _replace(dt.date, "today", still_today)


def _as(kind: type[dt.datetime], moment: dt.datetime) -> dt.datetime:
    return moment if kind is dt.datetime else kind.combine(moment.date(), moment.timetz())


def _replace(kind: type, name: str, function: Any) -> None:
    """Give a built-in class another method. A subclass in its place would be another type to everybody who asks."""
    import ctypes

    namespace = gc.get_referents(kind.__dict__)[0]
    namespace[name] = classmethod(function)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
