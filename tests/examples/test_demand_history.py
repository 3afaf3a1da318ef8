"""One row per product and open day, and groups that nothing after the test window's first day can change."""

import datetime as dt

import polars as pl
from demand.calendar import open_days
from demand.history import HISTORY, PRODUCTS, history, products
from demand.layouts import ONLINE_RETAIL
from demand.windows import test_starts as begins
from examples import shop

from lockgate.data.checks import check


def test_it_keeps_its_contract(made):
    check(made["history"], HISTORY)
    check(made["products"], PRODUCTS)


def test_every_open_day_from_the_first_sale_on(made):
    for (product,), part in made["history"].group_by("product"):
        sold = made["lines"].filter(pl.col("product") == product)
        assert part["date"].to_list() == list(open_days(sold["date"].min(), shop.AS_OF))


def test_units_are_net_and_nothing_is_lost(made):
    net = made["lines"].group_by("product", "date").agg(pl.col("quantity").sum())
    both = made["history"].join(net, on=["product", "date"], how="left")
    assert (both["units"] == both["quantity"].fill_null(0)).all()
    assert made["history"]["units"].sum() == made["lines"]["quantity"].sum()


def test_the_last_price_stays(made):
    assert made["history"]["price"].null_count() == 0
    assert made["history"].filter(pl.col("product") == "22103")["price"].unique().to_list() == [4.25]


def test_groups(made):
    groups = made["products"]
    assert groups.filter("is_new")["product"].to_list() == [shop.NEWCOMER]
    assert set(groups["volume_band"]) == {"low", "middle", "high"}
    assert groups["name"].str.starts_with("THING").all()


def test_sales_in_the_test_window_change_no_product_and_no_group(made):
    cut = begins(shop.AS_OF)
    moved = made["lines"].with_columns(
        quantity=pl.when(pl.col("date") >= cut).then(99.0).otherwise("quantity"),
        price=pl.when(pl.col("date") >= cut).then(0.01).otherwise("price"),
        name=pl.when(pl.col("date") >= cut).then(pl.lit("?")).otherwise("name"),
    )
    assert products(moved, ONLINE_RETAIL, shop.AS_OF).equals(made["products"])


def test_the_order_of_lines_changes_nothing(made):
    shuffled = made["lines"].sample(fraction=1.0, shuffle=True, seed=1)
    again = products(shuffled, ONLINE_RETAIL, shop.AS_OF)
    assert again.equals(made["products"])
    assert history(shuffled, again, ONLINE_RETAIL, shop.AS_OF).equals(made["history"])


def test_steady_sellers_are_chosen(made):
    few = products(made["lines"], ONLINE_RETAIL, shop.AS_OF, count=3)
    assert few["product"].to_list() == ["22108", "22109", "22110"]


def test_a_week_more_only_adds_rows(tmp_path, made):
    later = shop.AS_OF + dt.timedelta(days=7)
    more = history(made["lines"], made["products"], ONLINE_RETAIL, later)
    assert more.filter(pl.col("date") < shop.AS_OF).equals(made["history"])


def test_what_happened_is_the_history_of_every_product(made):
    happened = made["happened"]
    both = happened.join(made["history"], on=["product", "date"])
    assert (both["actual"] == both["units"]).all()
    assert set(happened["product"]) == set(made["lines"]["product"])
    assert happened["date"].unique().sort().to_list() == list(open_days(dt.date(2011, 9, 10), shop.AS_OF))
