"""Polars tables as Arrow IPC files; identity over schema and values in row order."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import polars as pl
from blake3 import blake3

from lockgate.codecs.arrow_map import mapped
from lockgate.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import numpy as np

__all__ = ["READERS", "WRITERS", "identity", "load", "load_mapped", "parse", "preview", "save"]

READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": functools.partial(pl.read_csv, try_parse_dates=True),
    ".parquet": pl.read_parquet,
    ".arrow": pl.read_ipc,
    ".ipc": pl.read_ipc,
    ".ndjson": pl.read_ndjson,
}
"""How a file that somebody else wrote is parsed, by its suffix."""

WRITERS: dict[str, Callable[[Path, Path], object]] = {
    ".csv": lambda path, to: pl.scan_ipc(path).sink_csv(to),
    ".parquet": lambda path, to: pl.scan_ipc(path).sink_parquet(to),
    ".ndjson": lambda path, to: pl.scan_ipc(path).sink_ndjson(to),
}
"""In which other forms a stored table can leave, by suffix."""

MAPPED_BYTES = 1 << 20
"""A file of less is read sooner than mapped."""

SLICE_ROWS = 1 << 17
"""So many rows of a column are digested at a time: they fit into a processor's cache."""

Part: TypeAlias = "tuple[int, Iterable[bytes | memoryview]]"
"""How many bytes, and the bytes."""


def save(value: object, path: Path) -> None:
    """Write an uncompressed Arrow IPC file of one batch: the hot form, which a reader can map into its memory."""
    frame = cast("pl.DataFrame", value).rechunk()
    frame.write_ipc(path, compression="uncompressed", record_batch_size=max(frame.height, 1))


def load(path: Path, kind: type) -> object:
    """Read the file into memory: the value does not change with it."""
    if kind is pl.LazyFrame:
        return pl.scan_ipc(path)
    return pl.read_ipc(path)


def load_mapped(path: Path, kind: type) -> object:
    """Take the file as the value's memory: what is not looked at is not read. A small file is read."""
    frame = mapped(path) if path.stat().st_size >= MAPPED_BYTES else None
    if frame is None:
        return load(path, kind)
    return frame.lazy() if kind is pl.LazyFrame else frame


def parse(path: Path, kind: type, *, name: str = "") -> object:
    """Read a file by its suffix. Raises StepFailed with its `name` (else the path's last part) for what is no such table."""
    try:
        frame = READERS[path.suffix.lower()](path)
    except pl.exceptions.PolarsError as error:
        file, why = name or path.name, str(error).partition("\n")[0]
        raise StepFailed(
            "a file cannot be read as a table", value=f"{file}: {why}",
            next=f"mend {file}, or annotate the input with pathlib.Path and read it yourself",
        ) from error  # fmt: skip
    return frame.lazy() if kind is pl.LazyFrame else frame


def preview(path: Path, *, rows: int, width: int) -> str:
    """The first rows as text of at most `width` columns, below the number of rows and columns."""
    frame = cast("pl.LazyFrame", load_mapped(path, pl.LazyFrame))
    height, columns = frame.select(pl.len()).collect().item(), frame.collect_schema().len()
    with pl.Config(
        tbl_width_chars=width, tbl_hide_dataframe_shape=True, tbl_formatting="NOTHING", tbl_hide_dtype_separator=True
    ):
        return f"{height:,} rows, {columns} columns\n{frame.head(rows).collect()}"


def identity(value: object) -> str:
    """Digest names, types and values column by column, whatever the chunks or the library version.

    Beside the table only a slice of one column is in memory.
    """
    frame = cast("pl.DataFrame", value)
    hasher = blake3(b"lockgate table v1\0")
    hasher.update(f"{frame.height}\0".encode())
    for column in frame.get_columns():
        for size_bytes, pieces in (_whole(f"{column.name}\0{column.dtype}".encode()), *_parts(column)):
            hasher.update(size_bytes.to_bytes(8, "little"))
            for piece in pieces:
                hasher.update(piece)
    return "blake3:" + hasher.hexdigest()


