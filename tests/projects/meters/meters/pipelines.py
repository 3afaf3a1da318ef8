"""Electricity meters: hourly readings become daily use, month by month, and a bill."""

import datetime as dt

import polars as pl
from lockgate import Pipeline, step

LONGEST_GAP = dt.timedelta(days=7)


@step(each="month", lookback=1, by="time")
def used(readings: pl.DataFrame) -> pl.DataFrame:
    """Rows: one per reading, with what was used since the one before; the first of a month needs the month before."""
    return readings.sort("time").with_columns(
        kwh=pl.col("counter").diff().fill_null(0), late=pl.col("time").diff() > LONGEST_GAP
    )


@step(each="month", by="time", whole=["tariffs"])
def costs(used: pl.DataFrame, tariffs: pl.DataFrame, fee: int = 0) -> pl.DataFrame:
    """Rows: one per reading; `tariffs` has no time and is read whole."""
    return used.select("time", cents=pl.col("kwh") * tariffs["cents"][0] + fee)


@step
def bill(costs: pl.DataFrame) -> dict[str, int]:
    """Cents per month."""
    months = costs.group_by(month=pl.col("time").dt.strftime("%Y-%m")).agg(pl.col("cents").sum()).sort("month")
    return dict(months.iter_rows())


billing = Pipeline("billing", kind="data", steps=[used, costs, bill], publishes=["bill"])
