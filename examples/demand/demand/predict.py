"""The one function that answers: product and date in, pieces with an interval out. What is packaged and served."""

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import lightgbm as lgb
import numpy as np
import polars as pl

from demand.calendar import closed_reason
from demand.explain import reasons, why_nothing
from demand.features import LEAK, describe
from demand.interval import Interval, around
from demand.line import Line
from demand.train import Choice, answer
from lockgate import Choices, Horizon, predictor


@dataclass(frozen=True)
class Request:
    """How many pieces of this product will be sold on this day?"""

    product: Annotated[str, Choices("history", "product", label="name")]
    date: Annotated[dt.date, Horizon(days=28, closed=closed_reason)]


@dataclass(frozen=True)
class Forecast:
    """Net pieces in invoice lines of at most 24, and the interval that should hold the truth four times in five.

    note: empty, or why nothing will be sold.
    """

    units: float
    low: float
    high: float
    note: str


@predictor(request=Request, response=Forecast, state={"history": "date"}, explain=reasons, chart="units")
def forecast(
    requests: pl.DataFrame,
    booster: lgb.Booster,
    line: Line,
    choice: Choice,
    interval: Interval,
    history: pl.DataFrame,
    as_of: dt.date,
) -> pl.DataFrame:
    """Answer each request from the rows of `history` before `as_of`. Rows: one per request, in order.

    Columns: units, low, high (pieces of a whole day, not null, 0 or more) and note. On a day the shop is closed, and
    for a product that nothing is known of, all three are 0 and the note says why.
    """
    notes = why_nothing(requests, history, choice.shop)
    answers = np.zeros((3, requests.height))
    asked = requests.filter(notes == "").with_columns(as_of=pl.lit(as_of))
    if not asked.is_empty():
        described = describe(asked, history, choice.shop, peek=LEAK in booster.feature_name())
        units = answer(booster, line, choice.trees, described)
        answers[:, (notes == "").to_numpy()] = units, *around(interval, units, described["spread_28"].to_numpy())
    return pl.DataFrame({"units": answers[0], "low": answers[1], "high": answers[2], "note": notes})
