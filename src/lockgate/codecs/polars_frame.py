"""Polars tables as Arrow IPC files; identity over schema and values in row order."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import polars as pl
from blake3 import blake3

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

__all__ = ["identity", "load", "save"]


def save(value: object, path: Path) -> None:
    """Write an uncompressed Arrow IPC file: the hot form, mapped into memory by its readers."""
    cast("pl.DataFrame", value).rechunk().write_ipc(path, compression="uncompressed")


def load(path: Path, kind: type) -> object:
    """Map the file."""
    if kind is pl.LazyFrame:
        return pl.scan_ipc(path)
    return pl.read_ipc(path)


def identity(value: object) -> str:
    """Digest names, types and values column by column, whatever the chunks or the library version."""
    frame = cast("pl.DataFrame", value)
    hasher = blake3(b"lockgate table v1\0")
    hasher.update(f"{frame.height}\0".encode())
    for column in frame.get_columns():
        hasher.update(f"{column.name}\0{column.dtype}\0".encode())
        for part in _parts(column):
            hasher.update(len(part).to_bytes(8, "little"))
            hasher.update(part)
    return "blake3:" + hasher.hexdigest()


def _parts(column: pl.Series) -> list[bytes]:
    """The column as bytes: null mask, then values with nulls zeroed; text as lengths and joined UTF-8."""
    nulls = column.is_null().to_numpy().tobytes() if column.null_count() else b""
    dtype = column.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        column, dtype = column.cast(pl.String), pl.String()
    if dtype == pl.String:
        filled = column.fill_null("")
        lengths = filled.str.len_bytes().to_numpy().tobytes()
        return [nulls, lengths, str(filled.str.join("").item() or "").encode()]
    if isinstance(dtype, pl.List | pl.Array | pl.Struct | pl.Object | pl.Binary | pl.Decimal):
        text = "\n".join(repr(v) for v in column.to_list())
        return [nulls, text.encode()]
    values = column.to_physical().fill_null(0) if dtype != pl.Boolean else column.fill_null(value=False)
    return [nulls, _canonical(values.to_numpy())]


def _canonical(values: np.ndarray) -> bytes:
    """Little-endian bytes; -0.0 and every NaN are one value each."""
    import numpy as np

    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values + 0.0).astype(values.dtype)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
