"""What the terminal shows: tables that fit 100 columns, states in colour, JSON for machines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from lockgate.records.digest import Json

__all__ = ["WIDTH", "colour", "now", "plain", "print_json", "table"]

WIDTH = 100
HARMLESS = "\n\t\xa0\u2009\u202f"
COLOURS = {"run": "33", "failed": "31", "blocked": "31", "fail": "31", "refused": "31", "rejected": "31",
           "reuse": "32", "pass": "32", "live": "32", "healthy": "32", "maybe": "36", "uncertain": "36",
           "waived": "33", "flagged": "33", "skipped": "33"}  # fmt: skip


def now() -> dt.datetime:
    """The real clock, read at the edge and nowhere else."""
    import datetime as dt

    return dt.datetime.now(dt.UTC)


def print_json(value: Json) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def plain(text: str) -> str:
    """Text of records as it is, but what would steer a terminal spelled out; line ends stay.

    >>> plain("fine\\x1b[2Jprint \\u202e")
    'fine\\\\x1b[2Jprint \\\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in HARMLESS else c.encode("unicode_escape").decode() for c in text)


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), whole: bool = False) -> str:
    """Left-aligned columns; the last one is cut so that no line is longer than 100 columns, or goes on below if `whole`.

    >>> print(table([["a", "bb"], ["ccc", "d"]]))
    a    bb
    ccc  d
    """
    given = [[plain(" ".join(str(c).split("\n"))) for c in row] for row in rows]
    everything = [list(header), *given] if header else given
    if not everything:
        return ""
    widths = [max(len(r[i]) for r in everything) for i in range(len(everything[0]))]
    return "\n".join(line for row in everything for line in (_whole(row, widths) if whole else [_line(row, widths)]))


def _whole(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row whose last cell goes on below, in its column; or below the row, where the others leave no room for one."""
    from lockgate.cli.wrapping import beside  # only few tables are wrapped, and every command starts here

    start = "".join(f"{colour(c.ljust(w))}  " for c, w in zip(row[:-1], widths, strict=False))
    return beside(start, row[-1], indent=sum(w + 2 for w in widths[:-1]))


def _room(widths: Sequence[int]) -> int:
    return max(WIDTH - sum(w + 2 for w in widths[:-1]), 12)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [str(c).ljust(w) for c, w in zip(row[:-1], widths, strict=False)]
    room, last = _room(widths), str(row[-1])
    last = last if len(last) <= room else last[: room - 1] + "…"
    return "  ".join([*(colour(c) for c in cells), last]).rstrip()


def colour(text: str) -> str:
    """Colour a state word on a terminal; elsewhere leave it as it is."""
    code = COLOURS.get(text.strip())
    return f"\x1b[{code}m{text}\x1b[0m" if code and sys.stdout.isatty() else text
