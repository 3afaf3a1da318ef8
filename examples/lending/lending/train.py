"""The model, the weights it is trained with, and the bar that turns its score into a decision."""

from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl

from lending.features import FEATURES, features
from lockgate import step


@dataclass(frozen=True)
class Bar:
    """Approve from this score on. `cost`: how many wrong refusals a wrong approval costs as much as."""

    cost: float
    score: float


@step
def bar(cost_of_wrong_approval: float = 6.0) -> Bar:
    """Where approving costs as much as refusing: c / (1 + c), if the score is a probability (Elkan 2001).

    One bar for everybody. A bar per race would close the gap, and would be deciding by race.
    """
    return Bar(cost_of_wrong_approval, round(cost_of_wrong_approval / (1 + cost_of_wrong_approval), 4))


@step
def weights(training: pl.DataFrame, reweigh: bool = False) -> pl.DataFrame:
    """How much each application counts in training. Rows: one per application: application, weight.

    `reweigh`: each race and outcome counts as often as if outcome did not depend on race, P(race) P(outcome) / P(both)
    (Kamiran and Calders 2012). Race is used here, while learning, and is not known when a decision is made.
    """
    plain = training.select("application", "race", "approved").with_columns(weight=pl.lit(1.0))
    if not reweigh:
        return plain.select("application", "weight")
    share = pl.len().over("race") * pl.len().over("approved") / (pl.len().over("race", "approved") * pl.len())
    return plain.select("application", weight=share.cast(pl.Float64).round(6))


@step
def booster(
    training: pl.DataFrame, weights: pl.DataFrame, rounds: int = 80, learning_rate: float = 0.05, seed: int = 7
) -> lgb.Booster:
    """Trees that score how likely a lender approves."""
    return grow(training, weights, rounds, learning_rate, seed)


def grow(training: pl.DataFrame, weights: pl.DataFrame, rounds: int, learning_rate: float, seed: int) -> lgb.Booster:
    """Trees from weighted rows. One thread, so that the same rows give the same trees on every machine."""
    how: dict[str, Any] = {
        "objective": "binary",
        "learning_rate": learning_rate,
        "num_leaves": 7,
        "min_data_in_leaf": 20,
        "lambda_l2": 5,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "monotone_constraints": list(FEATURES.values()),
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    counted = training.join(weights, on="application", how="left", maintain_order="left")
    table = lgb.Dataset(
        features(training),
        training["approved"].to_numpy(),
        weight=counted["weight"].to_numpy(),
        feature_name=list(FEATURES),
    )
    return lgb.train(how, table, rounds)


def scores(booster: lgb.Booster, asked: pl.DataFrame) -> pl.Series:
    """How likely a lender approves each request, 0 to 1."""
    found = np.asarray(booster.predict(features(asked), num_threads=1), dtype=np.float64)
    return pl.Series("score", found.round(4))
