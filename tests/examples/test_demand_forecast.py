"""One answer equals its row in a batch and its row in training; nothing of the future moves it."""

import datetime as dt

import polars as pl
import pytest
from demand.calendar import next_open_days
from demand.choose import BASELINES, CANDIDATES
from demand.explain import push_by_cause, reasons
from demand.features import KEYS, describe
from demand.holdout import trained_rows
from demand.predict import forecast
from demand.train import answer
from examples import shop

DAYS = next_open_days(shop.AS_OF, 28)


@pytest.fixture(scope="module")
def requests(made):
    pairs = [(product, day) for product in made["products"]["product"] for day in DAYS[::5]]
    return pl.DataFrame(pairs, schema=["product", "date"], orient="row")


def ask(made, requests, history=None, as_of=shop.AS_OF):
    return forecast(requests, *shop.state(made), made["history"] if history is None else history, as_of)


def test_columns_and_order(made, requests):
    found = ask(made, requests)
    assert found.columns == ["units", "low", "high", "note"]
    assert (found["low"] <= found["units"]).all()
    assert (found["units"] <= found["high"]).all()
    assert (found["low"] >= 0).all()
    backwards = ask(made, requests.reverse())
    assert backwards.reverse().equals(found)


def test_alone_as_in_a_batch(made, requests):
    together = ask(made, requests)
    apart = pl.concat([ask(made, row) for row in requests.iter_slices(1)])
    assert apart.equals(together)


def test_training_rows_replay_to_the_bit(made):
    for (as_of,), part in made["trained_rows"].group_by("as_of"):
        known = made["history"].filter(pl.col("date") < as_of)
        again = ask(made, part.select("product", "date"), known, as_of)
        assert again["units"].to_list() == part["prediction"].to_list()


def test_a_release_with_the_leak_does_not_replay(shop_folder, made):
    leaky = shop.run_all(
        shop_folder / "sales",
        shop.AS_OF,
        shop.publication(shop_folder),
        settings={"rounds": 15},
        features={"horizons": 3, "peek": True},
    )
    rows = leaky["trained_rows"].head(60)
    differ = 0
    for (as_of,), part in rows.group_by("as_of"):
        again = ask(leaky, part.select("product", "date"), leaky["history"].filter(pl.col("date") < as_of), as_of)
        differ += (again["units"].to_numpy() != part["prediction"].to_numpy()).sum()
    assert differ > rows.height / 2
    overall = leaky["scores"].filter(pl.col("window") == "all")
    assert overall["wape"].min() < made["scores"].filter(pl.col("window") == "all")["wape"].min()


def test_what_happens_later_changes_no_answer(made, requests):
    as_of = dt.date(2011, 8, 6)
    known = made["history"].filter(pl.col("date") < as_of)
    later = made["history"].with_columns(units=pl.when(pl.col("date") >= as_of).then(500.0).otherwise("units"))
    asked = requests.filter(pl.col("product") != shop.NEWCOMER).with_columns(date=pl.lit(dt.date(2011, 8, 11)))
    assert ask(made, asked, later, as_of).equals(ask(made, asked, known, as_of))


def test_a_closed_saturday_answers_0_with_the_reason(made):
    asked = pl.DataFrame({"product": ["22101"] * 2, "date": [dt.date(2011, 10, 15), dt.date(2011, 10, 16)]})
    closed, opened = ask(made, asked).rows()
    assert closed == (0.0, 0.0, 0.0, "closed on Saturdays")
    assert opened[3] == ""
    assert opened[2] > 0
    said = reasons(asked, *shop.state(made), made["history"], shop.AS_OF)[0]
    assert [sentence for sentence in said if sentence] == ["Nothing is forecast: closed on Saturdays."]


def test_a_product_nobody_sold_yet_answers_0_with_the_reason(made):
    asked = pl.DataFrame({"product": ["99999", "22101"], "date": [dt.date(2011, 10, 16)] * 2})
    found = ask(made, asked)
    assert found.row(0) == (0.0, 0.0, 0.0, "no sales of this product are known yet")
    assert found.row(1) == ask(made, asked.tail(1)).row(0)


def test_an_old_release_still_answers_weeks_later(made):
    asked = pl.DataFrame({"product": ["22108"], "date": [dt.date(2011, 11, 16)]})
    assert ask(made, asked, as_of=dt.date(2011, 11, 5))["units"][0] > 0


def test_two_to_four_reasons_each(made, requests):
    found = reasons(requests, *shop.state(made), made["history"], shop.AS_OF)
    said = [[sentence for sentence in one if sentence] for one in found]
    assert len(said) == requests.height
    assert all(2 <= len(sentences) <= 4 for sentences in said)
    assert all(sentence.endswith(".") and "nan" not in sentence for sentences in said for sentence in sentences)


def test_pushes_add_up_to_the_answer(made, requests):
    booster, line, choice, _ = shop.state(made)
    described = describe(requests.with_columns(as_of=pl.lit(shop.AS_OF)), made["history"], choice.shop)
    pushes = push_by_cause(booster, line, choice.trees, described)
    names = booster.feature_name()
    base = booster.predict(described.select(names).to_numpy(), pred_contrib=True)[:, -1] * choice.trees
    whole = (pushes.sum_horizontal().to_numpy() + base).clip(0).round(2)
    assert abs(whole - answer(booster, line, choice.trees, described)).max() < 0.011


def test_the_choice_is_the_least_error_before_the_test(made):
    overall = made["scores"].filter(pl.col("window") == "all")
    best = {kind: part.sort("wape", "name")["name"][0] for (kind,), part in overall.group_by("kind")}
    assert (made["choice"].candidate, made["choice"].best_simple) == (best["candidate"], best["baseline"])
    assert set(overall["name"]) == {*CANDIDATES, *BASELINES}


def test_four_truths_in_five_lie_in_the_interval(made):
    from demand.interval import around

    trials, choice = made["trials"], made["choice"]
    low, high = around(made["interval"], trials[choice.candidate].to_numpy(), trials["spread"].to_numpy())
    inside = ((trials["actual"].to_numpy() >= low) & (trials["actual"].to_numpy() <= high)).mean()
    assert inside == pytest.approx(0.8, abs=0.02)


def test_the_holdout(made):
    holdout = made["holdout"]
    assert set(holdout["new"]) == {"yes", "no"}
    assert holdout.null_count().sum_horizontal()[0] == 0
    ahead = holdout.with_columns(ahead=pl.col("date").rank("dense").over("as_of"))
    assert set(ahead["ahead"]) == set(range(1, 29))
    truth = holdout.join(made["history"], on=["product", "date"])
    assert (truth["actual"] == truth["units"]).all()


def test_steps_repeat_to_the_bit(shop_folder, made):
    again = shop.run_all(
        shop_folder / "sales",
        shop.AS_OF,
        shop.publication(shop_folder),
        settings={"rounds": 15},
        features={"horizons": 6},
    )
    for name in ("history", "features", "trials", "holdout", "trained_rows"):
        assert again[name].equals(made[name], null_equal=True), name
    assert again["booster"].model_to_string() == made["booster"].model_to_string()
    assert [again[n] for n in ("line", "choice", "interval")] == [made[n] for n in ("line", "choice", "interval")]


def test_the_sample_of_training_rows_is_seeded(made):
    state = {name: made[name] for name in ("features", "products", "windows", "booster", "line", "choice")}
    assert trained_rows(**state).equals(made["trained_rows"])
    assert not trained_rows(**state, seed=8).select(KEYS).equals(made["trained_rows"].select(KEYS))
