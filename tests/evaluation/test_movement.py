"""Which answers move: shares by hand, groups worst first, the largest changes with what made them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UsageError
from lockgate.evaluation.movement import attributed, compared, moved
from lockgate.evaluation.scored import Scored
from lockgate.records.movement import Attribution, Movement
from lockgate.records.wire import from_json
from lockgate.testing.scored import scored_table as table

DAYS = np.repeat(np.arange("2020-01-01", "2020-01-13", dtype="datetime64[D]"), 2)


def scored(answers, *, truth=10.0):
    """Two products, `small` and `large`, on twelve days."""
    rows = {
        "product": np.tile(np.array(["p0", "p1"]), 12),
        "date": DAYS,
        "as_of": DAYS - 7,
        "band": np.tile(np.array(["small", "large"]), 12),
        "actual": np.full(24, truth),
        "units": np.broadcast_to(np.asarray(answers, float), 24).copy(),
    }
    return Scored(columns=rows, truth="actual", answer="units", day="date", keys=("product", "date"))


def movement(before, after, **more) -> Movement:
    return from_json(Movement, compared(before, after, **more))


def test_shares_by_hand():
    """Of p0 nothing moves; p1 moves by 4%, 6%, 20%, 30%, three days each."""
    steps = np.zeros(24)
    steps[1::2] = np.repeat([0.04, 0.06, 0.20, 0.30], 3)
    found = movement(scored(10), scored(10 * (1 + steps)), by=["band", "nothing"])
    assert found.overall.shares == {"0.05": "0.375", "0.1": "0.25", "0.25": "0.125"}
    assert [(g.group, g.rows, g.shares["0.1"]) for g in found.groups] == [("large", 12, "0.5"), ("small", 12, "0")]
    assert (found.rows, found.days, found.same, found.first, found.last) == (24, 12, 12, "2020-01-01", "2020-01-12")
    assert (found.groups[0].before, found.groups[0].after) == ("10", "11.5")
    assert [r.position for r in found.largest[:3]] == [19, 21, 23]
    assert len(found.largest) == 12


def test_a_row_is_told_as_it_was_asked():
    new = scored(10)
    new.columns["units"][3] = 12.5
    (row,) = movement(scored(10), new).largest
    assert row.request == {"product": "p1", "date": "2020-01-02"}
    assert (row.as_of, row.before, row.after, row.change, row.relative, row.actual) == (
        "2019-12-26", "10", "12.5", "2.5", "0.25", "10",
    )  # fmt: skip


def test_from_zero_is_beyond_every_limit_and_from_zero_to_zero_is_none():
    assert moved(scored(0), scored(0)).tolist() == [0.0] * 24
    assert np.isinf(moved(scored(0), scored(0.01))).all()
    found = movement(scored(0), scored(0.01))
    assert set(found.overall.shares.values()) == {"1"}
    assert found.largest[0].relative is None


@given(st.floats(-8, 8).map(lambda x: 2.0 ** round(x)), st.integers(0, 99))
def test_moves_have_no_unit(factor, seed):
    old, new = table(days=4, per_day=5, seed=seed), table(days=4, per_day=5, seed=seed + 1)
    scaled = [s.replacing(units=s.role("answer") * factor) for s in (old, new)]
    assert moved(old, new).tolist() == moved(*scaled).tolist()


@given(st.integers(0, 50))
def test_shares_of_groups_average_to_the_overall_share(seed):
    old = table(days=5, per_day=11, seed=seed)
    new = old.replacing(units=old.role("answer") * np.random.default_rng(seed).uniform(0.7, 1.3, len(old)))
    found = movement(old, new, by=["volume_band"])
    for limit, share in found.overall.shares.items():
        mean = sum(g.rows * float(g.shares[limit]) for g in found.groups) / found.rows
        assert mean == pytest.approx(float(share), abs=1e-5)
    order = [float(g.shares["0.1"]) for g in found.groups]
    assert order == sorted(order, reverse=True)


def test_the_metric_before_and_after():
    found = movement(scored(8), scored(9), metric="wape")
    assert (found.before.value, found.after.value) == ("0.2", "0.1")
    assert (found.difference.value, found.relative.value) == ("-0.1", "-0.5")
    assert found.metric["better"] == "lower"


def test_rows_without_an_answer_or_a_truth_are_left_out_and_counted():
    new = scored(11)
    new.columns["units"][:4] = np.nan
    found = movement(scored(10), new)
    assert found.rows == 20
    assert found.left_out == ("4 of 24 requests are not answered with a number by both releases",)
    unknown = scored(10, truth=np.nan)
    found = movement(unknown, scored(12, truth=np.nan))
    assert found.overall.shares["0.1"] == "1"
    assert (found.before.value, found.before.why) == (None, "there are no rows")


def test_rows_that_a_release_was_trained_on_are_left_out_of_both_tables():
    old, new, data = scored(10), scored(11), scored(12)
    since = str(DAYS[8] - 7)  # the fifth of twelve days, two rows each
    found = movement(old, new, since=since)
    assert (found.rows, found.first) == (16, str(DAYS[8]))
    assert found.left_out == ("8 of 24 requests ask about days that one of the releases was trained on",)
    for fair_from, rows in ((None, 16), (str(DAYS[20] - 7), 4)):
        more = {"since": since, "fair_from": fair_from}
        why = from_json(Attribution, attributed(old, new, None, data, None, None, ["code", "data"], **more))
        assert why.rows == rows
        assert set(why.parts) == {str(row.position) for row in found.largest}


def test_no_row_at_all_is_no_crash():
    nothing = scored(np.nan)
    found = movement(nothing, scored(1))
    assert (found.rows, found.largest, found.overall.shares["0.1"]) == (0, (), "0")
    assert from_json(Attribution, attributed(nothing, scored(1), None, None, None, None, ["code"])).rows == 0


def test_answers_to_other_rows_are_refused():
    with pytest.raises(UsageError):
        compared(scored(10), scored(10, truth=11.0))


def attribution(*given) -> Attribution:
    return from_json(Attribution, attributed(*given))


def test_an_answer_is_split_as_the_metric_is():
    found = attribution(scored(10), scored(13), scored(12), scored(10.5), None, None, ["code", "data"])
    assert found.parts["0"] == {"code": "2", "data": "0.5", "together": "0.5"}
    assert [(e.name, e.answers.value) for e in found.effects] == [("code", "2"), ("data", "0.5"), ("together", "0.5")]
    assert found.answers.value == "3"
    assert found.effects[0].shares == {"0.05": "1", "0.1": "1", "0.25": "0"}
    assert found.effects[2].shares == {}


def test_a_pure_data_change_is_the_data():
    """However many answers move."""
    found = attribution(scored(10), scored(13), None, None, None, None, ["data"])
    assert [e.name for e in found.effects] == ["data"]
    assert found.effects[0].metric == found.metric.__class__(**{**vars_of(found.metric), "name": "data"})
    assert found.parts["0"] == {"data": "3"}


def test_what_was_not_built_is_said():
    found = attribution(scored(10), scored(13), None, scored(11), None, None, ["code", "data"])
    assert [(e.name, e.includes) for e in found.effects] == [("data", ()), ("together", ("code",))]
    assert found.parts["0"] == {"data": "1", "together": "2"}


def vars_of(record):
    return {name: getattr(record, name) for name in record.__slots__}
