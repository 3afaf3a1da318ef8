"""Tables ↔ partitions. A dataset is written as a JSON record, and beside it a file per partition, named by its digest.

A row belongs to the period that its date lies in. Nothing is guessed: a table without the date column, a date that is
null, a returned row that lies outside of what the step was shown are errors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from lockgate.codecs import polars_frame
from lockgate.errors import StepFailed
from lockgate.records.dataset import DAYS_OF_WEEK, MONTHS, Dataset, Part, key_of
from lockgate.records.digest import canonical, digest_file
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.records.digest import Json

__all__ = ["PARTS", "Split", "cut", "identity", "join", "load", "load_parts", "save", "split"]

PARTS = "parts"
"""The folder beside the record."""

NUMBER = "@partition"
EPOCH = 719_163  # 1970-01-01 as a `date.toordinal`
LAST_YEAR = 9999


@dataclass(frozen=True)
class Split:
    """A table in partitions, in memory."""

    period: str
    by: str
    frames: tuple[tuple[int, pl.DataFrame], ...]
    empty: pl.DataFrame

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Of every partition, then of the table without rows."""
        return tuple(polars_frame.identity(f) for f in (*(f for _, f in self.frames), self.empty))


def split(table: pl.DataFrame, by: str, period: str) -> Split:
    """Cut a table into partitions by its date column; rows keep their order within a partition."""
    numbered = table.with_columns(numbers(table, by, period).alias(NUMBER))
    groups = numbered.partition_by(NUMBER, as_dict=True, maintain_order=True, include_key=False)
    frames = {cast("int", number): frame for (number,), frame in groups.items()}
    return Split(period, by, tuple(sorted(frames.items(), key=lambda x: x[0])), table.clear())


def join(table: pl.DataFrame) -> pl.DataFrame:
    """The partitions in order as one table: what its reader made of them already."""
    return table


def cut(value: pl.DataFrame, partition: Mapping[str, Json]) -> Split:
    """Of what a step returned for one partition, the rows of that partition; those it looked back on are dropped.

    Args:
        partition: `by`, `period`, `number`, `lookback`.

    Raises:
        StepFailed: a row lies outside of what the step was shown.
    """
    by, period, number = partition["by"], partition["period"], partition["number"]
    found = numbers(value, by, period, which="what the step returned")
    low, high = cast("int | None", found.min()), cast("int | None", found.max())
    if low is not None and high is not None and (low < number - partition["lookback"] or high > number):
        stranger = high if high > number else low
        raise StepFailed(
            "a step returned rows of a partition that it was not shown",
            value=f"{by} in {key_of(period, stranger)}, asked for {key_of(period, number)} with lookback {partition['lookback']}",
            allowed=f"rows whose {by} is that of the rows they are made from", next="correct the step",
        )  # fmt: skip
    return Split(period, by, ((number, value.filter(found == number)),), value.clear())


def numbers(table: pl.DataFrame, by: str, period: str, *, which: str = "a table") -> pl.Series:
    """The period of each row as its place in the calendar."""
    dates = [n for n, t in table.schema.items() if isinstance(t, pl.Date | pl.Datetime)]
    if by not in dates:
        what = "the table has no such column" if by not in table.columns else f"it holds {table.schema[by]}"
        raise StepFailed(
            f"{which} cannot be partitioned", value=f"by {by!r}: {what}",
            allowed=f"a column of dates; this table has {', '.join(dates) or 'none'}",
            next="name it with @step(by=…), or read the table as it is with @step(whole=[…])",
        )  # fmt: skip
    day = table[by].dt.date()
    if day.null_count():
        raise StepFailed(
            f"{which} cannot be partitioned", value=f"{day.null_count()} rows have no {by}",
            allowed="a date in every row", next="drop or repair these rows in a step before",
        )  # fmt: skip
    year = day.dt.year()
    if len(year) and not 1 <= cast("int", year.min()) <= cast("int", year.max()) <= LAST_YEAR:
        raise StepFailed(f"{which} cannot be partitioned", value=f"{by} has the year {year.min()} or {year.max()}")
    return _numbers(day, year, period).cast(pl.Int64)


def _numbers(day: pl.Series, year: pl.Series, period: str) -> pl.Series:
    if period == "year":
        return year
    if period == "month":
        return year * MONTHS + (day.dt.month().cast(pl.Int32) - 1)
    ordinal = day.to_physical() + EPOCH
    return ordinal if period == "day" else (ordinal - 1) // DAYS_OF_WEEK


def save(value: object, path: Path) -> None:
    """Write the record to `path` and the partitions into the folder `parts` beside it."""
    table = cast("Split", value)
    folder = path.parent / PARTS
    folder.mkdir(exist_ok=True)
    named = [*((key_of(table.period, n), n, f) for n, f in table.frames), ("", 0, table.empty)]
    parts = [_save(folder, k, n, f, i) for (k, n, f), i in zip(named, table.identities, strict=True)]
    record = Dataset(table.period, table.by, tuple(parts[:-1]), parts[-1])
    path.write_bytes(canonical(to_json(record)))


def _save(folder: Path, key: str, number: int, frame: pl.DataFrame, identity: str) -> Part:
    written = folder / "part"
    polars_frame.save(frame, written)
    size_bytes, stored = written.stat().st_size, digest_file(written)
    written.rename(folder / stored.rpartition(":")[2])
    return Part(key, number, identity, stored, frame.height, size_bytes)


def load(path: Path, kind: type) -> object:
    """The record itself; a table is read by `load_parts`."""
    if kind is not Dataset:
        raise StepFailed("a dataset is read by its partitions", value=f"{path.name} as {kind.__name__}")
    return from_json(Dataset, json.loads(path.read_bytes()))


def load_parts(paths: Sequence[Path], kind: Any) -> object:
    """The partitions in order as one table; the memory of large ones is that of their files."""
    frame = pl.concat([cast("pl.DataFrame", polars_frame.load_mapped(p, pl.DataFrame)) for p in paths], rechunk=False)
    return frame.lazy() if kind is pl.LazyFrame else frame


def identity(value: object) -> str:
    """The digest of keys and identities, as the record says it."""
    table = cast("Split", value)
    *found, empty = table.identities
    parts = tuple(Part(key_of(table.period, n), n, i, "", 0, 0) for (n, _), i in zip(table.frames, found, strict=True))
    return Dataset(table.period, table.by, parts, Part("", 0, empty, "", 0, 0)).identity
