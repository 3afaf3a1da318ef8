"""The one function that decides: what an applicant says in, a decision and its score out. What is packaged and served."""

from dataclasses import dataclass, field
from typing import Annotated

import lightgbm as lgb
import polars as pl

from lending.codes import CONSUMER, MORTGAGE, listed
from lending.explain import reasons
from lending.train import Bar, scores
from lockgate import Range, predictor


def _asked(help: str, unit: str = "") -> dict[str, str]:
    return {"help": help, "unit": unit}


@dataclass(frozen=True)
class Request:
    """Would a lender approve this mortgage?"""

    housing_ratio: Annotated[float, Range(0, 100)] = field(metadata=_asked("Housing expense a month.", "% of income"))
    debt_ratio: Annotated[float, Range(0, 100)] = field(
        metadata=_asked("All debts a month, the new one too.", "% of income")
    )
    loan_to_value: Annotated[float, Range(0, 300)] = field(metadata=_asked("The loan.", "% of the price"))
    income: Annotated[float, Range(0, 1_000)] = field(metadata=_asked("A year, before tax.", "$1000"))
    net_worth: Annotated[float, Range(-10_000, 30_000)] = field(
        metadata=_asked("What is owned less what is owed.", "$1000")
    )
    consumer_credit: Annotated[int, Range(1, 6)] = field(metadata=_asked(listed(CONSUMER)))
    mortgage_credit: Annotated[int, Range(1, 4)] = field(metadata=_asked(listed(MORTGAGE)))
    industry_unemployment: Annotated[float, Range(0, 100)] = field(metadata=_asked("In the applicant's industry.", "%"))
    bankruptcy: bool = field(metadata=_asked("A bankruptcy on public record?"))
    self_employed: bool = False
    several_units: bool | None = field(default=False, metadata=_asked("Two or more homes in the building?"))
    liquid_assets: Annotated[float | None, Range(0, 10_000)] = field(
        default=None, metadata=_asked("Cash and what is soon cash. May be left out.", "$1000")
    )


@dataclass(frozen=True)
class Decision:
    """The decision, and the score that is held against the bar."""

    approve: bool = field(metadata={"label": "Approve", "yes": "Approve", "no": "A person has to look"})
    score: float = field(metadata={"label": "Chance that a lender approves"})


@predictor(request=Request, response=Decision, explain=reasons)
def decide(requests: pl.DataFrame, booster: lgb.Booster, bar: Bar) -> pl.DataFrame:
    """Decide each request. Rows: one per request, in order; approve is true from the bar on."""
    return decided(booster, bar, requests)


def decided(booster: lgb.Booster, bar: Bar, asked: pl.DataFrame) -> pl.DataFrame:
    """Columns: approve, score."""
    return pl.DataFrame(scores(booster, asked)).select(pl.col("score").ge(bar.score).alias("approve"), "score")
