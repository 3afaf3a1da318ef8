"""What a step's process leaves behind: processes that it started, even in sessions of their own, end with it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import sys
from os import getpid, kill, killpg, waitpid  # as they are before a project puts others in their place
from time import sleep

__all__ = ["adopt_orphans", "end_orphans", "kill_group"]

ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER
ROUNDS, SHORTEST_S, LONGEST_S = 100, 0.001, 0.02


def adopt_orphans() -> None:
    """What a child of this process leaves behind becomes a child of this process."""
    if sys.platform == "linux":
        _libc().prctl(ADOPT_ORPHANS, *(ctypes.c_ulong(n) for n in (1, 0, 0, 0)))


def end_orphans(*, except_for: set[int] = frozenset()) -> bool:  # type: ignore[assignment]
    """Kill every child but these, until none comes after. Answers whether that was so in the end."""
    for number in range(ROUNDS):
        orphans = _children() - except_for
        if not orphans:
            return True
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                waitpid(pid, os.WNOHANG)
        sleep(min(SHORTEST_S * 2**number, LONGEST_S))
    return False


def kill_group(pid: int) -> None:
    """Kill what stayed in a process's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        killpg(pid, signal.SIGKILL)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _children() -> set[int]:
    try:
        with open(f"/proc/self/task/{getpid()}/children") as file:
            return {int(n) for n in file.read().split()}
    except OSError:  # not Linux, or a kernel without this list
        return set()
