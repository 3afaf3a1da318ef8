"""Why this decision, in words: the score against the bar, and what pushed it most (TreeSHAP, in log-odds)."""

import lightgbm as lgb
import numpy as np
import polars as pl

from lending.codes import CONSUMER, MORTGAGE
from lending.features import FEATURES, features
from lending.train import Bar, scores
from lockgate import Reason

SAID = 3
SMALLEST = 0.02  # log-odds: a weaker push is not worth a sentence
WORDS = {
    "housing_ratio": "housing costs of {:g} % of income",
    "debt_ratio": "debts of {:g} % of income",
    "loan_to_value": "a loan of {:g} % of the price",
    "income": "an income of ${:,g} thousand",
    "liquid_assets": "liquid assets of ${:,g} thousand",
    "net_worth": "a net worth of ${:,g} thousand",
    "industry_unemployment": "{:g} % unemployment in the industry",
}
CODES = {"consumer_credit": CONSUMER, "mortgage_credit": MORTGAGE}
FLAGS = {
    "bankruptcy": ("no bankruptcy on record", "a bankruptcy on record"),
    "self_employed": ("being employed", "being self-employed"),
    "several_units": ("a building with one home", "a building with several homes"),
}


def reasons(requests: pl.DataFrame, booster: lgb.Booster, bar: Bar) -> list[list[str]]:
    """One to four sentences for each request, the decision first; then what pushed without a word. Arguments as of `decide`."""
    seen = features(requests)
    pushes = np.asarray(booster.predict(seen, pred_contrib=True, num_threads=1))[:, :-1]
    rows = zip(scores(booster, requests), seen, pushes, strict=True)
    return [[_decision(score, bar), *_strongest(values, push)] for score, values, push in rows]


def _decision(score: float, bar: Bar) -> str:
    side = "so it is approved" if score >= bar.score else "so it is not approved and a person has to look"
    cost = "as much as" if bar.cost == 1 else f"{bar.cost:g} times"
    why = f"because a wrong approval costs {cost} a wrong refusal"
    digits = 0 if round(score, 2) != round(bar.score, 2) else 2  # close to the bar, whole per cent would look the same
    return f"The score is {score:.{digits}%}; {bar.score:.{digits}%} or more is needed, {why}; {side}."


def _strongest(values: np.ndarray, push: np.ndarray) -> list[Reason]:
    """Every feature's push, the strongest first; only a few in words, the others are counted on the evidence page."""
    names, order = list(FEATURES), np.argsort(-np.abs(push), kind="stable")
    told = [at for at in order[:SAID] if abs(push[at]) >= SMALLEST]
    return [
        Reason(
            _sentence(names[at], values[at], push[at]) if at in told else "", of=names[at], by=round(float(push[at]), 3)
        )
        for at in order
    ]


def _sentence(name: str, value: float, push: float) -> str:
    return f"It is {'raised' if push > 0 else 'lowered'} by {_words(name, value)}."


def _words(name: str, value: float) -> str:
    if value != value:
        return f"not knowing the {name.replace('_', ' ')}"
    if name in CODES:
        return f"{name.replace('_', ' ')} code {value:g} ({CODES[name][int(value)]})"
    return FLAGS[name][int(value)] if name in FLAGS else WORDS[name].format(value)
