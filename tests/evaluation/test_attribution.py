"""The split of a change: parts add up, what does not matter gets nothing, names do not matter, published numbers."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.evaluation.attribution import TOGETHER, mean_of_answers, parts_of, split
from lockgate.evaluation.comparison import compare
from lockgate.evaluation.contrasts import contrasts
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.resampling import Ratios, ratios
from lockgate.testing.scored import scored_table as table

NAMES = ["code", "data", "parameters", "packages"]
JUDGED = sorted(
    n for n, m in METRICS.items() if m.better != "neither" and m.inputs == ("truth", "answer") and not m.domains
)
OLD = frozenset()


def mix(*factors):
    return frozenset(factors)


def changed(scored, seed):
    random = np.random.default_rng(seed)
    return scored.replacing(units=np.round(scored.role("answer") * random.uniform(0.7, 1.4, len(scored)), 3))


def mixes_of(factors, *, without=(), seed=0):
    """A different answer for the old release, for the new one, and for each factor alone."""
    scored = table(days=12, per_day=20, seed=seed)
    found = {OLD: scored, mix(*factors): changed(scored, seed + 1)}
    return found | {mix(f): changed(scored, seed + 2 + i) for i, f in enumerate(factors) if f not in without}


def value(part, values):
    return sum(weight * values[m] for m, weight in part.weights.items())


# ── the arithmetic, on numbers that others published or that a person can add ─


def test_threefold_decomposition_of_jann_2008():
    """Log wages of Swiss men and women (Jann, Stata Journal 8(4), section 4): endowments are the data, coefficients the code."""
    women, men = 3.266761, 3.440222
    values = {OLD: women, mix("data"): women + 0.0852798, mix("code"): women + 0.082563, mix("code", "data"): men}
    found = {p.name: value(p, values) for p in parts_of(["code", "data"], frozenset(values))}
    assert found["data"] == pytest.approx(0.0852798, abs=1e-9)
    assert found["code"] == pytest.approx(0.082563, abs=1e-9)
    assert found[TOGETHER] == pytest.approx(0.0056179, abs=1e-6)  # published with seven digits, of means with six


def test_two_by_two_by_hand():
    values = {OLD: 60.0, mix("code"): 54.0, mix("data"): 57.0, mix("code", "data"): 52.0}
    found = {p.name: value(p, values) for p in parts_of(["code", "data"], frozenset(values))}
    assert found == {"code": -6.0, "data": -3.0, TOGETHER: 1.0}


def test_three_factors_by_hand():
    values = {OLD: 10.0, mix("a"): 11.0, mix("b"): 13.0, mix("c"): 10.0, mix("a", "b", "c"): 20.0}
    found = {p.name: value(p, values) for p in parts_of(["a", "b", "c"], frozenset(values))}
    assert found == {"a": 1.0, "b": 3.0, "c": 0.0, TOGETHER: 6.0}


@given(
    st.integers(1, 4), st.sets(st.integers(0, 3)), st.lists(st.integers(-1000, 1000).map(float), min_size=6, max_size=6)
)
def test_weights_add_up_to_the_total_whatever_could_be_built(number, lacking, drawn):
    factors = NAMES[:number]
    alone = [mix(f) for i, f in enumerate(factors) if i not in lacking]
    values = dict(zip([OLD, mix(*factors), *alone], drawn, strict=False))
    parts = parts_of(factors, frozenset(values))
    total = values[mix(*factors)] - values[OLD]
    assert sum(value(p, values) for p in parts) == total
    assert {f for p in parts for f in p.alone} == {f for i, f in enumerate(factors) if i in lacking and number > 1}


# ── with intervals ──────────────────────────────────────────────────────────


@given(st.sampled_from(JUDGED), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_parts_add_up_to_the_total(name, number, seed):
    factors = NAMES[:number]
    mixes = mixes_of(factors, seed=seed)
    for total, parts in (
        split(mixes, factors, metric=METRICS[name], replicates=100),
        mean_of_answers(mixes, factors, replicates=100),
    ):
        assert sum(p.value for p in parts.values()) == pytest.approx(total.value, abs=1e-12)
        assert list(parts) == (factors if number == 1 else [*factors, TOGETHER])


@pytest.mark.parametrize("name", JUDGED)
def test_a_factor_that_does_not_matter_gets_exactly_nothing(name):
    old = table()
    new = changed(old, 3)
    mixes = {OLD: old, mix("code"): old, mix("data"): new, mix("code", "data"): new}
    total, parts = split(mixes, ["code", "data"], metric=METRICS[name])
    for part in (parts["code"], parts[TOGETHER]):
        assert (part.value, part.low, part.high) == (0.0, 0.0, 0.0)
    assert (parts["data"].value, parts["data"].low, parts["data"].high) == (total.value, total.low, total.high)


def test_names_and_their_order_do_not_matter():
    mixes = mixes_of(NAMES[:3])
    _, expected = split(mixes, NAMES[:3], metric=METRICS["wape"], replicates=200)
    for order in permutations(NAMES[:3]):
        renamed = dict(zip(NAMES[:3], order, strict=True))
        moved = {frozenset(renamed[f] for f in m): s for m, s in mixes.items()}
        _, found = split(moved, order, metric=METRICS["wape"], replicates=200)
        for name in NAMES[:3]:
            assert found[renamed[name]].value == pytest.approx(expected[name].value, abs=1e-12)
            assert found[renamed[name]].low == pytest.approx(expected[name].low, abs=1e-9)
        assert found[TOGETHER].high == pytest.approx(expected[TOGETHER].high, abs=1e-9)


def test_one_factor_is_the_whole_change_and_agrees_with_the_comparison_of_two():
    old, new = table(), table().answering("best_simple")
    total, parts = split({OLD: old, mix("data"): new}, ["data"], metric=METRICS["wape"])
    assert parts == {"data": total}
    paired = compare(new, old, metric=METRICS["wape"])
    assert total.value == pytest.approx(paired.first.value - paired.second.value)
    assert (total.low > 0) == (paired.relative.low > 0)


def test_what_could_not_be_built_alone_stands_with_the_rest():
    mixes = mixes_of(["code", "data"], without=["code"])
    total, parts = split(mixes, ["code", "data"], metric=METRICS["wape"])
    assert list(parts) == ["data", TOGETHER]
    assert parts["data"].value + parts[TOGETHER].value == pytest.approx(total.value)


def test_few_days_have_no_interval_and_say_so():
    old = table(days=5)
    total, parts = split({OLD: old, mix("code"): changed(old, 1)}, ["code"], metric=METRICS["wape"])
    assert np.isfinite(total.value)
    assert parts["code"].why == "too few days (5) to say how sure"
    same, _ = split({OLD: old, mix("code"): old}, ["code"], metric=METRICS["wape"])
    assert (same.low, same.high, same.why) == (0.0, 0.0, "")


def test_the_difference_of_two_means_has_the_interval_of_the_paired_t_test():
    """Bars of one day each: the classical interval is right for normal values, and the bootstrap must be near."""
    random = np.random.default_rng(8)
    first, second = random.normal(5, 1, (40, 1)), random.normal(5.5, 1, (40, 1))
    ones = np.ones((40, 2))
    over = Ratios(top=np.hstack([first, second]), bottom=ones, n=np.array([40, 40]), bounds=(-np.inf, np.inf))
    (found,) = contrasts(over, [(-1, 1)])
    difference = (second - first)[:, 0]
    half = 2.0227 * difference.std(ddof=1) / np.sqrt(40)  # t(39)
    assert found.value == pytest.approx(difference.mean())
    assert found.high - found.value == pytest.approx(half, rel=0.12)
    assert found.value - found.low == pytest.approx(half, rel=0.12)


def test_intervals_of_an_interaction_hold_it_as_often_as_promised():
    """Two hundred seeded sets of 24 days in which the interaction is 0.2 by construction."""
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        base = random.gamma(4, 1, (24, 1)) + 1
        top = base + np.array([0, 0.3, 0.5, 1.0]) + random.normal(0, 0.3, (24, 4))
        over = Ratios(top=top, bottom=np.ones((24, 4)), n=np.full(4, 24))
        (found,) = contrasts(over, [(1, -1, -1, 1)], replicates=400)
        held += found.low <= 0.2 <= found.high
    assert 0.91 <= held / 200 <= 0.985


def test_a_change_that_is_the_same_on_all_days_but_one_has_a_sane_interval():
    """Nothing to divide by in most resamples: a studentized interval would reach to several times the largest day."""
    change = np.r_[np.full(12, -1.0), 1.0][:, None]
    base = np.full((13, 1), 10.0)
    over = Ratios(top=np.hstack([base, base + change]), bottom=np.ones((13, 2)), n=np.array([13, 13]))
    (found,) = contrasts(over, [(-1, 1)])
    assert -1.0 <= found.low < found.value < found.high <= 1.0


def test_the_same_bits_from_the_same_seed():
    over = ratios(METRICS["rmse"], [table(), table().answering("best_simple")])
    assert contrasts(over, [(1, -1)], replicates=300) == contrasts(over, [(1, -1)], replicates=300)
