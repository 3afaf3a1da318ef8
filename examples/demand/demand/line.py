"""A straight line through what is known: every term in pieces a day, fitted to the least absolute error.

The judged metric sums absolute errors, so this loss is that metric. The fit repeats weighted least squares
(IRLS), each time giving a row the weight 1 / its last error.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from demand.panel import Floats

CLOSEST = 0.5  # pieces: errors below this weigh alike, or one exact row would weigh without limit
ROUNDS = 12  # the error still falls by less than one part in 5,000 afterwards
RIDGE = 1e-3

LEVELS = [
    "mean_6", "mean_12", "mean_28", "mean_56", "mean_84", "median_28", "median_56",
    "low_56", "high_56", "spread_28", "weekday_mean", "weekday_median",
]  # fmt: skip

CAUSES = {
    "weekday": ["weekday_mean", "weekday_median", "weekday of the shop", "median on the weekday"]
    + [f"weekday {number}" for number in range(7)],
    "season": ["last year", "change of last year", "change of the shop's last year"],
    "trend": ["trend of the shop"],
    "price": ["price change"],
    "distance": ["distance"],
}  # the rest is the level
ABSOLUTE = ["weekday_mean", "weekday_median", "last year"]  # of these, what differs from the level is the push


@dataclass(frozen=True)
class Line:
    """Pieces per unit of each term; see `terms`."""

    weights: dict[str, float]


def terms(described: pl.DataFrame) -> dict[str, Floats]:
    """The terms of the line for each question: levels as they are, everything else as a change of the usual level.

    What is not known changes nothing: no last year, no change.
    """
    known = {name: described[name].to_numpy() for name in described.columns}
    usual = (known["mean_28"] + known["mean_56"]) / 2
    year = np.where(np.isnan(known["last_year"]), known["mean_84"], known["last_year"])
    moved = np.log(np.clip(np.nan_to_num(known["last_year_change"], nan=1.0), 0.2, 5.0))
    found = {name: known[name] for name in LEVELS}
    found |= {
        "last year": year,
        "change of last year": usual * moved,
        "change of the shop's last year": usual * (np.nan_to_num(known["shop_last_year_change"], nan=1.0) - 1),
        "weekday of the shop": usual * (known["shop_weekday"] - 1),
        "median on the weekday": known["median_28"] * (known["shop_weekday"] - 1),
        "trend of the shop": usual * (known["shop_trend"] - 1),
        "price change": known["median_28"] * np.clip(np.nan_to_num(known["price_change"], nan=1.0) - 1, -0.5, 1.0),
        "days without a sale": usual * known["zeros_28"],
        "distance": usual * known["horizon"] / 28,
        "constant": np.ones(len(usual)),
    }
    return found | {f"weekday {number}": usual * (known["weekday"] == number) for number in range(7)}


def fit_line(described: pl.DataFrame, units: Floats) -> Line:
    """The weights with the least sum of absolute errors."""
    named = terms(described)
    columns = np.column_stack(list(named.values()))
    ridge = RIDGE * len(units) * np.diag(columns.var(axis=0) + 1e-9)
    weights, trust = np.zeros(columns.shape[1]), np.ones(len(units))
    for _ in range(ROUNDS):
        weighted = columns * trust[:, None]
        # einsum, not @: a threaded BLAS adds in an order of its own.
        square = np.einsum("ni,nj->ij", weighted, columns) + ridge
        weights = np.linalg.solve(square, np.einsum("ni,n->i", weighted, units))
        trust = 1 / np.maximum(np.abs(units - np.einsum("ni,i->n", columns, weights)), CLOSEST)
    return Line({name: round(float(weight), 6) for name, weight in zip(named, weights, strict=True)})


def on_line(line: Line, described: pl.DataFrame) -> Floats:
    """Pieces for each question. Added term by term: a matrix product would depend on how many rows there are."""
    total = np.zeros(described.height)
    for name, values in terms(described).items():
        total += line.weights[name] * values
    return total


def push_of_line(line: Line, described: pl.DataFrame) -> dict[str, Floats]:
    """Pieces by which each cause moves the answer of each question; with "level" they add up to it, "age" is 0."""
    usual, named = described["mean_84"].to_numpy(), terms(described)
    moved = {name: line.weights[name] * (values - usual * (name in ABSOLUTE)) for name, values in named.items()}
    pushes = {cause: np.sum([moved[name] for name in names], axis=0) for cause, names in CAUSES.items()}
    pushes["weekday"] -= usual * _average_weekday(line)
    level = on_line(line, described) - np.sum(list(pushes.values()), axis=0)
    return pushes | {"level": level, "age": np.zeros(len(usual))}


def _average_weekday(line: Line) -> float:
    """The mean weight of the weekdays the shop opens on; a day it never opens on has none."""
    weights = [line.weights[f"weekday {number}"] for number in range(7)]
    return sum(weights) / max(sum(weight != 0 for weight in weights), 1)
