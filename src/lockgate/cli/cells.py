"""What commands say alike: sizes, times and counts as people read them, and words that several of them need."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.delivery.data.difference import Difference
    from lockgate.delivery.sources.seeing import Seen

__all__ = ["NOTE", "PARAM", "count_bytes", "counts", "holds", "left_out", "unmoved", "when"]

NOTE = "why this release is made; its evidence page says so to who decides"
PARAM = "another value, this time only; say it again for each"


def count_bytes(size: int) -> str:
    """A size that people read.

    >>> count_bytes(0), count_bytes(1536), count_bytes(3 << 30)
    ('0 B', '1.5 kB', '3.2 GB')
    """
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


def holds(files: int | None, rows: int | None, size_bytes: int | None) -> str:
    """How much a source holds; empty when that is not known.

    >>> holds(1, None, 1500), holds(2, 10, None)
    ('1 file, 1.5 kB', '10 rows')
    """
    if files is None:
        return ""
    if rows is not None:
        return f"{rows:,} rows"
    size = f", {count_bytes(size_bytes)}" if size_bytes is not None else ""
    return f"{files:,} file{'s' if files != 1 else ''}{size}"


def counts(difference: Difference | None) -> str:
    """How many files of each kind; empty when there is no difference."""
    if difference is None:
        return ""
    parts = (("added", difference.added), ("changed", difference.changed), ("removed", difference.removed))
    return ", ".join(f"{len(names):,} {what}" for what, names in parts if names)


def when(at: str | None) -> str:
    """An ISO time in UTC, to the minute.

    >>> when("2026-11-27T04:17:13+00:00"), when(None)
    ('2026-11-27 04:17', '')
    """
    return at[:16].replace("T", " ") if at else ""


def left_out(sources: Iterable[Seen]) -> list[str]:
    """A line for each source with files that are still settling: they are in no result yet."""
    return [
        f"left out  {s.waiting:,} file{'s' if s.waiting != 1 else ''} still settling in {s.name}; next: lockgate run"
        for s in sources
        if s.waiting
    ]


def unmoved(to: str | None, ran: int) -> str:
    """What `run --to STEP` says more when nothing ran: it is how a planned `maybe` ends.

    >>> unmoved("shop.model", 0), unmoved("shop.model", 2), unmoved(None, 0)
    (': nothing that shop.model is made from changed, so nothing ran', '', '')
    """
    return "" if ran or not to else f": nothing that {to} is made from changed, so nothing ran"
