"""The graph in words: how old, how dear, how large, and what would happen now. Shared by page and terminal."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

from lockgate.release.wording import count, day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.delivery.drawing.survey import Box, Survey

__all__ = ["age", "ago", "cost", "headline", "size_words", "state_words"]

STATES = {
    "reuse": "up to date", "run": "would run", "maybe": "may run", "blocked": "blocked", "here": "here", "missing": "missing",
}  # fmt: skip


def headline(boxes: Sequence[Box]) -> str:
    """What a run would do now, in a sentence.

    >>> headline([])
    'No steps yet.'
    """
    steps = Counter(b.state for b in boxes if b.kind == "step")
    total = sum(steps.values())
    if not total:
        return "No steps yet."
    if steps["reuse"] == total:
        return (
            f"Everything is up to date: a run would reuse all {count(total, 'result')}."
            if total > 1
            else "Its one step is up to date."
        )
    parts = [f"{steps['run']} would run"] if steps["run"] else []
    parts += [f"{steps['maybe']} may, if what is read changes"] if steps["maybe"] else []
    parts += [f"{steps['blocked']} cannot: something is missing"] if steps["blocked"] else []
    good = {0: "none is", 1: "1 is"}.get(steps["reuse"], f"{steps['reuse']} are")
    return f"Of {count(total, 'step')}, {good} up to date; {'; '.join(parts)}."


def state_words(box: Box) -> str:
    """A box's state, and why."""
    if box.kind == "predictor":
        return {"reuse": "everything it needs is up to date"}.get(box.state, "something it needs is not up to date")
    if box.kind == "release":
        return box.why
    known = STATES.get(box.state, box.state)
    return f"{known}: {box.why}" if box.why else known


def age(box: Box, survey: Survey) -> str:
    """When it was made, by the clock and by the project's day; empty for what nobody computes."""
    if box.computed is None:
        return "elsewhere, or so long ago that no run is kept" if box.kind == "step" and box.state == "reuse" else ""
    text = ago(box.computed, survey.now)
    if not box.computed_as_of:
        return text
    then = dt.date.fromisoformat(box.computed_as_of)
    behind = (survey.as_of - then).days
    if not behind:
        return f"{text}, for this as-of day"
    return f"{text}, for as-of {day(then)}: {count(abs(behind), 'day')} {'before' if behind > 0 else 'after'} this one"


def ago(then: dt.datetime, now: dt.datetime) -> str:
    """How long ago, in the largest unit that fits.

    >>> ago(dt.datetime(2030, 1, 1, tzinfo=dt.UTC), dt.datetime(2030, 1, 3, 5, tzinfo=dt.UTC))
    '2 days ago'
    """
    seconds = int((now - then).total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{count(seconds // length, unit)} ago"
    return "just now"


def cost(seconds: float | None) -> str:
    """Seconds as people say them.

    >>> cost(0.004), cost(3.21), cost(75.0), cost(7300.0)
    ('0.00 s', '3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size_words(size_bytes: int | None) -> str:
    """Bytes as people say them.

    >>> size_words(12), size_words(43_000_000)
    ('12 B', '43.0 MB')
    """
    if size_bytes is None:
        return ""
    value, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