def _parts(column: pl.Series) -> Iterator[Part]:
    """The column as bytes: null mask, then values with nulls set to one value; nested ones level by level."""
    dtype = column.dtype
    nulls = column.is_null() if column.null_count() else None
    yield _whole(b"") if nulls is None else _numbers(nulls)
    if isinstance(dtype, pl.Object):
        raise StepFailed("a column of Python objects has no identity", value=column.name, allowed="Arrow types")
    if isinstance(dtype, pl.Null):
        return
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            values = column.struct.field(field.name)
            yield from _parts(values if nulls is None else values.filter(~nulls))
    elif isinstance(dtype, pl.List | pl.Array):
        yield from _list_parts(column if nulls is None else column.filter(~nulls))
    elif isinstance(dtype, pl.Categorical | pl.Enum | pl.Decimal | pl.Int128 | pl.UInt128):
        yield from _text_parts(column.cast(pl.String))
    elif isinstance(dtype, pl.String):
        yield from _text_parts(column)
    elif isinstance(dtype, pl.Binary):
        yield from _binary_parts(column)
    elif isinstance(dtype, pl.Boolean):
        yield _numbers(column)
    else:
        yield _numbers(column.to_physical())


def _list_parts(column: pl.Series) -> Iterator[Part]:
    """Lengths, then the elements of all lists as one column."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    lengths = column.list.len()
    yield _numbers(lengths.cast(pl.UInt64))
    inner = cast("Any", column.dtype).inner
    filled = column.filter(lengths > 0)
    yield from _parts(filled.explode() if len(filled) else pl.Series("", [], dtype=inner))


def _text_parts(column: pl.Series) -> Iterator[Part]:
    """Lengths in bytes, then the texts joined as UTF-8."""

    def lengths(slice: pl.Series) -> pl.Series:
        return slice.str.len_bytes().cast(pl.UInt32)

    yield _numbers(column, lengths)
    # A slice's text leaves polars as bytes: Python would decode and encode it.
    pieces = (cast("bytes", s.fill_null("").str.join("").cast(pl.Binary).item()) for s in _slices(column))
    yield _sum(column, lengths), pieces


def _binary_parts(column: pl.Series) -> Iterator[Part]:
    """Lengths, then the values joined."""

    def lengths(slice: pl.Series) -> pl.Series:
        return slice.bin.size().cast(pl.UInt64)

    yield _numbers(column, lengths)
    pieces = (b"".join(cast("list[bytes]", s.fill_null(b"").to_list())) for s in _slices(column))
    yield _sum(column, lengths), pieces


def _numbers(column: pl.Series, of: Callable[[pl.Series], pl.Series] = lambda s: s) -> Part:
    """Numbers or truth values, nulls as nothing. `of`: what of each slice."""
    like = of(column.clear())
    nothing = False if like.dtype == pl.Boolean else 0
    pieces = (_canonical(of(s).fill_null(nothing).to_numpy()) for s in _slices(column))
    return len(column) * like.to_numpy().dtype.itemsize, pieces


def _sum(column: pl.Series, of: Callable[[pl.Series], pl.Series]) -> int:
    return sum(int(of(s).cast(pl.UInt64).sum()) for s in _slices(column))


def _canonical(values: np.ndarray) -> memoryview:
    """Little-endian bytes; -0.0 and every NaN are one value each."""
    import numpy as np

    if values.dtype.kind == "f":
        values = values + values.dtype.type(0.0)
        values[np.isnan(values)] = np.nan
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).data.cast("B")


def _slices(column: pl.Series) -> Iterator[pl.Series]:
    return (column[start : start + SLICE_ROWS] for start in range(0, len(column), SLICE_ROWS))


def _whole(part: bytes) -> Part:
    return len(part), (part,)
