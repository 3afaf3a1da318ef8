"""A toy shop with a model of trees."""

from __future__ import annotations
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
import lightgbm as lgb
import polars as pl
from lockgate import Choices, Horizon, Pipeline, predictor, step


@dataclass(frozen=True)
class Request:
    product: Annotated[str, Choices("history", "product")]
    date: Annotated[dt.date, Horizon(days=14)]


@dataclass(frozen=True)
class Forecast:
    units: float


def features(rows: pl.DataFrame) -> pl.DataFrame:
    number = pl.col("product").str.slice(1).cast(pl.Float64)
    return rows.select(number.alias("number"), pl.col("date").dt.weekday().cast(pl.Float64).alias("weekday"))


@step
def history(sales: Path, as_of: dt.date) -> pl.DataFrame:
    """Rows: one per (date, product)."""
    return pl.read_csv(sales, try_parse_dates=True).filter(pl.col("date") < as_of).sort("date", "product")


@step
def model(history: pl.DataFrame, learning_rate: float = 0.1, seed: int = 7) -> lgb.Booster:
    data = lgb.Dataset(features(history).to_numpy(), history["units"].to_numpy())
    chosen = {"learning_rate": learning_rate, "seed": seed, "bagging_fraction": 0.7, "bagging_freq": 1, "verbose": -1}
    return lgb.train({**chosen, "min_data_in_leaf": 5}, data, num_boost_round=20)


@step
def holdout(history: pl.DataFrame) -> pl.DataFrame:
    last = history["date"].max()
    first = last - dt.timedelta(days=27)
    rows = history.filter((pl.col("date") > first) & (pl.col("date") < first + dt.timedelta(days=14)))
    return rows.select("product", "date", actual=pl.col("units").cast(pl.Float64)).with_columns(
        as_of=pl.lit(first), band=pl.lit("all")
    )


@predictor(request=Request, response=Forecast, state={"history": "date"})
def forecast(requests: pl.DataFrame, model: lgb.Booster, history: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({"units": model.predict(features(requests).to_numpy())})


training = Pipeline("boosted", kind="training", steps=[history, model, holdout], predictor=forecast, holdout="holdout")
