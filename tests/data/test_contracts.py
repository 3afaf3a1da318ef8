"""A contract accounts for every row, and each broken promise gives one message that names the rows."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.data.checks import DIRT, check, judge, tally
from lockgate.data.contracts import Column, Contract, Days, Rule
from lockgate.errors import ContractBroken

ACTIONS = ("drop", "net", "set aside", "keep")


def sold(*, rules=(), days=None, key=(), open=False):
    return Contract(
        name="sold",
        columns=(
            Column(name="code", type="text", matches=r"[a-z]+"),
            Column(name="pieces", type="number", unit="pieces", low=1, high=24),
            Column(name="day", type="date"),
        ),
        rules=rules,
        days=days,
        key=key,
        open=open,
    )


def table(pieces, start=dt.date(2024, 1, 1)):
    days = [start + dt.timedelta(days=n) for n in range(len(pieces))]
    schema = {"code": pl.String, "pieces": pl.Float64, "day": pl.Date}
    return pl.DataFrame({"code": ["tea"] * len(pieces), "pieces": pieces, "day": days}, schema=schema)


rule_lists = st.lists(
    st.builds(
        lambda number, low, action: (f"pieces > {low}", action),
        st.integers(),
        st.integers(-5, 30),
        st.sampled_from(ACTIONS),
    ),
    max_size=5,
).map(
    lambda found: tuple(
        Rule(name=f"rule {n}", when=when, action=action, at_most=1.0) for n, (when, action) in enumerate(found)
    )
)
pieces = st.lists(st.one_of(st.none(), st.floats(-50, 50)), min_size=1, max_size=30)


@given(pieces, rule_lists)
@settings(max_examples=60, deadline=None)
def test_every_row_is_clean_or_claimed_once(values, rules):
    frame, contract = table(values), sold(rules=rules)
    judged = judge(frame, contract)
    counted = tally(frame, contract)
    assert judged.drop(DIRT).equals(frame)
    assert judged[DIRT].null_count() + counted["claimed"].sum() == frame.height
    by_action = {action: set(contract.rules_that(action)) for action in ACTIONS}
    parts = [judged.filter(pl.col(DIRT).is_in(list(names))).height for names in by_action.values()]
    assert judged.height == judged[DIRT].null_count() + sum(parts)
    assert not judged[DIRT].is_in(list(by_action["keep"])).any()


@given(pieces, rule_lists)
@settings(max_examples=60, deadline=None)
def test_the_first_rule_that_matches_claims(values, rules):
    judged = judge(table(values), sold(rules=rules))
    for value, verdict in zip(values, judged[DIRT], strict=True):
        matching = [
            r.name for r in rules if r.action != "keep" and value is not None and value > int(r.when.split()[-1])
        ]
        assert verdict == (matching[0] if matching else None)


@given(pieces, rule_lists)
@settings(max_examples=60, deadline=None)
def test_matches_do_not_depend_on_the_order_of_rules(values, rules):
    def count(order):
        return dict(tally(table(values), sold(rules=order)).select("rule", "matches").rows())

    assert count(rules) == count(rules[::-1])


@given(pieces)
@settings(max_examples=60, deadline=None)
def test_undeclared_dirt_is_found_exactly_where_it_is(values):
    bad = [number + 1 for number, value in enumerate(values) if value is None or not 1 <= value <= 24]
    if not bad:
        check(table(values), sold())
        return
    with pytest.raises(ContractBroken) as broken:
        check(table(values), sold())
    assert any(f"row {number} " in broken.value.value for number in bad)
    assert "pieces" in broken.value.what
    assert "pieces=" in broken.value.value


def test_a_declared_row_passes_and_one_more_than_declared_does_not():
    returned = Rule(name="returned", when="pieces < 0", action="net", at_most=0.25)
    check(table([1, 2, 3, -1]), sold(rules=(returned,)))
    with pytest.raises(ContractBroken, match="more 'returned' than declared: 2 rows of 4 = 50.00%; row 3 "):
        check(table([1, 2, -3, -1]), sold(rules=(returned,)))


def test_a_rule_that_keeps_excuses_nothing():
    counted = Rule(name="odd", when="pieces > 24", action="keep", at_most=1.0)
    with pytest.raises(ContractBroken, match="pieces at most 24, in pieces"):
        check(table([1, 25]), sold(rules=(counted,)))


@pytest.mark.parametrize(
    ("frame", "contract", "says"),
    [
        (table([1]).rename({"pieces": "pieced"}), sold(), "column is missing: pieces"),
        (table([1]).rename({"pieces": "pieced"}), sold(), "pieced"),
        (table([1]).with_columns(pl.col("day").cast(pl.String)), sold(), "column day has another type: String"),
        (table([1]).with_columns(extra=1), sold(), "column is not promised: extra"),
        (table([]), sold(), "too few rows: 0"),
        (table([1, float("nan")]), sold(), "finite"),
        (table([1, 2]).with_columns(code=pl.Series(["tea", "T1"])), sold(), r"row 2 \(code=T1"),
        (table([1, 2]), sold(key=("code",)), "2 rows share a key"),
    ],
)
def test_each_broken_promise_has_its_message(frame, contract, says):
    with pytest.raises(ContractBroken, match=says) as broken:
        check(frame, contract)
    assert broken.value.next


def test_an_open_contract_lets_other_columns_be():
    check(table([1]).with_columns(extra=1), sold(open=True))


class TestDays:
    contract = sold(days=Days(column="day", closed=lambda day: "closed on Sundays" if day.weekday() == 6 else None))
    week = table([1] * 7)  # Monday 2024-01-01 to Sunday

    def test_a_missing_open_day_is_named(self):
        gone = self.week.filter(pl.col("day").dt.weekday() != 3).head(5)
        with pytest.raises(ContractBroken, match="a day is missing: Wednesday 2024-01-03"):
            check(gone, self.contract)

    def test_rows_on_a_closed_day_are_named(self):
        with pytest.raises(ContractBroken, match="rows on a closed day: Sunday 2024-01-07: 1 row"):
            check(self.week, self.contract)

    def test_a_closed_day_may_be_missing(self):
        check(self.week.head(6), self.contract)

    def test_with_an_as_of_day_the_table_must_be_fresh(self):
        check(self.week.head(6), self.contract, as_of=dt.date(2024, 1, 8))
        with pytest.raises(ContractBroken, match="a day is missing: Monday 2024-01-08"):
            check(self.week.head(6), self.contract, as_of=dt.date(2024, 1, 9))

    def test_a_dropped_row_does_not_make_a_day(self):
        big = Rule(name="big", when="pieces > 20", action="drop", at_most=1.0)
        days = Contract(name="sold", columns=self.contract.columns, rules=(big,), days=self.contract.days)
        check(table([1] * 6 + [24]), days)
        with pytest.raises(ContractBroken, match="a day is missing: Tuesday 2024-01-02"):
            check(table([1, 24, 1]), days)


def test_a_share_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="at_most is a share"):
        Rule(name="r", when="pieces > 1", action="drop", at_most=3)
