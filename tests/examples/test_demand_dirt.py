"""The dirt of the published file is found to the digit, and dirt that nobody declared stops the run."""

import datetime as dt
import re

import polars as pl
import pytest
from demand.card import data_card
from demand.dirt import INVOICES, judged, lines, set_aside
from demand.history import products
from demand.layouts import ONLINE_RETAIL, layout
from examples import shop

from lockgate.data.checks import DIRT, tally
from lockgate.errors import ContractBroken

PUBLISHED = {
    "duplicate": 34_335,
    "cancellation": 19_494,
    "negative quantity": 22_950,
    "no price": 6_207,
    "no customer": 243_007,
    "no description": 4_382,
}


@pytest.fixture(scope="module")
def whole(retail):
    """Every row of the published file, judged."""
    return judged(retail, layout(retail), dt.date(2011, 12, 10))


def test_published_counts_to_the_digit(whole):
    counted = dict(tally(whole, INVOICES).select("rule", "matches").rows())
    assert whole.height == 1_067_371
    assert {name: counted[name] for name in PUBLISHED} == PUBLISHED


def test_they_stand_on_the_data_card(whole, tmp_path):
    as_of = dt.date(2011, 12, 10)
    groups = products(lines(whole, ONLINE_RETAIL), ONLINE_RETAIL, as_of, count=30)
    card = data_card(whole, groups, ONLINE_RETAIL, shop.publication(tmp_path), as_of)
    for name, count in PUBLISHED.items():
        row = re.search(rf"<tr><td><b>{name}</b>.*?</tr>", card, re.S)
        assert row
        assert f'<td class="n">{count:,}</td>' in row[0]


def test_every_published_row_goes_somewhere(whole):
    stays, aside = lines(whole, ONLINE_RETAIL), set_aside(whole, ONLINE_RETAIL)
    dropped = whole.filter(pl.col(DIRT).is_in(list(INVOICES.rules_that("drop"))))
    assert stays.height + aside.height + dropped.height == whole.height
    assert aside[DIRT].value_counts(sort=True).rows() == [("wholesale", 64_377), ("implausible price", 4)]


def test_negative_quantities_are_cancellations_or_stock_adjustments(whole):
    counted = dict(tally(whole, INVOICES).select("rule", "matches").rows())
    odd = whole.filter(pl.col("invoice").str.starts_with("C") & (pl.col("quantity") >= 0))
    assert counted["negative quantity"] == counted["cancellation"] + counted["stock adjustment"] - odd.height


def test_what_came_back_is_subtracted(made):
    back = made["judged"].filter(pl.col(DIRT) == "cancellation")
    assert back.height == 12
    assert made["lines"].filter(pl.col("quantity") < 0).height == 12
    clean = made["judged"].filter(pl.col(DIRT).is_null())
    assert made["lines"]["quantity"].sum() == clean["quantity"].sum() - 12


def broken(tmp_path, change):
    """Run the made-up shop with its rows changed; the error."""
    header, rows = change(list(shop.HEADER), shop.invoices())
    shop.write(tmp_path / "until-2011-10-15.csv", rows, header)
    with pytest.raises(ContractBroken) as caught:
        judged(tmp_path, layout(tmp_path), shop.AS_OF)
    assert caught.value.next
    return str(caught.value)


def renamed(header, rows):
    return ["Qty" if name == "Quantity" else name for name in header], rows


def returned_without_cancellation(header, rows):
    rows[100][3] = -4
    return header, rows


def day_gone(header, rows):
    return header, [row for row in rows if not str(row[4]).startswith("9/7/2011 ")]


def last_day_gone(header, rows):
    return header, [row for row in rows if not str(row[4]).startswith("10/14/2011 ")]


def saturday_sale(header, rows):
    return header, [*rows, [*rows[0][:4], "9/10/2011 9:00", *rows[0][5:]]]


def no_rows(header, _):
    return header, []


def words_for_a_number(header, rows):
    rows[7][3] = "a dozen"
    return header, rows


def another_date(header, rows):
    rows[7][4] = "13/31/2011 9:00"
    return header, rows


def too_many_copies(header, rows):
    return header, rows + rows[: len(rows) // 5]


def dear(header, rows):
    rows[100][1] = "2210"
    return header, rows


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (renamed, r"until-2011-10-15.csv: column is missing: Quantity\n  allowed: Qty"),
        (returned_without_cancellation, r"1 row where quantity is not as promised.*row 101 \(invoice=.*quantity=-4"),
        (day_gone, "a day is missing: Wednesday 2011-09-07"),
        (last_day_gone, "a day is missing: Friday 2011-10-14"),
        (saturday_sale, "rows on a closed day: Saturday 2011-09-10: 1 row"),
        (no_rows, "a file has no rows: until-2011-10-15.csv"),
        (words_for_a_number, "1 values of Quantity cannot be read: 'a dozen' in row 8"),
        (another_date, "1 values of InvoiceDate cannot be read: '13/31/2011 9:00' in row 8"),
        (too_many_copies, "more 'duplicate' than declared"),
    ],
)
def test_undeclared_dirt_stops_the_run_with_one_message(tmp_path, change, says):
    assert re.search(says, broken(tmp_path, change), re.S)


def test_an_empty_file_beside_good_ones(tmp_path):
    shop.write(tmp_path / "until-2011-10-15.csv", shop.invoices())
    (tmp_path / "2011-10-15.csv").write_text("")
    with pytest.raises(ContractBroken, match=r"a file has no rows: 2011-10-15.csv"):
        layout(tmp_path)


def test_a_copy_in_a_later_file_is_a_copy(tmp_path):
    rows = shop.invoices()
    shop.write(tmp_path / "a.csv", rows)
    shop.write(tmp_path / "b.csv", rows[-3:])
    once = judged(tmp_path, ONLINE_RETAIL, shop.AS_OF)
    assert (once["dirt"] == "duplicate").sum() >= 3


def test_the_future_is_left_out(tmp_path):
    shop.write(tmp_path / "all.csv", shop.invoices(until=dt.date(2011, 11, 1)))
    assert judged(tmp_path, ONLINE_RETAIL, shop.AS_OF)["date"].max() == dt.date(2011, 10, 14)
