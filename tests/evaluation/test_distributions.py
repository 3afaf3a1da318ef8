"""How values are spread: the same bins for all, what chance does, and names that could be anything."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.evaluation.binning import Bins, bins_of, chance_of, shift_between
from lockgate.evaluation.distributions import distributions
from lockgate.evaluation.reliability import reliable
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.within_groups import _apart, _members
from lockgate.records.findings import Distribution, Spread
from lockgate.records.wire import from_json

SIZE = 400


def table(*, shift: float = 0.0, size: int = SIZE, seed: int = 1, **more: np.ndarray) -> Scored:
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange("2020-01-01", 20, dtype="datetime64[D]"), size // 20)
    columns = {
        "income": random.normal(shift, 1.0, size), "date": day, "actual": random.poisson(3, size).astype(float),
        "answer": random.normal(3, 1, size), "region": random.choice(["north", "south"], size), **more,
    }  # fmt: skip
    return Scored(columns=columns, truth="actual", answer="answer", day="date", keys=("income",))


def found(scored: Scored, replayed: Scored | None = None, now: dict | None = None) -> dict[str, Distribution]:
    said = distributions(scored, replayed, now, ["region"])
    return {d.column: d for d in (from_json(Distribution, d) for d in said["columns"])}


def test_every_row_is_counted_once_in_the_same_bins() -> None:
    columns = found(table(), table(seed=2))
    for distribution in columns.values():
        for part in distribution.parts:
            assert sum(part.counts) + part.missing == part.n == SIZE
            assert len(part.counts) == len(distribution.labels or distribution.edges[1:])
    assert [columns[c].role for c in ("actual", "answer", "income", "region")] == ["truth", "answer", "asked", "group"]


def test_alike_is_chance_and_a_shift_of_one_deviation_is_not() -> None:
    [_, same] = found(table(), table(seed=2))["income"].parts
    [_, other] = found(table(shift=1.0), table(seed=2))["income"].parts
    assert float(same.shift or 1) <= float(same.chance or 0)
    assert float(other.shift or 0) > float(other.chance or 1)
    # two normals one deviation apart overlap in 2 * Phi(-1/2) = 61.7%; twelve bins hide a little of it
    assert float(other.shift or 0) == pytest.approx(0.383, abs=0.06)


def test_chance_holds_its_level() -> None:
    """Of samples from one distribution at most about 5% lie beyond what chance is said to do."""
    random = np.random.default_rng(3)
    beyond = 0
    for _ in range(300):
        one, other = (random.multinomial(n, [0.5, 0.3, 0.15, 0.05]) for n in (200, 1000))
        beyond += shift_between(one, other) > chance_of(one, other)
    assert beyond / 300 < 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5


def test_what_is_asked_now_stands_beside_and_lacks_what_it_cannot_have() -> None:
    now = {
        "rows": 3,
        "first": "2020-02-01",
        "last": "2020-02-02",
        "columns": {"income": [0.1, None, 2.0], "region": ["north", "west", None]},
    }
    columns = found(table(), table(seed=2), now)
    assert [p.name for p in columns["income"].parts] == ["train", "holdout", "now"]
    assert (columns["income"].parts[2].n, columns["income"].parts[2].missing) == (3, 1)
    assert "west" in columns["region"].labels
    assert [p.name for p in columns["actual"].parts] == ["train", "holdout"]


def test_a_yes_of_today_is_a_yes_of_the_test() -> None:
    yes = np.arange(SIZE) % 4 > 0
    columns = found(table(good=yes), table(good=yes), {"columns": {"good": [True, False, True, None]}})
    assert columns["good"].labels == ("yes", "no")
    assert [(p.counts, p.missing) for p in columns["good"].parts] == [((300, 100), 0), ((300, 100), 0), ((2, 1), 1)]


def test_what_is_not_shown_is_named() -> None:
    many = {f"f{i:02}": np.random.default_rng(i).normal(size=SIZE) for i in range(30)}
    names = np.array([f"n{i}" for i in range(SIZE)])
    said = distributions(table(**many, only=np.ones(SIZE), name=names), table(**many, name=names), None, ["region"])
    assert said["alone"] == ["only"]
    assert said["names"] == ["name"]
    assert len(said["columns"]) == 24
    assert len(said["left_out"]) == 10


def test_groups_have_their_own_middle() -> None:
    said = distributions(table(), table(seed=2), None, ["region"])
    spreads = [from_json(Spread, s) for s in said["spreads"]]
    assert [(s.group, s.column) for s in spreads] == [
        (group, column) for column in ("actual", "answer", "income") for group in ("north", "south")
    ]
    scored = table()
    north = scored.role("truth")[scored.labels("region") == "north"]
    assert float(spreads[0].parts[1].quantiles["0.5"]) == np.median(north)


def test_within_groups_what_tells_them_apart_comes_first_and_each_set_of_rows_is_counted() -> None:
    scored, random = table(), np.random.default_rng(4)
    north = scored.labels("region") == "north"
    many = {f"f{i}": random.normal(size=SIZE) for i in range(9)}
    more = {"home": np.where(north, "flat", random.choice(["flat", "house"], SIZE)), "late": random.normal(north, 1.0)}
    said = distributions(table(**many, **more), table(seed=2, **many, **more), None, ["region"])
    spreads = [from_json(Spread, s) for s in said["spreads"]]
    assert list(dict.fromkeys(s.column for s in spreads))[2:4] == ["home", "late"]
    assert len({s.column for s in spreads}) == 2 + 8
    [flat, mixed] = [s for s in spreads if s.column == "home"]
    assert flat.labels == ("flat", "house")
    assert (flat.group, flat.parts[1].counts) == ("north", (int(north.sum()), 0))
    assert (mixed.group, sum(mixed.parts[1].counts)) == ("south", int((~north).sum()))
    assert all([p.name for p in s.parts] == ["train", "holdout"] for s in spreads)


@pytest.mark.parametrize("groups", [2, 5, 12])
def test_groups_that_differ_by_chance_alone_are_apart_in_one_of_twenty_tables(groups: int) -> None:
    """The largest of twelve distances is large by itself: what is left after chance must not be. Also of a rare yes."""
    beyond, rare, tables = 0, 0, 120
    for seed in range(tables):
        random = np.random.default_rng(seed)
        members = _members(random.integers(0, groups, SIZE).astype(str))
        income, yes = random.normal(size=SIZE), random.random(SIZE) < 0.1
        beyond += _apart(_of_all(income), income, members) > 0
        rare += _apart(_of_all(yes), yes, members) > 0
    most = 0.05 + 3 * (0.05 * 0.95 / tables) ** 0.5
    assert (beyond / tables < most, rare / tables < most) == (True, True)


def test_a_value_that_is_missing_in_one_group_tells_it() -> None:
    which = np.arange(SIZE) % 2 == 0
    income = np.where(which, np.nan, np.random.default_rng(5).normal(size=SIZE))
    assert _apart(_of_all(income), income, _members(which)) > 0.8


def _of_all(values: np.ndarray) -> Bins:
    found = bins_of([values])
    assert found is not None
    return found


def test_the_order_of_rows_changes_nothing() -> None:
    scored, random = table(), np.random.default_rng(9)
    mixed = scored.subset(random.permutation(SIZE))
    assert distributions(scored, table(seed=2), None, ["region"]) == distributions(
        mixed, table(seed=2), None, ["region"]
    )


@pytest.mark.parametrize("values", [np.full(SIZE, np.nan), np.zeros(SIZE), np.full(SIZE, np.inf), np.full(SIZE, "")])
def test_columns_without_a_spread_break_nothing(values: np.ndarray) -> None:
    columns = found(table(odd=values), table(odd=values))
    assert all(sum(p.counts) + p.missing == p.n for d in columns.values() for p in d.parts)
    json.dumps(distributions(table(odd=values), None, None, ["region"]), allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=12))
def test_any_label_is_counted(labels: list[str]) -> None:
    column = np.array([labels[i % len(labels)] for i in range(SIZE)], dtype=np.str_)
    for distribution in found(table(odd=column), table(odd=column)).values():
        assert all(sum(p.counts) + p.missing == p.n for p in distribution.parts)


# --- reliability


def test_scores_that_mean_what_they_say_lie_on_the_line() -> None:
    random = np.random.default_rng(4)
    said = random.uniform(size=20_000)
    honest = reliable(said, (random.random(20_000) < said).astype(float), by="all", group="all answers")
    assert float(honest.gap or 1) < 0.02
    off = [b for b in honest.bins if not float(b.happened.low or 1) <= float(b.said) <= float(b.happened.high or 0)]
    assert len(off) <= 2  # of ten intervals at 95%
    boastful = reliable(said, (random.random(20_000) < said / 2).astype(float), by="all", group="all answers")
    assert float(boastful.gap or 0) == pytest.approx(0.25, abs=0.02)  # the mean of said - said / 2


def test_few_rows_are_not_assessed_and_say_so() -> None:
    few = reliable(np.full(19, 0.5), np.ones(19), by="sex", group="x")
    assert (few.gap, few.bins, few.why) == (None, (), "19 rows, fewer than 20")
    one_class = reliable(np.full(40, 0.5), np.zeros(40), by="sex", group="x")
    assert one_class.gap == "0.5" and len(one_class.bins) == 2


def test_the_record_survives_its_journey() -> None:
    one = found(table(), table(seed=2))["income"]
    assert dataclasses.replace(one) == one
