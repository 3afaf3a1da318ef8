"""Rows ↔ polars tables: what a source reads becomes typed columns, what a step made becomes rows for a sink.

A column's type is the narrowest that holds everything ever read of it, so it does not depend on how the rows arrived:
nothing known < whole numbers < numbers, and nothing known < text, bytes, truth, date, time. Anything else mixed is an error.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from lockgate.codecs import polars_frame
from lockgate.errors import LockgateError, StepFailed, UsageError
from lockgate.records.rows import PAGE_ROWS, Batch, Page, identity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Columns", "cast_to", "columns_of", "cut", "frame_of", "identity_of_pages", "join", "load_page", "parse_folder", "prefix_identity", "rows_of", "save_page", "table_of", "unique", "widen"]  # fmt: skip

Columns = tuple[tuple[str, str], ...]

EXACT = 1 << 53
TYPES: dict[str, Any] = {
    "null": pl.Null, "int": pl.Int64, "float": pl.Float64, "str": pl.String, "bytes": pl.Binary, "bool": pl.Boolean,
    "date": pl.Date, "datetime": pl.Datetime("us"),
}  # fmt: skip
NAMES = {str(dtype): name for name, dtype in TYPES.items()}
KINDS = {pl.Boolean: "integer", pl.Float32: "real", pl.Float64: "real", pl.Binary: "blob", pl.Null: "text"}
TEXTS = (pl.String, pl.Categorical, pl.Enum, pl.Decimal)


def frame_of(batch: Batch, *, source: str) -> pl.DataFrame:
    """A batch as a table; UsageError names the column whose values are of unlike kinds."""
    columns: Sequence[Sequence[Any]] = list(zip(*batch.rows, strict=True)) or [()] * len(batch.columns)
    if len(set(batch.columns)) < len(batch.columns):
        raise UsageError(
            "two columns of a source have one name", value=f"{source}: {', '.join(batch.columns)}",
            allowed="each name once", next="rename one in the query with `as`",
        )  # fmt: skip
    return pl.DataFrame([_series(n, values, source) for n, values in zip(batch.columns, columns, strict=True)])


def columns_of(frame: pl.DataFrame) -> Columns:
    """(name, type) of a table that `frame_of` made."""
    return tuple((name, NAMES[str(dtype)]) for name, dtype in frame.schema.items())


def identity_of_pages(pages: Sequence[Path]) -> str | None:
    """The identity of rows by the values of their pages; None when a file is no page."""
    try:
        frames = [load_page(page) for page in pages]
        kept = [Page(object="", digest=polars_frame.identity(f), rows=len(f)) for f in frames]
        return identity_of(columns_of(frames[0]), kept)
    except (pl.exceptions.PolarsError, LockgateError, OSError, KeyError):
        return None


def widen(known: Columns | None, found: Columns, *, source: str) -> Columns:
    """The types that hold both; UsageError when names differ or types cannot meet."""
    if known is None:
        return found
    if [n for n, _ in known] != [n for n, _ in found]:
        raise UsageError(
            "the columns of a source changed",
            value=f"{source}: was {', '.join(n for n, _ in known)}; is {', '.join(n for n, _ in found)}",
            allowed="the same names in the same order",
            next=f"name them in the query of [sources.{source}], e.g. `select new as old`; another query begins anew",
        )
    return tuple((n, _wider(n, old, new, source)) for (n, old), (_, new) in zip(known, found, strict=True))


def cast_to(frame: pl.DataFrame, columns: Columns, *, source: str) -> pl.DataFrame:
    """The table with wider types. A whole number that a float cannot hold exactly is an error."""
    for name, kind in columns:
        if kind == "float" and frame[name].dtype == pl.Int64 and len(frame):
            most = max(abs(int(cast("int", frame[name].min() or 0))), abs(int(cast("int", frame[name].max() or 0))))
            if most > EXACT:
                raise _unlike(source, name, f"numbers, and the whole number {most} that no float holds exactly")
    return frame.select(pl.col(name).cast(TYPES[kind]) for name, kind in columns)


def join(first: pl.DataFrame | None, second: pl.DataFrame) -> pl.DataFrame:
    """One below the other; both have the same columns."""
    return second if first is None else pl.concat([first, second])


def cut(frame: pl.DataFrame) -> tuple[list[pl.DataFrame], pl.DataFrame | None]:
    """Whole pages, and what is left."""
    whole = len(frame) // PAGE_ROWS
    rest = frame[whole * PAGE_ROWS :]
    return [frame[n * PAGE_ROWS : (n + 1) * PAGE_ROWS] for n in range(whole)], rest if len(rest) else None


def save_page(frame: pl.DataFrame, path: Path) -> str:
    """Write a page, answer its identity."""
    polars_frame.save(frame, path)
    return polars_frame.identity(frame)


def load_page(path: Path) -> pl.DataFrame:
    """Read a page."""
    return pl.read_ipc(path)


def parse_folder(folder: Path, kind: type) -> object:
    """Every file below a folder, one table below the other, in the order of their names."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    if unread := [p for p in files if p.suffix.lower() not in polars_frame.READERS]:
        raise StepFailed(
            "a folder holds a file that is no table", value=unread[0].name, allowed=", ".join(polars_frame.READERS),
            next="annotate the input with pathlib.Path, or move the file away",
        )  # fmt: skip
    names = [p.relative_to(folder).as_posix() for p in files]
    frames = [
        (n, cast("pl.DataFrame", polars_frame.parse(p, pl.DataFrame, name=n)))
        for n, p in zip(names, files, strict=True)
    ]
    table = pl.concat(_alike(frames), how="vertical")
    return table.lazy() if kind is pl.LazyFrame else table


