"""What a step's process leaves behind: processes that it started, even in sessions of their own, end with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

__all__ = ["adopt_orphans", "end_orphans", "kill_group"]

ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER
ROUNDS, PAUSE_S = 100, 0.01


def adopt_orphans() -> None:
    """What a child of this process leaves behind becomes a child of this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT_ORPHANS, *(ctypes.c_ulong(n) for n in (1, 0, 0, 0)))


def end_orphans(*, except_for: set[int] = frozenset()) -> bool:  # type: ignore[assignment]
    """Kill every child but these, until none comes after. Answers whether that was so in the end."""
    for _ in range(ROUNDS):
        orphans = _children() - except_for
        if not orphans:
            return True
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(PAUSE_S)
    return False


def kill_group(pid: int) -> None:
    """Kill what stayed in a process's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _children() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return {int(n) for n in file.read().split()}
    except OSError:  # not Linux, or a kernel without this list
        return set()
