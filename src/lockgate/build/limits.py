"""Time and memory of a running step, watched from outside.

RLIMIT_AS counts reserved addresses, which Arrow and Polars take by the gigabyte without using them, so the engine
looks at what a step's processes really hold: anonymous and shared memory, proportionally when they share it. Mapped
files do not count: the kernel drops them when it needs room.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.records.graph import Node

__all__ = ["LOOK_S", "Watch", "memory_mb"]

LOOK_S = 0.1
"""How often a step with a limit is looked at: what it allocates between two looks is not stopped."""
PATIENCE_S = 1.0
MIB = 1024


class Watch:
    """The limits of one step that runs as `pid`. The clock starts here."""

    def __init__(self, node: Node, pid: int) -> None:
        self._node, self._pid = node, pid
        self._started_s = time.monotonic()

    @property
    def wait_s(self) -> float:
        """How long to wait for an answer before looking."""
        if self._node.memory_mb is not None:
            return LOOK_S
        left_s = PATIENCE_S if self._node.timeout_s is None else self._node.timeout_s - self._passed_s()
        return min(max(left_s, 0.001), PATIENCE_S)

    def broken(self) -> dict[str, str] | None:
        """The error of the limit that is broken, as parts; None while all hold."""
        node = self._node
        if node.timeout_s is not None and (passed_s := self._passed_s()) >= node.timeout_s:
            return {"what": f"step {node.name} took too long", "value": f"ended after {passed_s:.1f} s",
                    "allowed": f"timeout_s={node.timeout_s:g}", "next": "make it faster, or raise timeout_s in its @step"}  # fmt: skip
        if node.memory_mb is not None and (held_mb := memory_mb(self._pid, over=node.memory_mb)) > node.memory_mb:
            return {"what": f"step {node.name} took too much memory", "value": f"ended at {held_mb:,.0f} MiB",
                    "allowed": f"memory_mb={node.memory_mb}", "next": "let it hold less at a time, or raise memory_mb in its @step"}  # fmt: skip
        return None

    def _passed_s(self) -> float:
        return time.monotonic() - self._started_s


def memory_mb(pid: int, *, over: float = 0.0) -> float:
    """What a process and everything it started hold, in MiB.

    First summed as if nothing were shared, which is cheap; only a sum above `over` is refined.
    """
    family = _family(pid)
    summed = sum(_kib(f"/proc/{p}/status", ("RssAnon:", "RssShmem:")) for p in family) / MIB
    if summed <= over or len(family) < 2:
        return summed
    return sum(_kib(f"/proc/{p}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) for p in family) / MIB


def _family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{parent}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{thread}/children") as file:
                    found += [int(p) for p in file.read().split()]
    return found


def _kib(file: str, fields: Iterable[str]) -> int:
    """The sum of some lines of a file under /proc; 0 when the process is gone."""
    with contextlib.suppress(OSError), open(file) as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith(tuple(fields)))
    return 0
