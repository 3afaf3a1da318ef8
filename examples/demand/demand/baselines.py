"""The simple forecasts that a model must beat. All of them count open days only.

Each is one of the features, so it is known on the day of asking by the same law. A negative one (more came back than
were sold) forecasts 0.
"""

import polars as pl

BASELINES = {
    "seasonal naive": "weekday_last",
    "28-day mean": "mean_28",
    "28-day median": "median_28",
    "56-day median": "median_56",
    "day-of-week mean": "weekday_mean",
    "day-of-week median": "weekday_median",
}


def simple(described: pl.DataFrame, name: str) -> pl.Series:
    """The simple forecast of each question, in pieces."""
    return described[BASELINES[name]].clip(lower_bound=0.0).rename(name)