def _alike(frames: list[tuple[str, pl.DataFrame]]) -> list[pl.DataFrame]:
    """The tables with the types that hold all of them: a column without values takes any, whole numbers become numbers."""
    first_name, first = frames[0]
    if all(f.schema == first.schema for _, f in frames):
        return [f for _, f in frames]
    wanted: dict[str, tuple[Any, str]] = {}
    for file, frame in frames:
        if frame.columns != first.columns:
            raise StepFailed(
                "two files of a folder have unlike columns",
                value=f"{first_name}: {', '.join(first.columns)}; {file}: {', '.join(frame.columns)}"[:400],
                allowed="the same names in the same order", next=f"mend {first_name} or {file}",
            )  # fmt: skip
        for name, dtype in frame.schema.items():
            if frame[name].null_count() < len(frame):
                wanted[name] = _meeting(name, wanted.get(name, (dtype, file)), (dtype, file))
    return [f.cast({n: wanted[n][0] if n in wanted else first.schema[n] for n in f.columns}) for _, f in frames]


def _meeting(column: str, known: tuple[Any, str], found: tuple[Any, str]) -> tuple[Any, str]:
    if known[0] == found[0] or {known[0], found[0]} == {pl.Int64, pl.Float64}:
        return (pl.Float64, found[1]) if known[0] != found[0] else known
    raise StepFailed(
        "a column has another type in another file", value=f"{column}: {known[0]} in {known[1]}, {found[0]} in {found[1]}",
        allowed="one type", next=f"mend {known[1]} or {found[1]}, or annotate the input with pathlib.Path and read them yourself",
    )  # fmt: skip


def table_of(path: Path, *, sink: str) -> pl.DataFrame:
    """A step's artifact as a table."""
    try:
        return pl.read_ipc(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(
            "a sink is fed by a step that makes no table", value=sink, allowed="a step that returns polars.DataFrame",
            next=f"edit `from` in [sinks.{sink}]",
        ) from error  # fmt: skip


def prefix_identity(frame: pl.DataFrame, rows: int) -> str:
    """The identity of the first rows alone."""
    return polars_frame.identity(frame[:rows])


def unique(frame: pl.DataFrame, key: Sequence[str], *, sink: str) -> None:
    """A key names at most one row and is never null."""
    if missing := [k for k in key if k not in frame.columns]:
        raise UsageError(
            "the key of a sink is not in its table", value=f"{sink}: {', '.join(missing)}",
            allowed=", ".join(frame.columns), next=f"edit `key` in [sinks.{sink}]",
        )  # fmt: skip
    keys = frame.select(key)
    if sum(keys.null_count().row(0)) or keys.is_duplicated().any():
        raise StepFailed(
            "the key of a sink does not name one row", value=f"{sink}: {', '.join(key)} is null or occurs twice",
            next="correct the step's table, or the key",
        )  # fmt: skip


def rows_of(frame: pl.DataFrame, *, sink: str) -> tuple[tuple[tuple[str, str], ...], Iterator[Batch]]:
    """(column, kind) and the rows: truth as 0 and 1, dates and times as ISO text, NaN as it is."""
    kinds = tuple((name, _kind(name, dtype, sink)) for name, dtype in frame.schema.items())
    plain = frame.select(_plain(name, dtype) for name, dtype in frame.schema.items())
    return kinds, (Batch(tuple(frame.columns), part.rows()) for part in plain.iter_slices(PAGE_ROWS))


def _series(name: str, values: Sequence[Any], source: str) -> pl.Series:
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int, float}:
        if any(abs(v) > EXACT for v in values if type(v) is int):
            raise _unlike(source, name, "numbers, and whole numbers that no float holds exactly")
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
    if len(kinds) > 1:
        raise _unlike(source, name, " and ".join(sorted(k.__name__ for k in kinds)))
    kind = next(iter(kinds)).__name__ if kinds else "null"
    if kind not in TYPES or (kind == "datetime" and any(isinstance(v, dt.datetime) and v.tzinfo for v in values)):
        raise _unlike(source, name, f"{kind}, which is none of {', '.join(TYPES)}")
    return pl.Series(name, values, dtype=TYPES[kind])


def _wider(name: str, old: str, new: str, source: str) -> str:
    if new in (old, "null"):
        return old
    if old == "null" or {old, new} == {"int", "float"}:
        return "float" if old != "null" else new
    raise _unlike(source, name, f"{old} before and {new} now")


def _unlike(source: str, column: str, what: str) -> UsageError:
    return UsageError(
        "a column of a source holds values of unlike kinds", value=f"{source}: {column}: {what}",
        allowed="one kind of value, and NULL",
        next=f"convert it in the query of [sources.{source}], e.g. `cast({column} as real) as {column}`",
    )  # fmt: skip


def _kind(name: str, dtype: Any, sink: str) -> str:
    if dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128):
        return "integer"
    if (dtype.is_temporal() and dtype != pl.Duration) or dtype in TEXTS or isinstance(dtype, TEXTS):
        return "text"
    for known, kind in KINDS.items():
        if dtype == known:
            return kind
    raise StepFailed(
        "a column cannot be written to a table", value=f"{sink}: {name}: {dtype}",
        allowed="numbers, text, truth, dates, times, bytes", next=f"cast {name} in the step",
    )  # fmt: skip


def _plain(name: str, dtype: Any) -> pl.Expr:
    column = pl.col(name)
    if dtype == pl.Boolean:
        return column.cast(pl.Int64)
    if dtype.is_temporal():
        return column.dt.to_string("iso")
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Decimal):
        return column.cast(pl.String)
    return column
