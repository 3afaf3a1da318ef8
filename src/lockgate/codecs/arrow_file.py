"""Where an Arrow IPC file keeps its values: its footer and batches as records, nothing of the values read.

The format is https://arrow.apache.org/docs/format/Columnar.html, its headers are FlatBuffers. Known is what Polars writes:
whole, uncompressed, little-endian batches. A column of another kind is laid out without a `format`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lockgate.codecs.flatbuffer import Table, root

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Batch", "Column", "Values", "batches"]

MAGIC = b"ARROW1"
TAIL_BYTES = len(MAGIC) + 4
NULL, INT, FLOAT, BOOL, DECIMAL, DATE, TIME, TIMESTAMP, STRUCT = 1, 2, 3, 6, 7, 8, 9, 10, 13
FIXED_LIST, DURATION, LARGE_BINARY, LARGE_TEXT, LARGE_LIST, BINARY_VIEW, TEXT_VIEW = 16, 18, 19, 20, 21, 23, 24
UNITS = "smun"
PLAIN: dict[int, tuple[str, tuple[int, ...]]] = {
    BOOL: ("b", (1,)), LARGE_BINARY: ("Z", (64, 0)), LARGE_TEXT: ("U", (64, 0)), LARGE_LIST: ("+L", (64,)),
    STRUCT: ("+s", ()), BINARY_VIEW: ("vz", (128,)), TEXT_VIEW: ("vu", (128,)),
}  # fmt: skip
OFFSETS = ("Z", "U", "+L")
VIEWS = ("vz", "vu")
HEADER_BATCH = 3


@dataclass(frozen=True, slots=True)
class Column:
    """How a column, or a part of a nested one, is laid out.

    Attributes:
        format: as the C data interface writes a type; "" when these bytes alone do not say its values.
        widths: bits per value of each buffer behind the null mask; 0: any number.
        masked: a null mask comes first.
        times: values of each child per value; 0: as many as there are.
    """

    name: str
    format: str
    widths: tuple[int, ...] = ()
    masked: bool = True
    children: tuple[Column, ...] = ()
    times: int = 0


@dataclass(frozen=True, slots=True)
class Values:
    """A column in one batch. `buffers`: (first byte in the file, size in bytes), the null mask first."""

    column: Column
    length: int
    nulls: int
    buffers: tuple[tuple[int, int], ...]
    children: tuple[Values, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of every column."""

    rows: int
    columns: tuple[Values, ...]


def batches(file: memoryview) -> tuple[Batch, ...]:
    """Every batch of a file. Raises ValueError when it is not of the known form, or not whole."""
    try:
        footer = _footer(file)
        schema = footer.table(1)
        if schema.number(0, "h"):
            raise ValueError("big-endian")
        columns = tuple(_column(field) for field in schema.tables(1))
        blocks = footer.structs(3, "<qi4xq")
        return tuple(_batch(file, columns, *block) for block in blocks)
    except (struct.error, LookupError, StopIteration, RecursionError) as error:
        raise ValueError("not an Arrow file as Polars writes it") from error


def _footer(file: memoryview) -> Table:
    if bytes(file[: len(MAGIC)]) != MAGIC or bytes(file[-len(MAGIC) :]) != MAGIC:
        raise ValueError("not an Arrow file")
    (size_bytes,) = struct.unpack_from("<i", file, len(file) - TAIL_BYTES)
    if not 0 < size_bytes < len(file) - TAIL_BYTES:
        raise ValueError("a footer longer than its file")
    return root(file[len(file) - TAIL_BYTES - size_bytes : len(file) - TAIL_BYTES])


def _column(field: Table) -> Column:
    name, kind = field.text(0), field.number(2, "B")
    if field.has(4):  # a dictionary: its values lie in batches of their own
        return Column(name, "", (0,))
    children = tuple(_column(child) for child in field.tables(5))
    if kind == NULL:
        return Column(name, "n", masked=False)
    format, widths, times = _type(kind, field.table(3))
    known = all(c.format for c in children) and not field.has(6)  # metadata: a type of its own
    return Column(name, format if known else "", widths, children=children, times=times)


