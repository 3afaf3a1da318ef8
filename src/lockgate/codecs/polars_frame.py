"""Polars tables as Arrow IPC files; identity over schema and values in row order."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

import polars as pl
from blake3 import blake3

from lockgate.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np

__all__ = ["READERS", "identity", "load", "parse", "preview", "save"]

READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": functools.partial(pl.read_csv, try_parse_dates=True),
    ".parquet": pl.read_parquet,
    ".arrow": pl.read_ipc,
    ".ipc": pl.read_ipc,
    ".ndjson": pl.read_ndjson,
}
"""How a file that somebody else wrote is parsed, by its suffix."""


def save(value: object, path: Path) -> None:
    """Write an uncompressed Arrow IPC file: the hot form, mapped into memory by its readers."""
    cast("pl.DataFrame", value).rechunk().write_ipc(path, compression="uncompressed")


def load(path: Path, kind: type) -> object:
    """Map the file."""
    if kind is pl.LazyFrame:
        return pl.scan_ipc(path)
    return pl.read_ipc(path)


def parse(path: Path, kind: type) -> object:
    """Read a file by its suffix."""
    frame = READERS[path.suffix.lower()](path)
    return frame.lazy() if kind is pl.LazyFrame else frame


def preview(path: Path, *, rows: int, width: int) -> str:
    """The first rows as text of at most `width` columns, below the number of rows and columns."""
    frame = pl.scan_ipc(path)
    height, columns = frame.select(pl.len()).collect().item(), frame.collect_schema().len()
    with pl.Config(
        tbl_width_chars=width, tbl_hide_dataframe_shape=True, tbl_formatting="NOTHING", tbl_hide_dtype_separator=True
    ):
        return f"{height:,} rows, {columns} columns\n{frame.head(rows).collect()}"


def identity(value: object) -> str:
    """Digest names, types and values column by column, whatever the chunks or the library version."""
    frame = cast("pl.DataFrame", value)
    hasher = blake3(b"lockgate table v1\0")
    hasher.update(f"{frame.height}\0".encode())
    for column in frame.get_columns():
        for part in (f"{column.name}\0{column.dtype}".encode(), *_parts(column)):
            hasher.update(len(part).to_bytes(8, "little"))
            hasher.update(part)
    return "blake3:" + hasher.hexdigest()


def _parts(column: pl.Series) -> Iterator[bytes]:
    """The column as bytes: null mask, then values with nulls set to one value; nested ones level by level."""
    dtype = column.dtype
    nulls = column.is_null()
    yield nulls.to_numpy().tobytes() if column.null_count() else b""
    if isinstance(dtype, pl.Object):
        raise StepFailed("a column of Python objects has no identity", value=column.name, allowed="Arrow types")
    if isinstance(dtype, pl.Null):
        return
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            yield from _parts(column.struct.field(field.name).filter(~nulls))
    elif isinstance(dtype, pl.List | pl.Array):
        yield from _list_parts(column.filter(~nulls))
    elif isinstance(dtype, pl.Categorical | pl.Enum | pl.Decimal | pl.String):
        yield from _text_parts(column.cast(pl.String).fill_null(""))
    elif isinstance(dtype, pl.Binary):
        values = [cast("bytes", v) for v in column.fill_null(b"").to_list()]
        yield b"".join(len(v).to_bytes(8, "little") for v in values)
        yield b"".join(values)
    elif isinstance(dtype, pl.Boolean):
        yield column.fill_null(value=False).to_numpy().tobytes()
    elif isinstance(dtype, pl.Int128 | pl.UInt128):
        yield from _text_parts(column.cast(pl.String).fill_null(""))
    else:
        yield _canonical(column.to_physical().fill_null(0).to_numpy())


def _list_parts(column: pl.Series) -> Iterator[bytes]:
    """Lengths, then the elements of all lists as one column."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    lengths = column.list.len()
    yield _canonical(lengths.cast(pl.UInt64).to_numpy())
    inner = cast("Any", column.dtype).inner
    filled = column.filter(lengths > 0)
    yield from _parts(filled.explode() if len(filled) else pl.Series("", [], dtype=inner))


def _text_parts(column: pl.Series) -> Iterator[bytes]:
    """Lengths in bytes, then the texts joined as UTF-8."""
    yield _canonical(column.str.len_bytes().cast(pl.UInt32).to_numpy())
    yield str(column.str.join("").item() or "").encode()


def _canonical(values: np.ndarray) -> bytes:
    """Little-endian bytes; -0.0 and every NaN are one value each."""
    import numpy as np

    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values + 0.0).astype(values.dtype)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
