"""How far two stored values lie apart: tables by rows and columns, JSON by path and number, partitions by key."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from lockgate.records.difference import Difference

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from lockgate.records.digest import Json

__all__ = ["difference", "json_difference"]

SHOWN = 10
NAMED = 3


def difference(codec: str, before: Path, after: Path) -> Difference:
    """Read both and compare. Values of a kind that has no numbers of its own are compared byte by byte."""
    if codec == "polars.ipc":
        return _tables(before, after)
    if codec == "json":
        return json_difference(json.loads(before.read_bytes()), json.loads(after.read_bytes()))
    if codec == "dataset":
        return _partitions(json.loads(before.read_bytes()), json.loads(after.read_bytes()))
    return _bytes(before.read_bytes(), after.read_bytes())


def json_difference(before: Json, after: Json) -> Difference:
    """Two JSON values, path by path.

    >>> json_difference({"a": 1.0, "b": "x"}, {"a": 1.5, "b": "x"}).words
    '1 value differs (a), numbers by at most 0.5 (33%)'
    """
    pairs = list(_unlike(before, after, ""))
    numbers = [(a, b) for _, a, b in pairs if _is_number(a) and _is_number(b)]
    return _told(
        f"{_count(len(pairs), 'value')} differ{'s' if len(pairs) == 1 else ''}", [p for p, _, _ in pairs], numbers
    )


def _unlike(before: Json, after: Json, path: str) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(before, dict) and isinstance(after, dict):
        one, other = cast("dict[str, Json]", before), cast("dict[str, Json]", after)
        for key in sorted({*one, *other}):
            yield from _unlike(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):  # type: ignore[arg-type]
        for position, (a, b) in enumerate(zip(cast("list[Json]", before), cast("list[Json]", after), strict=True)):
            yield from _unlike(a, b, f"{path}[{position}]")
    elif type(before) is not type(after) or before != after:
        yield path or "the whole", before, after


def _tables(before: Path, after: Path) -> Difference:
    import polars as pl

    one, other = pl.read_ipc(before), pl.read_ipc(after)
    if one.schema != other.schema:
        return _other_columns(one, other)
    if one.height != other.height:
        gone, new = _rows_only(one, other), _rows_only(other, one)
        words = f"{one.height:,} rows were recorded, {other.height:,} rebuilt"
        return Difference(words=f"{words}; {gone:,} only recorded, {new:,} only rebuilt")
    unlike = {c: one[c].ne_missing(other[c]) for c in one.columns}
    columns = [c for c, mask in unlike.items() if mask.any()]
    if not columns:
        return Difference(words="the values are equal, the bytes are not")
    rows = int(
        cast("int", pl.DataFrame({c: unlike[c] for c in columns}).select(pl.any_horizontal(pl.all()).sum()).item())
    )
    if _rows_only(one, other) == 0 == _rows_only(other, one):
        return Difference(words="the same rows in another order", places=tuple(columns[:SHOWN]), rows=rows)
    numbers = [p for c in columns if one[c].dtype.is_numeric() for p in _pairs(one[c], other[c], unlike[c])]
    told = _told(f"{rows:,} of {_count(one.height, 'row')} differ{'s' if rows == 1 else ''}", columns, numbers)
    return Difference(words=told.words, places=told.places, rows=rows, largest=told.largest, relative=told.relative)


def _pairs(one: pl.Series, other: pl.Series, mask: pl.Series) -> Iterator[tuple[float, float]]:
    """The numbers that differ."""
    both = zip(one.filter(mask).to_list(), other.filter(mask).to_list(), strict=True)
    return ((float(a), float(b)) for a, b in both if a is not None and b is not None)


def _rows_only(one: pl.DataFrame, other: pl.DataFrame) -> int:
    """How many rows of the one are not in the other; equal rows are counted as often as they occur."""
    import polars as pl

    here, there = (f.group_by(pl.all()).len("__lockgate_rows") for f in (one, other))
    found = here.join(there, on=one.columns, how="left", nulls_equal=True, suffix="_there")
    more = pl.col("__lockgate_rows").cast(pl.Int64) - pl.col("__lockgate_rows_there").fill_null(0).cast(pl.Int64)
    return int(cast("int", found.select(more.clip(lower_bound=0).sum()).item()))


def _other_columns(one: pl.DataFrame, other: pl.DataFrame) -> Difference:
    before, after = ({n: str(t) for n, t in f.schema.items()} for f in (one, other))
    columns = [c for c in sorted({*before, *after}) if before.get(c) != after.get(c)]
    if not columns:
        return Difference(words="the same columns in another order")
    said = (f"{c}: {before.get(c, 'no column')} → {after.get(c, 'no column')}" for c in columns[:NAMED])
    return Difference(words=f"other columns: {', '.join(said)}", places=tuple(columns[:SHOWN]))


def _partitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    one, other = ({p["key"]: p["digest"] for p in record["parts"]} for record in (before, after))
    keys = [k for k in sorted({*one, *other}) if one.get(k) != other.get(k)]
    return _told(
        f"{len(keys)} of {_count(len({*one, *other}), 'partition')} differ{'s' if len(keys) == 1 else ''}", keys, []
    )


def _bytes(before: bytes, after: bytes) -> Difference:
    at = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    return Difference(words=f"{len(before):,} bytes recorded, {len(after):,} rebuilt; they differ from byte {at:,} on")


def _told(words: str, places: list[str], numbers: list[tuple[float, float]]) -> Difference:
    largest = max((abs(a - b) for a, b in numbers if math.isfinite(a - b)), default=None)
    shares = (abs(a - b) / max(abs(a), abs(b)) for a, b in numbers if math.isfinite(a - b) and a != b)
    relative = max(shares, default=None)
    named = ", ".join(places[:NAMED]) + (f" and {len(places) - NAMED} more" if len(places) > NAMED else "")
    words += f" ({named})" if named else ""
    if largest is not None and relative is not None:
        words += f", numbers by at most {largest:.3g} ({_share(relative)})"
    return Difference(words=words, places=tuple(places[:SHOWN]), largest=largest, relative=relative)


def _share(relative: float) -> str:
    """In percent.

    >>> _share(0.333), _share(0.0000001)
    ('33%', '1e-05%')
    """
    percent = relative * 100
    return f"{percent:.2g}%" if percent < 1 else f"{percent:.0f}%"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
