"""The dirt that is known to be in the sales, declared; each row judged; the rows that stay and those set aside.

The numbers behind the rules are rows like this in the whole published file of Online Retail II (1,067,371 rows),
whether or not an earlier rule claims them too.
"""

import datetime as dt
from pathlib import Path

import polars as pl

from demand.calendar import closed_favorita, closed_gift_shop, closed_walmart
from demand.layouts import FAVORITA, M5, ONLINE_RETAIL, Layout, read_sales
from lockgate import step
from lockgate.data.checks import DIRT, check, judge
from lockgate.data.contracts import Column, Contract, Days, Rule

LARGEST_LINE = 24  # pieces: more on one invoice line is wholesale
HIGHEST_PRICE = 300  # GBP: the dearest real product is a kitchen cabinet at 295

INVOICES = Contract(
    name="sales",
    columns=(
        Column(name="invoice", type="text", matches=r"\d{6}"),
        Column(name="product", type="text", matches=r"\d{5}[A-Z]{0,2}"),
        Column(name="respelled", type="truth"),
        Column(name="name", type="text"),
        Column(name="quantity", type="number", unit="pieces", low=1, high=LARGEST_LINE),
        Column(name="price", type="number", unit="GBP", low=0.001, high=HIGHEST_PRICE),
        Column(name="customer", type="text", nullable=True),
        Column(name="date", type="date", low=dt.date(2009, 12, 1)),
        Column(name="copy", type="truth"),
    ),
    rules=(
        Rule(
            name="duplicate",
            when="copy",
            action="drop",
            at_most=0.06,  # 34,335; most of them in the first days of December 2010
            why="A line equal in every column to one before it: the two published years overlap in December 2010.",
        ),
        Rule(
            name="not a product",
            when="NOT product ~ '^[0-9]{5}[A-Z]{0,2}$'",
            action="drop",
            at_most=0.01,  # 6,093
            why="Postage, bank charges, vouchers, bad debt, manual corrections: no five-digit stock code.",
        ),
        Rule(
            name="stock adjustment",
            when="quantity < 0 AND NOT invoice LIKE 'C%' AND price = 0 AND customer IS NULL",
            action="drop",
            at_most=0.005,  # 3,457
            why="A negative quantity without a cancellation, free and without a customer: breakage and recounts.",
        ),
        Rule(
            name="no description",
            when="name IS NULL",
            action="drop",
            at_most=0.006,  # 4,382
            why="Every one of them is free: stock found, lost or checked.",
        ),
        Rule(
            name="no price",
            when="price <= 0",
            action="drop",
            at_most=0.008,  # 6,207
            why="Samples, stock corrections and bad debt, not sales.",
        ),
        Rule(
            name="wholesale",
            when=f"ABS(quantity) > {LARGEST_LINE}",
            action="set aside",
            at_most=0.08,  # 68,015
            why="Orders of a hundred pieces come from few customers and follow no pattern; they can be opened.",
        ),
        Rule(
            name="implausible price",
            when=f"price > {HIGHEST_PRICE}",
            action="set aside",
            at_most=0.002,  # 759, of which 4 are products
            why="An amount typed into the price column: a car flag at 1,157.15.",
        ),
        Rule(
            name="cancellation",
            when="invoice LIKE 'C%'",
            action="net",
            at_most=0.025,  # 19,494
            why="Pieces that came back are subtracted on the day the cancellation was written.",
        ),
        Rule(
            name="negative quantity",
            when="quantity < 0",
            action="keep",
            at_most=0.03,  # 22,950
            why="Counted only: each is a cancellation or a stock adjustment.",
        ),
        Rule(
            name="no customer",
            when="customer IS NULL",
            action="keep",
            at_most=0.26,  # 243,007
            why="Counted only: sold over the counter or by post, and sold all the same.",
        ),
        Rule(
            name="respelled code",
            when="respelled",
            action="keep",
            at_most=0.01,  # 3,472
            why="Counted only: 85123a and 85123A are one product.",
        ),
    ),
    days=Days(column="date", closed=closed_gift_shop),
    min_rows=1_000,
)


def _daily(name: str, rules: tuple[Rule, ...], days: Days) -> Contract:
    """The contract of a table with one row per product and day."""
    columns = (
        Column(name="invoice", type="text", nullable=True),
        Column(name="product", type="text"),
        Column(name="respelled", type="truth"),
        Column(name="name", type="text", nullable=True),
        Column(name="quantity", type="number", unit="pieces", low=0),
        Column(name="price", type="number", nullable=True, low=0),
        Column(name="customer", type="text", nullable=True),
        Column(name="date", type="date"),
        Column(name="copy", type="truth"),
    )
    return Contract(name=name, columns=columns, rules=rules, days=days)


CONTRACTS = {
    ONLINE_RETAIL.name: INVOICES,
    FAVORITA.name: _daily(
        "sales",
        (Rule(name="return", when="quantity < 0", action="net", at_most=0.01, why="More came back than were sold."),),
        Days(column="date", closed=closed_favorita),
    ),
    M5.name: _daily(
        "sales",
        (
            Rule(name="not on sale", when="price IS NULL", action="drop", at_most=0.5, why="No price, no demand."),
            Rule(
                name="christmas",
                when="EXTRACT(MONTH FROM date) = 12 AND EXTRACT(DAY FROM date) = 25",
                action="drop",
                at_most=0.01,
                why="The stores are closed; the file has zeros.",
            ),
        ),
        Days(column="date", closed=closed_walmart),
    ),
}


@step
def judged(sales: Path, layout: Layout, as_of: dt.date, store: str = "") -> pl.DataFrame:
    """Every known row with a verdict. Rows as in `demand.layouts`, before `as_of`; `dirt`: the rule that claims it.

    Stops at dirt that no rule declares, at more of it than declared, and at an open day without rows.
    """
    contract = CONTRACTS[layout.name]
    table = read_sales(sales, layout, as_of, store)
    check(table, contract, as_of=as_of)
    return judge(table, contract)


@step
def lines(judged: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """What was sold and what came back: clean rows and those to net. Rows: one per line.

    Columns: product, name, date; quantity (pieces, negative where they came back), price (per piece, null unknown).
    """
    netted = pl.col(DIRT).is_in(CONTRACTS[layout.name].rules_that("net"))
    pieces = pl.when(netted).then(-pl.col("quantity").abs()).otherwise("quantity")
    stays = judged.filter(pl.col(DIRT).is_null() | netted)
    return stays.select("product", "name", "date", pieces.alias("quantity"), "price")


@step
def set_aside(judged: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The rows that do not count and can be opened, as judged, largest first."""
    aside = CONTRACTS[layout.name].rules_that("set aside")
    found = judged.filter(pl.col(DIRT).is_in(aside))
    return found.sort(pl.col("quantity").abs(), descending=True, maintain_order=True)
