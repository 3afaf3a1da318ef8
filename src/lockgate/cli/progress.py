"""Progress on long work: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

from lockgate.cli.render import WIDTH, plain

if TYPE_CHECKING:
    import threading

    from lockgate.build.execute import Event

__all__ = ["Progress"]


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
