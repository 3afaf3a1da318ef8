"""The rows by which a release is judged and replayed, with who the applicants are: nothing of that is in a request."""

import dataclasses

import lightgbm as lgb
import numpy as np
import polars as pl

from lending.decide import Request, decided
from lending.train import Bar
from lockgate import step

ASKED = [field.name for field in dataclasses.fields(Request)]
AUDIT = ["race", "sex", "age", "married"]

RULES = {
    "the 28/36 rule": (pl.col("housing_ratio") <= 28) & (pl.col("debt_ratio") <= 36),
    "debts of at most 36 % and no bankruptcy": (pl.col("debt_ratio") <= 36) & ~pl.col("bankruptcy"),
}
"""What lenders write down, as two rules. The one that does best on the training rows is the one to beat."""


@step
def best_simple(training: pl.DataFrame) -> str:
    """The name of the rule that decides most often as the lenders did."""
    right = {name: float((training.select(rule.cast(pl.Int64)).to_series() == training["approved"]).mean() or 0.0)
             for name, rule in RULES.items()}  # fmt: skip
    return max(right, key=lambda name: right[name])


@step
def holdout(judging: pl.DataFrame, best_simple: str) -> pl.DataFrame:
    """Every application that no model has seen. Rows: one per application.

    Columns: the request; actual (1: a lender approved); race, sex, age, married to audit by; best_simple (1 or 0: what the
    rule to beat says), best_simple_method (its name).
    """
    rule = RULES[best_simple].cast(pl.Float64).alias("best_simple")
    return judging.select(
        *ASKED,
        pl.col("approved").cast(pl.Float64).alias("actual"),
        *AUDIT,
        rule,
        pl.lit(best_simple).alias("best_simple_method"),
    )


@step
def trained_rows(
    training: pl.DataFrame, booster: lgb.Booster, bar: Bar, rows: int = 1000, seed: int = 7
) -> pl.DataFrame:
    """A sample of what was learned from, with the decision by the table it was learned from.

    Rows: the request; race, sex, age, married as in the holdout; prediction.
    """
    picked = np.sort(np.random.default_rng(seed).choice(training.height, min(rows, training.height), replace=False))
    sample = training[picked.tolist()]
    decision = decided(booster, bar, sample)["approve"].cast(pl.Float64)
    return sample.select(*ASKED, *AUDIT).with_columns(decision.alias("prediction"))
