"""The two algorithms, and what makes one answer of them. Both are fitted to the absolute error, which is judged."""

from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl

from demand.features import FEATURES, LEAK
from demand.line import Line, fit_line, on_line
from demand.panel import Floats
from demand.windows import Windows, examples_before
from lockgate import step

LEAVES = (15, 63)  # what the search tries


@dataclass(frozen=True)
class Settings:
    """How trees are grown, but for their size, which the search decides."""

    learning_rate: float
    rounds: int
    seed: int


@dataclass(frozen=True)
class Choice:
    """What the windows before the test decided.

    candidate: its name in `scores`; leaves: of each tree; trees: their share in the answer, the rest is the line's;
    best_simple: the baseline to beat; shop: whose calendar the answers keep.
    """

    candidate: str
    leaves: int
    trees: float
    best_simple: str
    shop: str


@step
def settings(learning_rate: float = 0.06, rounds: int = 80, seed: int = 7) -> Settings:
    """The settings that the search and the released model share."""
    return Settings(learning_rate, rounds, seed)


@step
def booster(features: pl.DataFrame, windows: Windows, settings: Settings, choice: Choice) -> lgb.Booster:
    """The trees of the release, grown on every example before the test window."""
    return grow(examples_before(features, windows.test), settings, choice.leaves)


@step
def line(features: pl.DataFrame, windows: Windows) -> Line:
    """The line of the release, through every example before the test window."""
    known = examples_before(features, windows.test)
    return fit_line(known, known["units"].to_numpy())


def grow(examples: pl.DataFrame, settings: Settings, leaves: int) -> lgb.Booster:
    """Trees for the absolute error. One thread, so that the same examples give the same trees on every machine."""
    names = [*FEATURES, *([LEAK] if LEAK in examples.columns else [])]
    how: dict[str, Any] = {
        "objective": "regression_l1",
        "learning_rate": settings.learning_rate,
        "num_leaves": leaves,
        "min_data_in_leaf": min(300, examples.height // 50),
        "max_bin": 63,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "seed": settings.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    table = lgb.Dataset(examples.select(names).to_numpy(), examples["units"].to_numpy(), feature_name=names)
    return lgb.train(how, table, settings.rounds)


def on_trees(booster: lgb.Booster, described: pl.DataFrame) -> Floats:
    """Pieces for each question."""
    table = described.select(booster.feature_name()).to_numpy()
    return np.asarray(booster.predict(table, num_threads=1), dtype=np.float64)


def answer(booster: lgb.Booster, line: Line, trees: float, described: pl.DataFrame) -> Floats:
    """Pieces for each question, to a hundredth, never below 0: the weighted mean of the trees and the line."""
    mixed = trees * on_trees(booster, described) + (1 - trees) * on_line(line, described)
    return np.round(np.maximum(mixed, 0.0), 2)
