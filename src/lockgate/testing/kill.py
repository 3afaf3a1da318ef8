"""Stop `lockgate` right before one of its writes: `python -P -m lockgate.testing.kill N LOG -- ARGUMENTS`.

Every call that makes something last or tells somebody (write, fsync, rename, unlink, link, send, …) is a site. Sites
are numbered in the order in which the process reaches them; before the N-th it kills itself with SIGKILL, as a power
switch would. N = 0 stops nothing and counts. LOG gets a line per site: number, function, and who called it.

What C code writes by itself (`print`, `open(…).write`) is no site: nothing that must last is written so.
"""

from __future__ import annotations

import functools
import inspect
import os
import runpy
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lockgate import together

__all__ = ["SITES", "main"]

SITES: tuple[tuple[Any, str], ...] = (
    (os, "write"), (os, "fsync"), (os, "replace"), (os, "rename"), (os, "unlink"), (os, "link"), (os, "symlink"),
    (os, "truncate"), (os, "ftruncate"), (shutil, "copyfile"), (socket.socket, "send"), (socket.socket, "sendall"),
    (socket.socket, "sendmsg"), (together, "sync_filesystem"),
)  # fmt: skip

HERE = Path(__file__)
PACKAGE = HERE.parents[1]


class Stopper:
    """Counts sites over all threads and ends the process before the chosen one. `log` is an open file descriptor."""

    def __init__(self, at: int, log: int) -> None:
        self._at, self._log = at, log
        self._write = os.write  # the real one: what we note is no site
        self._count = 0
        self._lock = threading.Lock()

    def reach(self, name: str) -> None:
        """Note a site; the chosen one is the last thing this process does."""
        with self._lock:
            self._count += 1
            self._write(self._log, f"{self._count} {name} {_callers(inspect.currentframe())}\n".encode())
            if self._count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)


def watch(owner: Any, name: str, stopper: Stopper) -> None:
    """Put the stopper before a function of a module or a method of a class."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def watched(*arguments: Any, **named: Any) -> Any:
        stopper.reach(f"{owner.__name__}.{name}")
        return original(*arguments, **named)

    setattr(owner, name, watched)


def main(arguments: list[str]) -> None:
    """Run `lockgate` with everything after `--`; its exit code is ours."""
    number, log, separator, *command = arguments
    if separator != "--":
        sys.exit("usage: python -P -m lockgate.testing.kill N LOG -- ARGUMENTS")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    stopper = Stopper(int(number), descriptor)
    for owner, name in SITES:
        watch(owner, name, stopper)
    sys.argv = ["lockgate", *command]
    runpy.run_module("lockgate.cli.main", run_name="__main__", alter_sys=True)


def _callers(frame: FrameType | None) -> str:
    """The innermost frames of ours, nearest first: `durable.py:35 < adapters/local.py:98`."""
    found: list[str] = []
    while frame and len(found) < 3:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE) and path != HERE:
            found.append(f"{path.relative_to(PACKAGE)}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(found)


if __name__ == "__main__":
    main(sys.argv[1:])
