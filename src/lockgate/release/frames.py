"""What a release host does with Polars tables: cut, build, scatter, list. Loaded only inside a host."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from lockgate.errors import ContractBroken

if TYPE_CHECKING:
    import numpy as np

    from lockgate.records.release import ChartSchema, ChoicesSchema, FieldSchema

__all__ = [
    "Table",
    "answers",
    "choices",
    "columns",
    "cut",
    "ends",
    "first_day",
    "history",
    "last_day",
    "request_frame",
    "rows",
    "scatter",
    "seen",
    "span",
    "typed",
    "with_gaps",
]

Table = pl.DataFrame

DTYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "date": pl.Date(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
}


def cut(table: Table, time_column: str, as_of: dt.date) -> Table:
    """Keep what was known before `as_of`: rows whose time is earlier, in their order. A null time is never known."""
    return table.filter(pl.col(time_column) < as_of)


def first_day(table: Table, time_column: str) -> dt.date | None:
    """The day of the earliest row; None when no row has a time."""
    return table.select(pl.col(time_column).min().cast(pl.Date)).item()


def span(table: Table, column: str) -> tuple[dt.date, dt.date] | None:
    """The first and the last day of a column; None when no row has one."""
    first, last = table.select(first=pl.col(column).min().cast(pl.Date), last=pl.col(column).max().cast(pl.Date)).row(0)
    return (first, last) if first is not None else None


def ends(table: Table, column: str) -> list[float]:
    """The smallest and the largest number of a column; nothing when it has none."""
    known = table[column].drop_nulls().cast(pl.Float64)
    return [known.min(), known.max()] if len(known) else []  # type: ignore[list-item]


def request_frame(requests: Sequence[Mapping[str, object]], fields: Sequence[FieldSchema]) -> Table:
    """One row per request, one column per field, typed by the schema."""
    values = {f.name: [r.get(f.name, f.default) for r in requests] for f in fields}
    return pl.DataFrame(values, schema={f.name: DTYPES[f.type] for f in fields})


def typed(table: Table, fields: Sequence[FieldSchema], *, what: str) -> Table:
    """Select the fields' columns and cast them to the schema's types.

    Raises ContractBroken naming a column that is missing, cannot be cast, or is null where it must not be.
    """
    if missing := [f.name for f in fields if f.name not in table.columns]:
        raise ContractBroken(f"{what} lacks a column", value=", ".join(missing), allowed=", ".join(table.columns))
    try:
        cast = table.select(pl.col(f.name).cast(DTYPES[f.type]) for f in fields)
    except pl.exceptions.PolarsError as error:
        raise ContractBroken(f"{what} has a column of another type", value=str(error).partition("\n")[0]) from error
    for field in fields:
        if field.required and cast[field.name].null_count():
            raise ContractBroken(f"{what} has a null", value=field.name, allowed="a value in every row")
    return cast


def answers(returned: object, fields: Sequence[FieldSchema], *, rows: int) -> Table:
    """Check what a predictor returned: a table, one row per request, every response field."""
    if not isinstance(returned, pl.DataFrame):
        raise ContractBroken("the predictor did not return a table", value=type(returned).__name__, allowed="DataFrame")
    if returned.height != rows:
        raise ContractBroken(
            "the predictor did not answer each request", value=f"{returned.height} rows", allowed=f"{rows}"
        )
    return typed(returned, fields, what="the predictor's answer")


def scatter(answered: Table, closed: Mapping[int, str], fields: Sequence[FieldSchema], *, rows: int) -> Table:
    """Put the answers back in request order; a closed day is zero in every number, its reason in `note`."""
    opened = pl.Series("@row", [row for row in range(rows) if row not in closed], dtype=pl.UInt32)
    nothing = {f.name: [_nothing(f, why) for why in closed.values()] for f in fields}
    zeros = pl.DataFrame(nothing, schema=answered.schema)
    index = pl.Series("@row", list(closed), dtype=pl.UInt32)
    both = pl.concat([answered.with_columns(opened), zeros.with_columns(index)])
    return both.sort("@row").drop("@row")


def seen(returned: object, *, rows: int) -> Table:
    """Check what a predictor's `features` returned: a table, one row per request."""
    if not isinstance(returned, pl.DataFrame):
        raise ContractBroken("`features` did not return a table", value=type(returned).__name__, allowed="DataFrame")
    if returned.height != rows:
        raise ContractBroken(
            "`features` did not describe each request", value=f"{returned.height} rows", allowed=f"{rows}"
        )
    return returned


