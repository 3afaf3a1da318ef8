"""Read FlatBuffers (https://flatbuffers.dev/internals): as much as the headers of an Arrow file take.

What lies outside of the buffer raises struct.error; what is absent and has no default, LookupError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Table", "root"]


def root(buffer: memoryview) -> Table:
    """The table that a buffer holds."""
    return Table(buffer, _pointed(buffer, 0))


@dataclass(frozen=True, slots=True)
class Table:
    """Fields by their number in the schema. `at`: where it lies in the buffer."""

    buffer: memoryview
    at: int

    def has(self, field: int) -> bool:
        """Whether it is there: a field that has its default is not."""
        return self._place(field) is not None

    def number(self, field: int, format: str, default: int = 0) -> int:
        """A number, as `struct` formats it."""
        place = self._place(field)
        return default if place is None else struct.unpack_from(f"<{format}", self.buffer, place)[0]

    def table(self, field: int) -> Table:
        """Another table."""
        return Table(self.buffer, self._pointed(field))

    def tables(self, field: int) -> Iterator[Table]:
        """A vector of tables, or nothing."""
        first, count = self._vector(field)
        return (Table(self.buffer, _pointed(self.buffer, first + 4 * n)) for n in range(count))

    def structs(self, field: int, format: str) -> Iterator[tuple[Any, ...]]:
        """A vector of structs or numbers, or nothing."""
        first, count = self._vector(field)
        size = struct.calcsize(format)
        return (struct.unpack_from(format, self.buffer, first + size * n) for n in range(count))

    def text(self, field: int) -> str:
        """A text, or an empty one."""
        first, count = self._vector(field)
        return bytes(self.buffer[first : first + count]).decode()

    def _vector(self, field: int) -> tuple[int, int]:
        if not self.has(field):
            return 0, 0
        at = self._pointed(field)
        return at + 4, struct.unpack_from("<I", self.buffer, at)[0]

    def _pointed(self, field: int) -> int:
        place = self._place(field)
        if place is None:
            raise LookupError(field)
        return _pointed(self.buffer, place)

    def _place(self, field: int) -> int | None:
        """Each table points back at a list of where its fields lie; 0 stands for one that is absent."""
        at = self.at - struct.unpack_from("<i", self.buffer, self.at)[0]
        (size_bytes,) = struct.unpack_from("<H", self.buffer, at)
        entry = 4 + 2 * field
        if entry >= size_bytes:
            return None
        (offset,) = struct.unpack_from("<H", self.buffer, at + entry)
        return self.at + offset if offset else None


def _pointed(buffer: memoryview, place: int) -> int:
    return place + struct.unpack_from("<I", buffer, place)[0]
