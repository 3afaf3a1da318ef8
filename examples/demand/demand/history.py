"""The clean tables that others build on: which products, and what each sold on each open day."""

import datetime as dt

import polars as pl

from demand.calendar import open_days
from demand.layouts import Layout
from demand.windows import test_starts
from lockgate import step
from lockgate.data.contracts import Column, Contract

RECENT = dt.timedelta(days=91)
LATELY = dt.timedelta(days=35)
YEAR = dt.timedelta(days=364)
NEW = dt.timedelta(days=60)
FEWEST_DAYS = 12  # with sales among the recent ones: fewer say nothing about a product
SEASONAL = 0.45  # of a year's pieces in the best three months in a row; 0.25 would be even
BANDS = ["low", "middle", "high"]

PRODUCTS = Contract(
    name="products",
    columns=(
        Column(name="product", type="text"),
        Column(name="name", type="text"),
        Column(name="volume_band", type="text", one_of=tuple(BANDS)),
        Column(name="price_band", type="text", one_of=(*BANDS, "unknown")),
        Column(name="is_new", type="truth"),
        Column(name="seasonal", type="truth"),
        Column(name="shop", type="text"),
    ),
    key=("product",),
)

HISTORY = Contract(
    name="history",
    columns=(
        Column(name="product", type="text"),
        Column(name="date", type="date"),
        Column(name="units", type="number", unit="pieces", low=-1_000, high=100_000),
        Column(name="price", type="number", nullable=True, low=0),
        Column(name="name", type="text"),
        Column(name="volume_band", type="text", one_of=tuple(BANDS)),
        Column(name="price_band", type="text", one_of=(*BANDS, "unknown")),
        Column(name="is_new", type="truth"),
        Column(name="seasonal", type="truth"),
    ),
    key=("product", "date"),
)


@step(contract=PRODUCTS)
def products(lines: pl.DataFrame, layout: Layout, as_of: dt.date, count: int = 300) -> pl.DataFrame:
    """The products we forecast, with their groups. Rows: one per product, by code.

    The `count` products that sold on the largest share of open days in the 13 weeks before the test window, counted
    from their first sale. Everything here is decided by sales before that window, so that the test meets no choice made
    with its answers in view.

    Columns: name (the most used); volume_band, price_band (thirds of these products; price "unknown" if none is
    published); is_new (first sold less than 60 days before the window); seasonal (45 % or more of a full year's pieces
    fell in three months in a row); shop (whose calendar).
    """
    cut = test_starts(as_of)
    known = lines.filter(pl.col("date") < cut)
    chosen = _steady_sellers(known, cut, layout.shop, count)
    return (
        chosen.join(_names(known), on="product")
        .join(_seasons(known, cut), on="product", how="left")
        .select(
            "product",
            "name",
            volume_band=_thirds("rate"),
            price_band=pl.when(pl.col("price").is_null()).then(pl.lit("unknown")).otherwise(_thirds("price")),
            is_new=pl.col("first") > cut - NEW,
            seasonal=pl.col("best_share").fill_null(0.0) >= SEASONAL,
            shop=pl.lit(layout.shop),
        )
        .sort("product")
    )


@step(contract=HISTORY)
def history(lines: pl.DataFrame, products: pl.DataFrame, layout: Layout, as_of: dt.date) -> pl.DataFrame:
    """Net pieces per product and open day, from its first sale to the last open day before `as_of`.

    Rows: one per (product, date), sorted by both. units: pieces sold less pieces that came back that day, 0 on a day
    without either, below 0 when more came back. price: the day's median, else the last one seen; null when none is
    published. The groups of the product are repeated on its rows.
    """
    daily = _daily(lines.filter(pl.col("product").is_in(products["product"].to_list())))
    days = pl.DataFrame({"date": open_days(daily["date"].min(), as_of, layout.shop)}, schema={"date": pl.Date})
    first = daily.group_by("product").agg(first=pl.col("date").min())
    grid = first.join(days, how="cross").filter(pl.col("date") >= pl.col("first")).drop("first")
    return (
        grid.join(daily, on=["product", "date"], how="left")
        .sort("product", "date")
        .with_columns(units=pl.col("units").fill_null(0.0), price=pl.col("price").forward_fill().over("product"))
        .join(products.drop("shop"), on="product", how="left", maintain_order="left")
        .select(HISTORY.names())
    )


