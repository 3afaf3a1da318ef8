"""What other bars would do, cross-validated on the rows that are learned from: mends are chosen here, never on the judging rows.

`lockgate show trials`.
"""

import lightgbm as lgb
import numpy as np
import polars as pl

from lending.split import place
from lending.train import bar, grow, scores, weights
from lockgate import step

COSTS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
FOLDS = 5
GROUPS = ("black", "hispanic", "white")


@step
def trials(training: pl.DataFrame, rounds: int = 80, learning_rate: float = 0.05, seed: int = 7) -> pl.DataFrame:
    """Each bar with and without reweighing. Rows: one per (reweigh, cost), mildest first.

    Columns: agrees (share of decisions that are the lenders'); black, white (share approved); ratio (the smallest share of
    a race over that of the white applicants); gap (of those a lender approved, how much more of a race than of the white
    ones are turned down, at most); of_refused (share approved of those a lender refused). 78, 35 and 546 rows per race.
    """
    found = [
        {"reweigh": reweigh, "cost": cost, **_measured(training, out_of_fold, cost)}
        for reweigh in (True, False)
        for out_of_fold in [_out_of_fold(training, reweigh, (rounds, learning_rate, seed))]
        for cost in COSTS
    ]
    return pl.DataFrame(found)


def _out_of_fold(training: pl.DataFrame, reweigh: bool, how: tuple[int, float, int]) -> pl.Series:
    """Each row's score by trees that did not see its fold; the fold comes from the application's number."""
    fold = pl.Series([int(place(n) * 997) % FOLDS for n in training["application"]])
    given = np.zeros(training.height)
    for number in range(FOLDS):
        seen = training.filter(fold != number)
        trees: lgb.Booster = grow(seen, weights(seen, reweigh), *how)
        given[(fold == number).to_numpy()] = scores(trees, training.filter(fold == number)).to_numpy()
    return pl.Series("score", given)


def _measured(training: pl.DataFrame, score: pl.Series, cost: float) -> dict[str, float]:
    yes = (score >= bar(cost).score).to_numpy()
    lender, race = training["approved"].to_numpy() == 1, training["race"].to_numpy()
    share = {name: float(yes[race == name].mean()) for name in GROUPS}
    refused = {name: float((~yes[(race == name) & lender]).mean()) for name in GROUPS}
    found = {
        "agrees": float((yes == lender).mean()),
        "black": share["black"],
        "white": share["white"],
        "ratio": min(share["black"], share["hispanic"]) / share["white"],
        "gap": max(refused["black"], refused["hispanic"]) - refused["white"],
        "of_refused": float(yes[~lender].mean()),
    }
    return {name: round(value, 3) for name, value in found.items()}
