"""No feature and no answer knows anything on or after the day of asking, to the bit."""

import datetime as dt

import polars as pl
import pytest
from demand.calendar import open_days
from demand.features import FEATURES, KEYS, LEAK, describe
from demand.features import features as make_features
from demand.windows import HORIZON, examples_before, examples_in, origins
from examples import shop
from hypothesis import given, settings
from hypothesis import strategies as st

SHOP = "gift shop"


def equal(one, other):
    return one.equals(other, null_equal=True)


asking_days = st.dates(dt.date(2010, 9, 1), shop.AS_OF)


@given(asking_days, st.sampled_from(["scale", "delete", "constant", "one product gone"]))
@settings(max_examples=25, deadline=None)
def test_rows_on_or_after_as_of_change_no_feature(made, as_of, how):
    history = made["history"]
    asked = questions(history, as_of)
    changed = perturbed(history, as_of, how)
    assert equal(describe(asked, history, SHOP), describe(asked, changed, SHOP))


def questions(history, as_of):
    known = history.filter(pl.col("date") < as_of)["product"].unique().sort()
    days = open_days(as_of, as_of + dt.timedelta(days=33))[:HORIZON:3]
    pairs = [(product, day, as_of) for product in known for day in days]
    return pl.DataFrame(pairs, schema=KEYS, orient="row")


def perturbed(history, as_of, how):
    future = pl.col("date") >= as_of
    match how:
        case "scale":
            return history.with_columns(pl.when(future).then(pl.col("units") * 7 + 3).otherwise("units").alias("units"))
        case "delete":
            return history.filter(~future)
        case "constant":
            change = [pl.when(future).then(1e6).otherwise(name).alias(name) for name in ("units", "price")]
            return history.with_columns(change)
        case _:
            return history.filter(~(future & (pl.col("product") == "22105")))


def test_one_question_is_described_as_in_a_batch(made):
    table = made["features"].sample(200, seed=4)
    for row in table.iter_slices(1):
        alone = describe(row.select(KEYS), made["history"].filter(pl.col("date") < row["as_of"][0]), SHOP)
        assert equal(alone, row.select(FEATURES))


def test_the_leak_is_a_leak(made):
    leaky = make_features(made["history"], made["windows"], horizons=2, peek=True)
    row = leaky.tail(1)
    served = describe(row.select(KEYS), made["history"].filter(pl.col("date") < row["as_of"][0]), SHOP, peek=True)
    assert leaky[LEAK].is_not_nan().all()
    assert served[LEAK][0] != row[LEAK][0]


def test_known_features_of_a_small_shop():
    days = list(open_days(dt.date(2011, 3, 1), dt.date(2011, 4, 1)))
    units = [float(n % 6) for n in range(len(days))]
    history = pl.DataFrame(
        {"product": "p", "date": days, "units": units, "price": 2.0}, schema_overrides={"date": pl.Date}
    )
    asked = pl.DataFrame({"product": ["p"], "date": [dt.date(2011, 4, 4)], "as_of": [dt.date(2011, 4, 1)]})
    found = describe(asked, history, SHOP).row(0, named=True)
    assert found["mean_6"] == pytest.approx(sum(units[-6:]) / 6)
    assert found["mean_84"] == pytest.approx(sum(units) / len(units))
    assert found["age"] == len(days)
    assert found["weekday"] == 0
    assert found["horizon"] == 3  # Friday, (no Saturday,) Sunday, Monday
    assert found["weekday_last"] == units[days.index(dt.date(2011, 3, 28))]
    assert found["price_change"] == 1.0
    assert found["last_year"] != found["last_year"]


class TestWindows:
    def test_learning_choosing_and_testing_never_meet(self, made):
        windows, table = made["windows"], made["features"]
        assert table["date"].max() < windows.test
        seen = set(examples_before(table, windows.chosen[0]).select(KEYS).rows())
        for start in windows.chosen:
            part = examples_in(table, start, windows.end(start))
            assert part.height
            assert part["date"].min() >= start
            assert part["as_of"].min() >= start
            assert part["date"].max() < windows.end(start)
            assert not seen & set(part.select(KEYS).rows())
            seen |= set(part.select(KEYS).rows())
        assert made["holdout"]["as_of"].min() >= windows.test
        assert not seen & set(made["holdout"].select(KEYS).rows())

    def test_windows_follow_each_other(self, made):
        windows = made["windows"]
        starts = [*windows.chosen, windows.test]
        assert [windows.end(start) for start in starts] == [*starts[1:], windows.as_of]

    @given(st.dates(dt.date(2010, 1, 1), dt.date(2012, 1, 1)), st.integers(0, 400))
    def test_origins_are_whole_weeks_before_as_of(self, as_of, days):
        first = as_of - dt.timedelta(days=days)
        found = origins(first, as_of, as_of)
        assert all(first <= day < as_of and (as_of - day).days % 7 == 0 for day in found)
        assert len(found) == days // 7

    def test_every_question_is_asked_before_its_day(self, made):
        for table in (made["features"], made["holdout"]):
            assert (table["as_of"] <= table["date"]).all()
