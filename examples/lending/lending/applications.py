"""The table of applications as published, its contract, and the clean table that everything else reads.

What an application form and a credit report say is renamed so that people can read it. Columns that describe the person
(race, sex, age, marital status) come along for the audit only; `features.py` says what a model may see.
"""

from pathlib import Path

import polars as pl

from lockgate import step
from lockgate.data.checks import check
from lockgate.data.contracts import Column, Contract, Rule

NOT_KNOWN = 999_999  # liquid assets of $1000 times this: a code, not an amount

ASKED = {
    "housing_ratio": "hrat",
    "debt_ratio": "obrat",
    "loan_to_value": "loanprc",
    "income": "appinc",
    "liquid_assets": "liq",
    "net_worth": "netw",
    "consumer_credit": "cons",
    "mortgage_credit": "mortg",
    "bankruptcy": "pubrec",
    "self_employed": "self",
    "several_units": "multi",
    "industry_unemployment": "unem",
}
"""What an applicant is asked, by the published name. Known before anybody decides."""


def _code(name: str, *, nullable: bool = False) -> Column:
    return Column(name=name, type="integer", low=0, high=1, nullable=nullable)


PUBLISHED = Contract(
    name="loanapp",
    key=("application",),
    columns=(
        Column(name="application", type="integer", low=1),
        Column(name="hrat", type="number", unit="% of income", low=0, high=100),
        Column(name="obrat", type="number", unit="% of income", low=0, high=100),
        Column(name="loanprc", type="number", unit="share of the price", low=0, high=3),
        Column(name="appinc", type="integer", unit="$1000 a year", low=0, high=1_000),
        Column(name="liq", type="number", unit="$1000", low=0, high=10_000),
        Column(name="netw", type="number", unit="$1000", low=-10_000, high=30_000),
        Column(name="cons", type="integer", low=1, high=6),
        Column(name="mortg", type="integer", low=1, high=4),
        Column(name="unem", type="number", unit="%", low=0, high=100),
        Column(name="old", type="integer", low=0, high=1),
        *(_code(name) for name in ("pubrec", "self", "black", "hispan", "white", "approve")),
        *(_code(name, nullable=True) for name in ("multi", "male", "married")),
    ),
    rules=(
        Rule(
            name="assets not known", when=f"liq >= {NOT_KNOWN}", action="set aside", at_most=0.01,  # 9 of 1,989
            why="A code for “not known” typed into the amount; the application stays, its assets become unknown.",
        ),
        Rule(
            name="two races or none", when="black + hispan + white <> 1", action="drop", at_most=0,
            why="Each application names one of three; a row that did not could be in no group of the audit.",
        ),
    ),
    min_rows=1_000,
    open=True,
)  # fmt: skip

CLEAN = Contract(
    name="applications",
    key=("application",),
    columns=(
        Column(name="application", type="integer", low=1),
        Column(name="housing_ratio", type="number", unit="% of income", low=0, high=100),
        Column(name="debt_ratio", type="number", unit="% of income", low=0, high=100),
        Column(name="loan_to_value", type="number", unit="% of the price", low=0, high=300),
        Column(name="income", type="number", unit="$1000 a year", low=0, high=1_000),
        Column(name="liquid_assets", type="number", unit="$1000", low=0, high=10_000, nullable=True),
        Column(name="net_worth", type="number", unit="$1000", low=-10_000, high=30_000),
        Column(name="consumer_credit", type="integer", low=1, high=6),
        Column(name="mortgage_credit", type="integer", low=1, high=4),
        Column(name="bankruptcy", type="truth"),
        Column(name="self_employed", type="truth"),
        Column(name="several_units", type="truth", nullable=True),
        Column(name="industry_unemployment", type="number", unit="%", low=0, high=100),
        Column(name="approved", type="integer", low=0, high=1),
        Column(name="race", type="text", one_of=("black", "hispanic", "white")),
        Column(name="sex", type="text", one_of=("female", "male", "not said")),
        Column(name="age", type="text", one_of=("older", "younger")),
        Column(name="married", type="text", one_of=("married", "single", "not said")),
    ),
)


def read_published(file: Path) -> pl.DataFrame:
    """The published rows, numbered from 1 in their order; that number is the application's key."""
    wanted = {**dict.fromkeys(("hrat", "obrat", "loanprc", "liq", "netw", "unem"), pl.Float64)}
    return pl.read_csv(file, infer_schema_length=None, schema_overrides=wanted).with_row_index("application", offset=1)


@step(contract=CLEAN)
def applications(loanapp: Path) -> pl.DataFrame:
    """Every application, with readable names. Rows: one per application, in the published order.

    Columns: what was asked (`ASKED`); approved (1: the lender said yes); race, sex, age, married, for the audit only.
    Stops at a value that no contract promises.
    """
    published = read_published(loanapp).with_columns(pl.col("application").cast(pl.Int64))
    check(published, PUBLISHED)
    truth = ("bankruptcy", "self_employed", "several_units")
    return published.select(
        "application",
        *(pl.col(old).cast(pl.Boolean).alias(new) if new in truth else _asked(new, old) for new, old in ASKED.items()),
        approved=pl.col("approve"),
        race=pl.when(pl.col("black") == 1).then(pl.lit("black")).when(pl.col("hispan") == 1).then(pl.lit("hispanic"))
        .otherwise(pl.lit("white")),
        sex=_said("male", "male", "female"),
        age=_said("old", "older", "younger"),
        married=_said("married", "married", "single"),
    )  # fmt: skip


def _asked(new: str, old: str) -> pl.Expr:
    """A number as asked: not known is null, shares are in percent, and rounded as a form would take it."""
    column = pl.col(old)
    if new == "liquid_assets":
        column = pl.when(column >= NOT_KNOWN).then(None).otherwise(column)
    if new == "loan_to_value":
        column = column * 100
    if new in ("consumer_credit", "mortgage_credit"):
        return column.cast(pl.Int64).alias(new)
    return column.cast(pl.Float64).round(2).alias(new)


def _said(column: str, yes: str, no: str) -> pl.Expr:
    found = pl.when(pl.col(column) == 1).then(pl.lit(yes)).when(pl.col(column) == 0).then(pl.lit(no))
    return found.otherwise(pl.lit("not said"))
