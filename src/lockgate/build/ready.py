"""Which step is next: the first one, in the plan's order, that waits for no other any more."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

__all__ = ["Ready"]


class Ready:
    """Steps that were not begun.

    Args:
        inputs: step → what it reads, in the plan's order.
        known: what needs no waiting for, though it is a step.

    >>> ready = Ready({"a": [], "b": ["a"], "c": ["b", "elsewhere"]}, known=())
    >>> ready.next(), ready.next()
    ('a', None)
    >>> ready.know("a")
    >>> ready.next(), ready.rest(), ready.count({"a", "c"})
    ('b', ['c'], 1)
    """

    def __init__(self, inputs: Mapping[str, Iterable[str]], *, known: Container[str]) -> None:
        self._places = {name: place for place, name in enumerate(inputs)}
        self._lacking = {name: {i for i in read if i in inputs and i not in known} for name, read in inputs.items()}
        self._behind: dict[str, list[str]] = defaultdict(list)
        for name, lacking in self._lacking.items():
            for other in lacking:
                self._behind[other].append(name)
        self._ready = [(self._places[name], name) for name, lacking in self._lacking.items() if not lacking]

    def next(self) -> str | None:
        """Take the first that lacks nothing; None while there is none."""
        if not self._ready:
            return None
        _, name = heapq.heappop(self._ready)
        del self._lacking[name]
        return name

    def know(self, name: str) -> None:
        """What this step makes is known."""
        for other in self._behind.pop(name, ()):
            lacking = self._lacking[other]
            lacking.discard(name)
            if not lacking:
                heapq.heappush(self._ready, (self._places[other], other))

    def rest(self) -> list[str]:
        """Those that were not taken, in order."""
        return list(self._lacking)

    def count(self, among: set[str]) -> int:
        """How many of these were not taken."""
        return len(self._lacking.keys() & among)
