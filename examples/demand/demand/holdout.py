"""The rows by which a release is judged and replayed. None of their answers was seen in learning or choosing."""

import datetime as dt

import lightgbm as lgb
import numpy as np
import polars as pl

from demand.baselines import simple
from demand.calendar import open_days
from demand.features import FEWEST_DAYS, KEYS, describe
from demand.line import Line
from demand.train import Choice, answer
from demand.windows import HORIZON, Windows, examples_before, origins
from lockgate import step

SHOWN = ["mean_28", "median_28", "zeros_28", "price", "age", "horizon"]
"""Features whose values people see in training and in the test, side by side."""


@step
def holdout(history: pl.DataFrame, products: pl.DataFrame, windows: Windows, choice: Choice) -> pl.DataFrame:
    """Every question of the test window with its truth. Rows: one per (product, date, as_of), asked weekly.

    Columns: product, date, as_of (the day of asking: 1 to 28 open days before date); actual (pieces, below 0 when more
    came back); best_simple (pieces: the baseline to beat); what `SHOWN` names, as the model sees it; and the groups
    volume_band, price_band, new, seasonal ("yes", "no").
    """
    weeks = origins(windows.test, windows.as_of, windows.as_of)
    asked = pl.concat([_asked_on(as_of, history, windows) for as_of in weeks])
    known = asked.join(history.select("product", "date", actual="units"), on=["product", "date"])
    known = known.sort("as_of", "product", "date")
    described = describe(known, history, windows.shop)
    best = simple(described, choice.best_simple).alias("best_simple")
    return _grouped(known.with_columns(best).hstack(described.select(SHOWN)), products)


def _grouped(rows: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """The rows, with the groups of their products."""
    yes = {True: "yes", False: "no"}
    groups = products.select(
        "product",
        "volume_band",
        "price_band",
        new=pl.col("is_new").replace_strict(yes, return_dtype=pl.String),
        seasonal=pl.col("seasonal").replace_strict(yes, return_dtype=pl.String),
    )
    return rows.join(groups, on="product", how="left", maintain_order="left")


def _asked_on(as_of: dt.date, history: pl.DataFrame, windows: Windows) -> pl.DataFrame:
    """The products known long enough, by the next 28 open days of the window."""
    known = history.filter(pl.col("date") < as_of).group_by("product").len()
    old = known.filter(pl.col("len") >= FEWEST_DAYS).select("product")
    days = open_days(as_of, windows.as_of, windows.shop)[:HORIZON]
    targets = pl.DataFrame({"date": days}, schema={"date": pl.Date})
    return old.join(targets, how="cross").with_columns(as_of=pl.lit(as_of))


@step
def trained_rows(
    features: pl.DataFrame,
    products: pl.DataFrame,
    windows: Windows,
    booster: lgb.Booster,
    line: Line,
    choice: Choice,
    rows: int = 1_000,
    seed: int = 7,
) -> pl.DataFrame:
    """A sample of what was learned from, with the release's answer by the table it learned from.

    The replay gate asks the packaged release the same questions. Another answer means that training saw something
    that serving does not have. Rows: product, date, as_of, prediction and actual (pieces), and the columns of the
    holdout by which people see whether it looks like what was learned from.
    """
    known = examples_before(features, windows.test)
    picked = np.sort(np.random.default_rng(seed).choice(known.height, min(rows, known.height), replace=False))
    sample = known[picked.tolist()]
    answers = pl.Series(answer(booster, line, choice.trees, sample))
    return _grouped(sample.select(*KEYS, *SHOWN, actual="units").with_columns(prediction=answers), products)
