"""Files as they lie in a folder: looked at, not read."""

from __future__ import annotations

import struct
from itertools import compress
from operator import attrgetter
from typing import TYPE_CHECKING

from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

__all__ = ["NOWHERE", "STATE_BYTES", "Listing", "fixed_part", "state_of"]

_STATE = struct.Struct("=QQqqq")
_NUMBERS = attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
STATE_BYTES = _STATE.size


@frozen
class Listing:
    """Files below a folder.

    Attributes:
        top: the folder that names start from.
        names: sorted; `/` between folders.
        states: `STATE_BYTES` for each name, in their order: device, inode, size in bytes, mtime and ctime in ns. Writing to
            a file, or putting another in its place, changes them.
    """

    top: str = ""
    names: tuple[str, ...] = ()
    states: bytes = b""

    def places(self) -> dict[str, str]:
        """Name → where the file is."""
        return {name: f"{self.top}/{name}" for name in self.names}

    def each_state(self) -> list[bytes]:
        """The state of each file, in the order of the names."""
        return [self.states[at : at + STATE_BYTES] for at in range(0, len(self.states), STATE_BYTES)]

    def changed_ns(self) -> Iterator[int]:
        """When each file, or what is said about it, was last changed."""
        return (max(mtime_ns, ctime_ns) for *_, mtime_ns, ctime_ns in _STATE.iter_unpack(self.states))

    def modified_ns(self) -> Iterator[int]:
        """When each file's bytes were last written, as far as its mtime says."""
        return (mtime_ns for *_, mtime_ns, _ in _STATE.iter_unpack(self.states))

    def sizes_bytes(self) -> Iterator[int]:
        """How large each file is."""
        return (size_bytes for _, _, size_bytes, _, _ in _STATE.iter_unpack(self.states))

    def only(self, wanted: Callable[[str, int], bool]) -> Listing:
        """Those for which `wanted(name, changed_ns)` holds."""
        kept = [wanted(name, changed_ns) for name, changed_ns in zip(self.names, self.changed_ns(), strict=True)]
        return Listing(self.top, tuple(compress(self.names, kept)), b"".join(compress(self.each_state(), kept)))


NOWHERE = Listing()


def fixed_part(path: str) -> str:
    """The folders of a glob before its first pattern; a path without one is all fixed.

    >>> fixed_part("data/2024/*/x-*.csv"), fixed_part("data")
    ('data/2024', 'data')
    """
    parts = path.split("/")
    fixed = next((n for n, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    return "/".join(parts[:fixed])


def state_of(looked_at: os.stat_result) -> bytes:
    """What tells one state of a file from the next without reading it."""
    return _STATE.pack(*_NUMBERS(looked_at))
