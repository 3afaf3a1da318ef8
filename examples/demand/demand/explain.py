"""Why this number, in words: what the product did lately, and what pushes the answer up or down.

The pushes are exact parts of the answer: TreeSHAP of the trees and the terms of the line, in pieces, added up by cause.
"""

import datetime as dt

import lightgbm as lgb
import numpy as np
import polars as pl

from demand.calendar import closed_reason
from demand.features import CAUSES, LEAK, describe
from demand.interval import Interval
from demand.line import Line, push_of_line
from demand.train import Choice
from lockgate import Reason

SAID = 2  # causes beside the level
SMALLEST = 0.05  # pieces: a weaker push is not worth a sentence
YOUNG = 150  # open days
MIDDLE = "The forecast is the middle: about as many such days sell more as sell less."


def reasons(
    requests: pl.DataFrame,
    booster: lgb.Booster,
    line: Line,
    choice: Choice,
    interval: Interval,  # noqa: ARG001
    history: pl.DataFrame,
    as_of: dt.date,
) -> list[list[str]]:
    """Two to four sentences for each request, the most telling first. Same arguments as `forecast`.

    Every cause is counted, those that are worth a sentence with it and the others without words.
    """
    notes = why_nothing(requests, history, choice.shop)
    said = [[f"Nothing is forecast: {note}."] for note in notes]
    asked = requests.filter(notes == "").with_columns(as_of=pl.lit(as_of))
    if asked.is_empty():
        return said
    described = describe(asked, history, choice.shop, peek=LEAK in booster.feature_name())
    pushes = push_by_cause(booster, line, choice.trees, described).to_dicts()
    rows = described.with_columns(asked["date"]).to_dicts()
    for number, row, push in zip((notes == "").arg_true(), rows, pushes, strict=True):
        said[number] = sentences(row, push)
    return said


def why_nothing(requests: pl.DataFrame, history: pl.DataFrame, shop: str) -> pl.Series:
    """Per request: why nothing can be sold or said, or an empty text."""
    known = requests["product"].is_in(history["product"].unique().to_list())
    reasons = [closed_reason(day, shop) or "" for day in requests["date"]]
    unknown = pl.lit("no sales of this product are known yet")
    return requests.select(note=pl.when(known).then(pl.Series(reasons, dtype=pl.String)).otherwise(unknown))["note"]


def push_by_cause(booster: lgb.Booster, line: Line, trees: float, described: pl.DataFrame) -> pl.DataFrame:
    """Pieces by which each cause moves the answer. Rows: one per question; columns: the causes."""
    names = booster.feature_name()
    parts = np.asarray(booster.predict(described.select(names).to_numpy(), pred_contrib=True, num_threads=1))
    straight = push_of_line(line, described)
    grown = {cause: parts[:, [names.index(name) for name in of]].sum(axis=1) for cause, of in CAUSES.items()}
    return pl.DataFrame({cause: trees * grown[cause] + (1 - trees) * straight[cause] for cause in CAUSES})


def sentences(row: dict[str, object], push: dict[str, float]) -> list[str]:
    """The level, the strongest causes, and how to read the number."""
    known = {name: value for name, value in row.items() if isinstance(value, float)}
    days = min(28, int(known["age"]))
    level = (
        f"Its last {days} open days averaged {known['mean_28']:.1f} pieces, the middle one {known['median_28']:.0f}."
    )
    facts = {**_comparisons(known, row["date"], push), **_circumstances(known, push)}
    strongest = sorted(facts, key=lambda cause: -abs(push[cause]))
    told = [cause for cause in strongest if abs(push[cause]) >= SMALLEST][:SAID]
    counted = [Reason(of=cause, by=by) for cause, by in push.items() if cause not in told]
    return [level, *(Reason(facts[cause], of=cause, by=push[cause]) for cause in told), MIDDLE, *counted]


def _comparisons(known: dict[str, float], date: object, push: dict[str, float]) -> dict[str, str]:
    """What stands higher or lower than usual, by cause. Nothing about what is as usual or not known."""
    day = f"{date:%A}s" if isinstance(date, dt.date) else "Such days"
    compared = {
        "weekday": (f"{day} sell {{}} its average day", known["weekday_mean"], known["mean_84"]),
        "season": ("Around this day last year it sold {} in the five weeks before", known["last_year_change"], 1.0),
        "trend": ("Lately all products together sold {} over the last 14 weeks", known["shop_trend"], 1.0),
        "price": (f"It last sold at {known['price']:.2f}, {{}} usual", known["price_change"], 1.0),
    }
    found: dict[str, str] = {}
    for cause, (text, now, usual) in compared.items():
        if usual > 0 and abs(now / usual - 1) >= 0.01:
            link = "that" if (now > usual) == (push[cause] > 0) or cause == "price" else f"yet the {cause}"
            found[cause] = f"{text.format(_standing(now / usual))}; {_moves(link, push[cause])}"
    return found


def _circumstances(known: dict[str, float], push: dict[str, float]) -> dict[str, str]:
    """What is so, without being more or less than usual."""
    found = {"distance": f"The day is {known['horizon']:.0f} open days ahead; {_moves('that', push['distance'])}"}
    if known["age"] < YOUNG:
        found["age"] = f"It has been on sale for {known['age']:.0f} open days only; {_moves('that', push['age'])}"
    return found


def _standing(ratio: float) -> str:
    """How one amount stands to another, in words.

    >>> _standing(0.7), _standing(3.5)
    ('30 % less than', '3.5 times as much as')
    """
    if ratio >= 2:
        return f"{ratio:.1f} times as much as"
    return f"{abs(ratio - 1) * 100:.0f} % {'more' if ratio > 1 else 'less'} than"


def _moves(cause: str, push: float) -> str:
    return f"{cause} {'raises' if push > 0 else 'lowers'} the forecast by {abs(push):.1f}."
