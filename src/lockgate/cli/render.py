"""What the terminal shows: tables that fit 100 columns, a progress display, JSON for machines."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import datetime as dt
    import threading
    from collections.abc import Sequence

    from lockgate.build.execute import Event
    from lockgate.records.digest import Json

__all__ = ["WIDTH", "Progress", "colour", "now", "plain", "print_json", "table"]

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


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), wrap: bool = False) -> str:
    """Left-aligned columns; the last one is cut so that no line is longer than 100 columns, or goes on below with `wrap`.

    >>> print(table([["a", "bb"], ["ccc", "d"]]))
    a    bb
    ccc  d
    """
    given = [[plain(" ".join(str(c).split("\n"))) for c in row] for row in rows]
    everything = [list(header), *given] if header else given
    if not everything:
        return ""
    widths = [max(len(r[i]) for r in everything) for i in range(len(everything[0]))]
    return "\n".join(line for row in everything for line in (_wrapped(row, widths) if wrap else [_line(row, widths)]))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [c.ljust(w) for c, w in zip(row[:-1], widths, strict=False)]
    room = max(WIDTH - sum(len(c) + 2 for c in cells), 12)
    last = row[-1] if len(row[-1]) <= room else row[-1][: room - 1] + "…"
    return "  ".join([*(colour(c) for c in cells), last]).rstrip()


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    from lockgate.cli.wrapping import beside

    start = "".join(f"{colour(c.ljust(w))}  " for c, w in zip(row[:-1], widths, strict=False))
    return beside(start, row[-1], indent=sum(w + 2 for w in widths[:-1]))


def colour(text: str) -> str:
    """Colour a state word on a terminal; elsewhere leave it as it is."""
    code = COLOURS.get(text.strip())
    return f"\x1b[{code}m{text}\x1b[0m" if code and sys.stdout.isatty() else text


class Progress:
    """One live line on a terminal, plain lines elsewhere; never silent for longer than 2 s."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._done = self._left = 0
        self._running: dict[str, float] = {}
        self._said = time.monotonic()
        self._ended: threading.Event | None = None

    def __call__(self, event: Event) -> None:
        """Hear about a step."""
        if event.state == "note":
            self._say(event.reason, final=True)
            return
        pipeline, _, step = event.node.rpartition(".")
        name = f"gate {step}" if pipeline == "gate" else step
        self._left = event.left
        if event.state == "begin":
            self._running[name] = time.monotonic()
            self._keep_ticking()
            if self._out.isatty():
                self._say(f"{name} … ({event.reason})", final=False)
            return
        self._running.pop(name, None)
        self._done += 1
        mark = "✓" if event.state == "done" else "✗"
        self._say(f"{mark} {name:<24} {event.seconds:6.1f} s  {event.reason}", final=True)

    def tick(self) -> None:
        """Say what is running when nothing happened for a while."""
        if self._running and time.monotonic() - self._said > 1.5:
            self._say(
                ", ".join(f"{n} {time.monotonic() - t:.0f} s" for n, t in self._running.copy().items()), final=False
            )

    def end(self) -> None:
        """Tick no more."""
        if self._ended is not None:
            self._ended.set()

    def _keep_ticking(self) -> None:
        """Tick beside the work, from its first step on: where nothing runs, no thread is needed."""
        if self._ended is not None:
            return
        import threading

        ended = self._ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.5):
                self.tick()

        threading.Thread(target=work, daemon=True).start()

    def _say(self, text: str, *, final: bool) -> None:
        self._said = time.monotonic()
        total = self._done + self._left
        count = f"{self._done}/{total}" if total else ""  # who only waits has no steps to count
        line = plain(f"{count:>7}  {text}")[:WIDTH]
        if self._out.isatty():
            self._out.write(f"\r\x1b[K{line}" + ("\n" if final else ""))
        else:
            self._out.write(line + "\n")
        self._out.flush()
