"""Why this number, in words: what the product did lately, and what pushes the answer up or down."""

import datetime as dt

import lightgbm as lgb
import polars as pl

from demand.interval import Interval
from demand.line import Line
from demand.train import Choice


def reasons(
    requests: pl.DataFrame,
    booster: lgb.Booster,
    line: Line,
    choice: Choice,
    interval: Interval,
    history: pl.DataFrame,
    as_of: dt.date,
) -> list[list[str]]:
    return [[] for _ in range(requests.height)]
