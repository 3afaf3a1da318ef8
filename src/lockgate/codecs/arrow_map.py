"""An Arrow IPC file as a table whose memory is the file: nothing is read until a value is asked for, nothing is copied.

Polars 2 reads such a file by copying it. It takes over foreign memory through the Arrow C data interface
(https://arrow.apache.org/docs/format/CDataInterface.html), so the file is mapped and its buffers are handed over.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import TYPE_CHECKING, Any

import polars as pl

from lockgate.codecs.arrow_file import VIEWS, Batch, Column, Values, batches

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["mapped"]

NULLABLE = 2
KEPT: list[object] = []
"""What Polars points at. It could say when it lets go, but from threads that must not wait for Python: so it stays mapped
until the process ends, as its clean pages the kernel takes back whenever it needs them."""


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p), ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("children", ctypes.c_void_p), ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip
_Array._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", ctypes.c_void_p),
    ("children", ctypes.c_void_p), ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]  # fmt: skip

_capsule: Any = ctypes.pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
SCHEMA, ARRAY = b"arrow_schema", b"arrow_array"
RELEASE = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p).value
"""Called when Polars lets go: a function that does nothing, and needs no lock of Python's."""


def mapped(path: Path) -> pl.DataFrame | None:
    """The table of a file that `codecs.save` wrote and whose digest was checked; None when it cannot be mapped.

    The values are trusted, as the digest says who wrote them. Writing to the table's memory changes no file. Columns that
    are more than their buffers (categories, 128-bit integers) are copied.
    """
    try:
        memory = _memory(path)
        found = batches(memoryview(memory))
    except (OSError, ValueError):
        return None
    names = [v.column.name for v in found[0].columns] if found else []
    copied = [v.column.name for v in found[0].columns if not v.column.format] if found else []
    if len(names) == len(copied):
        return None
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    KEPT.append(memory)
    table = pl.concat([_frame(batch, base) for batch in found], rechunk=False)
    if copied:
        table = table.hstack(pl.read_ipc(path, columns=copied).rechunk()).select(names)
    return table


def _memory(path: Path) -> mmap.mmap:
    """Private and writable, so that a library that takes the memory for its own gets a page of its own; not reserved."""
    with path.open("rb") as file:
        flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0)
        return mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def _frame(batch: Batch, base: int) -> pl.DataFrame:
    columns = tuple(v for v in batch.columns if v.column.format)
    whole = Values(Column("", "+s"), batch.rows, 0, ((0, 0),), columns)
    return pl.DataFrame(_Handed(_schema(whole.column, columns), _array(whole, base)))


class _Handed:
    """What Polars asks for the batch."""

    def __init__(self, schema: _Schema, array: _Array) -> None:
        self._schema, self._array = schema, array

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        return _capsule(ctypes.addressof(self._schema), SCHEMA, None), _capsule(
            ctypes.addressof(self._array), ARRAY, None
        )


def _schema(column: Column, values: tuple[Values, ...]) -> _Schema:
    children, pointers = _pointers([_schema(v.column, v.children) for v in values])
    names = column.format.encode(), column.name.encode()
    made = _Schema(
        format=names[0], name=names[1], flags=NULLABLE, n_children=len(values), children=pointers, release=RELEASE
    )
    KEPT.append((made, children, names))
    return made


def _array(values: Values, base: int) -> _Array:
    children, pointers = _pointers([_array(v, base) for v in values.children])
    places: list[int | None] = [base + start if size else None for start, size in values.buffers]
    if values.column.masked and not values.nulls:
        places[0] = None
    lengths = None
    if values.column.format in VIEWS:
        data = [size for _, size in values.buffers[2:]]
        lengths = (ctypes.c_int64 * max(len(data), 1))(*data)
        places.append(ctypes.addressof(lengths))
    buffers = (ctypes.c_void_p * max(len(places), 1))(*places)
    made = _Array(
        length=values.length, null_count=values.nulls, n_buffers=len(places), buffers=ctypes.addressof(buffers),
        n_children=len(values.children), children=pointers, release=RELEASE,
    )  # fmt: skip
    KEPT.append((made, children, buffers, lengths))
    return made


def _pointers(structures: list[Any]) -> tuple[object, int | None]:
    """An array of pointers to them, to be kept, and where it lies."""
    if not structures:
        return None, None
    pointers = (ctypes.c_void_p * len(structures))(*map(ctypes.addressof, structures))
    return (structures, pointers), ctypes.addressof(pointers)
