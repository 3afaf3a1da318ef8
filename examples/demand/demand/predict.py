"""The one function that answers: product and date in, pieces with an interval out. What is packaged and served."""

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import lightgbm as lgb
import numpy as np
import polars as pl

from demand.calendar import closed_reason
from demand.explain import reasons
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

    Columns: units, low, high (pieces, not null, 0 or more; a whole day, Saturdays and holidays 0) and note.
    """
    notes = pl.Series("note", [closed_reason(day, choice.shop) or "" for day in requests["date"]], dtype=pl.String)
    answers = np.zeros((3, requests.height))
    opens = (notes == "").to_numpy()
    if opens.any():
        asked = requests.filter(opens).with_columns(as_of=pl.lit(as_of))
        described = describe(asked, history, choice.shop, peek=LEAK in booster.feature_name())
        units = answer(booster, line, choice.trees, described)
        answers[:, opens] = units, *around(interval, units, described["spread_28"].to_numpy())
    return pl.DataFrame({"units": answers[0], "low": answers[1], "high": answers[2], "note": notes})