@step
def happened(lines: pl.DataFrame, layout: Layout, as_of: dt.date) -> pl.DataFrame:
    """What sold lately, to hold predictions against. Rows: one per (product, open day) of the last 35 days.

    Every product ever sold is here: a product may be asked for one week and be none of the steady sellers the next.
    Columns: product, date, actual (net pieces, 0 on a day without a line).
    """
    days = open_days(as_of - LATELY, as_of, layout.shop)
    grid = lines.select(pl.col("product").unique()).join(pl.DataFrame({"date": days}), how="cross")
    sold = _daily(lines.filter(pl.col("date") >= as_of - LATELY)).select("product", "date", actual="units")
    found = grid.join(sold, on=["product", "date"], how="left").sort("product", "date")
    return found.with_columns(pl.col("actual").fill_null(0.0))


def _daily(lines: pl.DataFrame) -> pl.DataFrame:
    """Sums are taken in the order of the lines, so that the same lines always give the same bits."""
    ordered = lines.group_by("product", "date", maintain_order=True)
    return ordered.agg(units=pl.col("quantity").sum(), price=pl.col("price").median())


def _steady_sellers(known: pl.DataFrame, cut: dt.date, shop: str, count: int) -> pl.DataFrame:
    """product, first (day sold), share (of open days it sold on), rate (pieces per open day), price (median)."""
    first = known.group_by("product").agg(first=pl.col("date").min())
    recent = known.filter(pl.col("date") >= cut - RECENT).group_by("product")
    days = pl.col("date").filter(pl.col("quantity") > 0).n_unique()
    sold = recent.agg(pl.col("quantity").sum(), days=days, price=pl.col("price").median())
    since = {day: len(open_days(max(day, cut - RECENT), cut, shop)) for day in first["first"].unique()}
    listed = pl.col("first").replace_strict(since, return_dtype=pl.Int64)
    known_well = sold.filter(pl.col("days") >= FEWEST_DAYS).join(first, on="product")
    rated = known_well.with_columns(rate=pl.col("quantity") / listed, share=pl.col("days") / listed)
    return rated.sort("share", "rate", "product", descending=[True, True, False]).head(count)


def _names(known: pl.DataFrame) -> pl.DataFrame:
    """The name most used for each product (the first in the alphabet of equals), its code where it has none."""
    named = known.select("product", name=pl.coalesce(pl.col("name").str.strip_chars(), "product"))
    used = named.group_by("product", "name").len().sort("len", "name", descending=[True, False])
    return used.group_by("product", maintain_order=True).agg(pl.col("name").first())


def _seasons(known: pl.DataFrame, cut: dt.date) -> pl.DataFrame:
    """product, best_share: of the year's pieces, those in the best three months in a row. Only products a year old."""
    old = known.group_by("product").agg(first=pl.col("date").min()).filter(pl.col("first") <= cut - YEAR)
    year = known.filter(pl.col("date") >= cut - YEAR).join(old, on="product", how="semi")
    month = ((pl.col("date") - pl.lit(cut - YEAR)).dt.total_days() * 12 // 364).alias("month")
    sold = year.group_by("product", month).agg(pl.col("quantity").sum().clip(lower_bound=0))
    wide = sold.pivot("month", index="product", values="quantity").fill_null(0.0)
    months = [pl.col(str(number % 12)) if str(number % 12) in wide.columns else pl.lit(0.0) for number in range(14)]
    best = pl.max_horizontal(months[n] + months[n + 1] + months[n + 2] for n in range(12))
    total = pl.sum_horizontal(months[:12])
    return wide.select("product", best_share=pl.when(total > 0).then(best / total).otherwise(0.0))


def _thirds(column: str) -> pl.Expr:
    """The third a value falls in, by rank, ties in order of appearance."""
    rank = pl.col(column).rank("ordinal") - 1
    third = (rank * 3 // pl.col(column).count()).clip(0, 2)
    return third.replace_strict({0: "low", 1: "middle", 2: "high"}, return_dtype=pl.String, default=None)
