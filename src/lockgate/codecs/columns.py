"""Records that hold numpy columns (they set `__lockgate_columns__ = "field"`) as one uncompressed `.npz`, no pickle.

The other fields travel as JSON in an entry `@record`.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from blake3 import blake3

from lockgate.codecs import json_value
from lockgate.records.digest import canonical

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["identity", "load", "save"]

RECORD = "@record"


def save(value: object, path: Path) -> None:
    """Write the columns and, beside them, the other fields."""
    columns, rest = _split(value)
    record = np.frombuffer(canonical(rest), dtype=np.uint8)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{RECORD: record, **columns})


def load(path: Path, kind: type) -> object:
    """Read the record back; object arrays are refused by numpy itself."""
    with np.load(path, allow_pickle=False) as archive:
        columns = {name: archive[name] for name in archive.files if name != RECORD}
        rest = json.loads(archive[RECORD].tobytes())
    field = cast("Any", kind).__lockgate_columns__
    hints = json_value.hints(kind)
    return kind(**{field: columns}, **{n: json_value.decode(hints[n], v) for n, v in rest.items()})


def identity(value: object) -> str:
    """Digest fields, column names, types and values; the width of a text column is that of its longest text."""
    columns, rest = _split(value)
    hasher = blake3(b"lockgate columns v1\0")
    hasher.update(canonical(rest))
    for name, array in columns.items():
        plain = _plain(array)
        hasher.update(canonical([name, plain.dtype.str, list(plain.shape)]))
        hasher.update(plain.tobytes())
    return "blake3:" + hasher.hexdigest()


def _plain(array: np.ndarray) -> np.ndarray:
    """Little-endian and contiguous; -0.0 and every NaN are one value each; text no wider than it is."""
    if array.dtype.kind in "US":
        width = max(1, int(np.char.str_len(array).max(initial=0)))
        array = array.astype(f"{array.dtype.kind}{width}")
    elif array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array + 0.0).astype(array.dtype)
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _split(value: object) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    field = cast("Any", value).__lockgate_columns__
    rest = {
        f.name: json_value.encode(getattr(value, f.name))
        for f in dataclasses.fields(cast("Any", value))
        if f.name != field
    }
    return dict(getattr(value, field)), rest