def with_gaps(seen: Table, gaps: Mapping[int, str], *, rows: int) -> Table:
    """Put rows back in request order, with nulls where there was nothing to see."""
    opened = pl.Series("@row", [row for row in range(rows) if row not in gaps], dtype=pl.UInt32)
    every = pl.DataFrame({"@row": pl.Series(range(rows), dtype=pl.UInt32)})
    return every.join(seen.with_columns(opened), on="@row", how="left", maintain_order="left").drop("@row")


def last_day(table: Table, time_column: str, before: dt.date) -> dt.date | None:
    """The newest day of the rows that are known before `before`; None when there is none."""
    known = cut(table, time_column, before)
    return known.select(pl.col(time_column).max().cast(pl.Date)).item()


def _nothing(field: FieldSchema, why: str) -> object:
    if field.name == "note":
        return why
    return {"number": 0.0, "integer": 0, "boolean": False}.get(field.type)


def rows(table: Table) -> list[dict[str, object]]:
    """The table as one dict per row."""
    return table.to_dicts()


def choices(table: Table, schema: ChoicesSchema) -> list[tuple[str, str]]:
    """(value, label) of each distinct value, sorted by value; the label is the last one in the table."""
    labels = schema.label or schema.column
    distinct = (
        table.select(pl.col(schema.column).alias("value"), pl.col(labels).alias("label"))
        .drop_nulls("value")
        .unique("value", keep="last", maintain_order=True)
        .sort("value")
        .select(pl.col("value").cast(pl.String), pl.col("label").cast(pl.String).fill_null(""))
    )
    return [(value, label) for value, label in distinct.iter_rows()]


def history(
    table: Table, chart: ChartSchema, request: Mapping[str, object], *, since: dt.date
) -> list[tuple[dt.date, float]]:
    """The chart's column summed per day for this request, oldest first; days without a row are absent."""
    known = [pl.col(column) == request[field] for field, column in chart.by.items() if field in request]
    day = pl.col(chart.time_column).cast(pl.Date).alias("day")
    found = (
        table.filter(pl.col(chart.time_column) >= since, *known)
        .group_by(day)
        .agg(pl.col(chart.column).sum().cast(pl.Float64).alias("value"))
        .sort("day")
    )
    return [(d, v) for d, v in found.iter_rows()]


def columns(table: Table) -> dict[str, np.ndarray]:
    """Numpy columns: days as datetime64[D], text as unicode (null is empty), booleans, all numbers as float64."""
    return {series.name: _column(series) for series in table.get_columns()}


def _column(series: pl.Series) -> np.ndarray:
    import numpy as np

    if series.dtype == pl.Date:
        return series.to_numpy().astype("datetime64[D]")
    if series.dtype == pl.Boolean:
        return series.fill_null(value=False).to_numpy().astype(np.bool_)
    if series.dtype.is_numeric():
        return series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    texts = series.cast(pl.String).fill_null("").to_list()
    return np.array(texts, dtype=np.str_) if texts else np.array([], dtype="<U1")


def spread(table: Table, *, rows: int, origins: int | None) -> Table:
    """Up to `rows` rows, evenly spaced, from up to `origins` evenly spaced values of `as_of`; None: whatever their days."""
    if origins is None:
        return table[_even(table.height, rows)]
    days = table["as_of"].unique().sort()
    kept = days.gather(_even(len(days), origins))
    some = table.filter(pl.col("as_of").is_in(kept.to_list()))
    return some[_even(some.height, rows)]


def _even(total: int, wanted: int) -> list[int]:
    count = min(total, wanted)
    return [i * total // count for i in range(count)]


def parts(table: Table) -> Iterable[tuple[dt.date, Table]]:
    """Split by `as_of`, in order of appearance."""
    for part in table.partition_by("as_of", maintain_order=True):
        yield part["as_of"][0], part
