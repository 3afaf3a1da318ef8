"""A toy shop."""

from __future__ import annotations
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
import polars as pl
from lockgate import Choices, Horizon, Pipeline, predictor, step


@dataclass(frozen=True)
class Request:
    product: Annotated[str, Choices("history", "product")]
    date: Annotated[dt.date, Horizon(days=14)]


@dataclass(frozen=True)
class Forecast:
    units: float
    low: float
    high: float
    note: str


@dataclass(frozen=True)
class Model:
    factor: float


@step
def history(sales: Path, as_of: dt.date) -> pl.DataFrame:
    """Rows: one per (date, product)."""
    return pl.read_csv(sales, try_parse_dates=True).filter(pl.col("date") < as_of).sort("date", "product")


@step
def model(history: pl.DataFrame, factor: float = 1.0) -> Model:
    return Model(factor)


@step
def holdout(history: pl.DataFrame) -> pl.DataFrame:
    last = history["date"].max()
    first = last - dt.timedelta(days=27)
    rows = history.filter(pl.col("date") >= first).select("product", "date", actual=pl.col("units").cast(pl.Float64))
    return rows.with_columns(
        as_of=pl.lit(first),
        best_simple=pl.lit(50.0),
        band=pl.when(pl.col("product") == "p0").then(pl.lit("small")).otherwise(pl.lit("large")),
    ).filter((pl.col("date") > first) & (pl.col("date") < first + dt.timedelta(days=14)))


@step
def trained_rows(history: pl.DataFrame, model: Model) -> pl.DataFrame:
    days = [dt.date(2020, 3, 1) + dt.timedelta(days=i) for i in range(10)]
    rows = []
    for d in days:
        h = history.filter(pl.col("date") < d).group_by("product").agg(pl.col("units").mean()).sort("product")
        for p, m in h.iter_rows():
            rows.append({"product": p, "date": d + dt.timedelta(days=3), "as_of": d, "prediction": m * model.factor})
    return pl.DataFrame(rows)


def reasons(requests: pl.DataFrame, model: Model, history: pl.DataFrame, as_of: dt.date) -> list[list[str]]:
    return [["its mean"] for _ in range(requests.height)]


@predictor(request=Request, response=Forecast, state={"history": "date"}, explain=reasons, chart="units")
def forecast(requests: pl.DataFrame, model: Model, history: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    means = history.group_by("product").agg(units=pl.col("units").mean() * model.factor)
    out = requests.join(means, on="product", how="left", maintain_order="left")
    return out.select("units", low=pl.col("units") - 8.0, high=pl.col("units") + 8.0, note=pl.lit(""))


training = Pipeline(
    "shop",
    kind="training",
    steps=[history, model, holdout, trained_rows],
    predictor=forecast,
    holdout="holdout",
    trained_rows="trained_rows",
)
