"""Which stretches of a file stand, byte for byte, in its version before: the rest is all that a store has to keep anew.

Made for what happens to tables: rows appended, edited in place, put in or taken out. From a difference on, it looks for
the next stretch that both have, nearby first, so its cost is that of reading both once. Stretches that changed places
are not found. `rsync` and content-defined chunking find more, and must hash every byte of both for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Bytes", "Stretch", "stretches"]

LEAST_BYTES = 4096
"""A shorter stretch is not worth naming."""
PROBE_BYTES = 64
BLOCK_BYTES = 1 << 20
NEAR_BYTES = 1 << 18
FAR_BYTES = 1 << 24
"""How far from where it was a stretch is looked for: near a small difference, at most so far from a large one."""


class Bytes(Protocol):
    """What can be cut like `bytes`, and may lie in a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, at: slice, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """`size_bytes` from `start` on are those from `before` on in the version before."""

    start: int
    before: int
    size_bytes: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.size_bytes


def stretches(before: Bytes, after: Bytes) -> Iterator[Stretch]:
    """Stretches of `after` that stand in `before`, in order and without overlap, each of at least 4 KiB.

    >>> old = bytes(range(256)) * 64
    >>> list(stretches(old, old + b"one row more"))
    [Stretch(start=0, before=0, size_bytes=16384)]
    """
    tail = _same_before(before, len(before), after, len(after))
    end = len(after) - tail
    start, there = 0, 0
    while start < end:
        size = min(_same_from(before, there, after, start), end - start)
        if size >= LEAST_BYTES:
            yield Stretch(start, there, size)
        start, there = start + size, there + size
        found = _next(before, there, after, start) if start < end else None
        if found is None:
            break
        start, there = found
    if tail >= LEAST_BYTES:
        yield Stretch(end, len(before) - tail, tail)


def _next(before: Bytes, there: int, after: Bytes, start: int) -> tuple[int, int] | None:
    """Where the two have a stretch in common again, as far forward as it begins; None when nothing was found."""
    skip = PROBE_BYTES
    while start + skip + PROBE_BYTES <= len(after):
        at = start + skip
        probe = after[at : at + PROBE_BYTES]
        for place in _places(before, there, skip, probe):
            back = min(_same_before(before, place, after, at), skip)
            if back + _same_from(before, place, after, at) >= LEAST_BYTES:
                return at - back, place - back
        skip *= 2
    return None


def _places(before: Bytes, there: int, skip: int, probe: bytes) -> Iterator[int]:
    """Where a probe may stand: as far on as in the other file (an edit in place), then the first place nearby."""
    same = there + skip
    if before[same : same + PROBE_BYTES] == probe:
        yield same
    reach = min(NEAR_BYTES + 4 * skip, FAR_BYTES)
    found = before[there : there + reach].find(probe)
    if found >= 0 and there + found != same:
        yield there + found


def _same_from(before: Bytes, there: int, after: Bytes, start: int) -> int:
    """How many bytes are the same from two places on."""
    size, block = 0, LEAST_BYTES
    while True:
        one, other = before[there + size : there + size + block], after[start + size : start + size + block]
        if one != other or not one:
            return size + _first_difference(one, other)
        size, block = size + len(one), min(2 * block, BLOCK_BYTES)


def _same_before(before: Bytes, there: int, after: Bytes, start: int) -> int:
    """How many bytes are the same up to two places."""
    size, block = 0, LEAST_BYTES
    while True:
        step = min(block, there - size, start - size)
        one, other = before[there - size - step : there - size], after[start - size - step : start - size]
        if one != other or not one:
            return size + _first_difference(one[::-1], other[::-1])
        size, block = size + step, min(2 * block, BLOCK_BYTES)


def _first_difference(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