def _type(kind: int, type: Table) -> tuple[str, tuple[int, ...], int]:
    """Format, widths, values of a child per value."""
    if kind in PLAIN:
        return *PLAIN[kind], int(kind == STRUCT)
    if kind == FIXED_LIST:
        return f"+w:{(size := type.number(0, 'i'))}", (), size
    if kind == DECIMAL:
        bits = type.number(2, "i", 128)
        return f"d:{type.number(0, 'i')},{type.number(1, 'i')}" if bits == 128 else "", (bits,), 0
    format, bits = _number(kind, type)
    return format, (bits,), 0


def _number(kind: int, type: Table) -> tuple[str, int]:
    """Format and width of what has one number per value. LookupError for another kind."""
    if kind == INT:
        bits = type.number(0, "i")
        letter = {8: "c", 16: "s", 32: "i", 64: "l"}.get(bits, "")
        return letter if type.number(1, "B") else letter.upper(), bits
    if kind == FLOAT:
        return (("e", 16), ("f", 32), ("g", 64))[type.number(0, "h")]
    if kind == DATE:
        return (("tdD", 32), ("tdm", 64))[type.number(0, "h", 1)]
    if kind == TIME:
        return "tt" + UNITS[type.number(0, "h", 1)], type.number(1, "i", 32)
    if kind == TIMESTAMP:
        return f"ts{UNITS[type.number(0, 'h')]}:{type.text(1)}", 64
    if kind == DURATION:
        return "tD" + UNITS[type.number(0, "h", 1)], 64
    raise LookupError(kind)


def _batch(file: memoryview, columns: tuple[Column, ...], start: int, head_bytes: int, body_bytes: int) -> Batch:
    body = start + head_bytes
    if start < 0 or head_bytes < 8 or body_bytes < 0 or body + body_bytes > len(file):
        raise ValueError("a batch outside of its file")
    message = root(file[start + 8 : body])
    batch = message.table(2)
    if message.number(1, "B") != HEADER_BATCH or batch.has(3):
        raise ValueError("no batch, or a compressed one")
    spans = (_span(body, body_bytes, at, size) for at, size in batch.structs(2, "<qq"))
    views = (n for (n,) in batch.structs(4, "<q"))
    nodes = batch.structs(1, "<qq")
    found = tuple(_values(c, nodes, spans, views) for c in columns)
    rows = batch.number(0, "q")
    if any(v.length != rows for v in found):
        raise ValueError("columns of unlike lengths")
    return Batch(rows, found)


def _span(body: int, body_bytes: int, at: int, size_bytes: int) -> tuple[int, int]:
    if at < 0 or size_bytes < 0 or at + size_bytes > body_bytes:
        raise ValueError("values outside of their batch")
    return body + at, size_bytes


def _values(column: Column, nodes: Iterator[Any], buffers: Iterator[tuple[int, int]], views: Iterator[int]) -> Values:
    """Take from each what is this column's."""
    length, nulls = next(nodes)
    count = int(column.masked) + len(column.widths)
    found = [next(buffers) for _ in range(count)]
    if column.format in VIEWS:
        found += [next(buffers) for _ in range(next(views))]
    children = tuple(_values(c, nodes, buffers, views) for c in column.children)
    values = Values(column, length, nulls, tuple(found), children)
    if not _fits(values):
        raise ValueError("fewer values than a batch has rows")
    return values


def _fits(values: Values) -> bool:
    """Whether the buffers hold as many values as there are; what the values say is not looked at."""
    column, length = values.column, values.length
    if not length or not column.format:
        return length >= 0
    sizes = [size for _, size in values.buffers]
    if column.masked and values.nulls and sizes[0] * 8 < length:
        return False
    more = int(column.format in OFFSETS)
    wide = all(size * 8 >= bits * (length + more) for size, bits in zip(sizes[1:], column.widths, strict=False))
    return wide and all(c.length == length * column.times for c in values.children if column.times)
