"""Gaps between groups: joint intervals that hold as promised, are never a point, and drop nobody silently."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.evaluation.groups import group_gaps
from lockgate.evaluation.joint import reaches, sidak
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.verdict_chances import Asked, growth_needed, rate_gap
from lockgate.testing.scored import decided_table, scored_table

RATES = ["selection_rate", "tpr", "fpr", "ppv", "accuracy"]


def yes_no(answer, groups, truth=None, **more) -> Scored:
    answer = np.asarray(answer, float)
    columns = {"y": answer if truth is None else np.asarray(truth, float), "f": answer, "g": np.asarray(groups), **more}
    return Scored(columns=columns, truth="y", answer="f")


def gaps_of(shares: dict[str, tuple[int, int]], **more):
    """Groups with so many yes answers of so many rows."""
    answer = np.concatenate([np.arange(n) < hits for hits, n in shares.values()])
    groups = np.repeat(list(shares), [n for _, n in shares.values()])
    return group_gaps(yes_no(answer, groups), ["g"], metric=METRICS["selection_rate"], **more)


# ── by hand ──────────────────────────────────────────────────────────────────


def test_four_fifths_example_of_the_guidelines():
    """48 of 80 and 12 of 40 (the EEOC's question and answer 18 asks for 80%): a ratio of .50."""
    found = gaps_of({"men": (48, 80), "women": (12, 40)}, reference={"g": "men"})
    (women,) = found.groups
    assert (women.name, women.against, women.ratio.value) == ("women", "men", 0.5)
    assert found.least_parity.value == 0.5
    assert found.least_parity.high < 0.8
    assert women.difference.value == pytest.approx(-0.3)
    assert women.value.n == 40


def test_two_groups_have_the_ordinary_interval():
    """Newcombe 1998, table II, method 10, example a: mirrored groups are one comparison, so nothing is widened."""
    found = gaps_of({"a": (56, 70), "b": (48, 80)})
    a = next(g for g in found.groups if g.name == "a")
    assert (a.difference.low, a.difference.high) == pytest.approx((0.0524, 0.3339), abs=3e-3)
    assert found.largest.value == pytest.approx(0.2)
    assert (found.largest.low, found.largest.high) == pytest.approx((a.difference.low, a.difference.high))


def test_never_a_point_at_nought_and_one():
    """Women of other races in Adult: 46 positives, all found. A bootstrap says exactly 1."""
    for hits in (0, 46):
        found = gaps_of({"rare": (hits, 46), "many": (500, 1000)})
        rare = next(g for g in found.groups if g.name == "rare")
        for interval in (rare.value, rare.difference, rare.parity):
            assert interval.known
            assert interval.high - interval.low > 0.05
        assert rare.value.low < 0.93 if hits else rare.value.high > 0.07


def test_no_yes_among_the_others():
    """A ratio to zero is infinite; parity is zero with an honest upper end."""
    found = gaps_of({"a": (20, 50), "b": (0, 60)})
    a = next(g for g in found.groups if g.name == "a")
    assert not a.ratio.known
    assert a.ratio.why == "the others have a value of zero"
    assert (a.parity.value, a.parity.low) == (0.0, 0.0)
    assert 0 < a.parity.high < 0.25


def test_nobody_gets_a_yes():
    found = gaps_of({"a": (0, 50), "b": (0, 60)})
    assert found.largest.value == 0.0
    assert found.largest.high > 0.05
    assert not found.least_parity.known
    assert "g = a: ratio to the rest: both are zero" in found.not_assessed


def test_what_so_few_rows_can_decide():
    found = gaps_of({"a": (160, 400), "b": (160, 400)})
    gap = found.groups[0]
    assert gap.reach == pytest.approx(0.0679, abs=1e-4)  # 1.96 * sqrt(2 * .4 * .6 / 400)
    assert gap.detectable == pytest.approx((1.959964 + 0.841621) * 0.034641, abs=1e-4)
    assert gap.rows_needed(0.1) == pytest.approx(505, abs=1)
    planned = growth_needed(Asked(limit=0.1, error=rate_gap(0.4, 800, 2)[0], both_sides=True))
    assert gap.rows_needed(0.1) == pytest.approx(400 * planned, abs=1)
    assert gap.rows_needed(0.0) == 0


# ── nobody is dropped ────────────────────────────────────────────────────────


def test_what_is_not_assessed_is_listed_with_the_reason():
    groups = np.array(["a"] * 100 + ["b"] * 100 + ["few"] * 5 + [""] * 40)
    truth = np.r_[np.ones(50), np.zeros(50), np.zeros(97), np.ones(3), np.ones(45)]
    scored = yes_no(np.arange(245) % 2, groups, truth, alone=np.full(245, "x"))
    found = group_gaps(scored, ["g", "alone"], metric=METRICS["tpr"], min_n=10)
    assert {g.name for g in found.groups} == {"a", "(missing)"}
    assert set(found.not_assessed) == {
        "g = b: 3 of 100 rows to count among, fewer than 10",
        "g = few: 5 rows, fewer than 10",
        "alone: only one group, nothing to compare",
    }


def test_a_reference_that_is_not_there():
    found = group_gaps(decided_table(), ["sex", "region"], metric=METRICS["tpr"], reference={"sex": "male"})
    assert "sex: no group 'male' to hold others against (there: f, m)" in found.not_assessed
    assert {g.by for g in found.groups} == {"region"}


def test_crossed_columns():
    scored = decided_table(4000, gap=0.2)
    found = group_gaps(scored, ["sex", "region"], metric=METRICS["selection_rate"], crossed=2)
    names = {f"{g.by} = {g.name}" for g in found.groups}
    assert {"sex & region = f & north", "sex = f", "region = west"} <= names
    assert len(names) == 2 + 3 + 6
    named = group_gaps(
        scored,
        ["sex", "region"],
        metric=METRICS["selection_rate"],
        crossed=2,
        reference={"sex": "m", "region": "north"},
    )
    assert all(g.against in ("m", "north", "m & north") for g in named.groups)
    assert len(named.groups) == 1 + 2 + 5


def test_a_group_whose_errors_do_not_vary_says_nothing_about_its_error():
    scored = scored_table(days=12)
    flawless = np.where(scored.column("new"), scored.role("truth"), scored.role("answer"))
    found = group_gaps(scored.replacing(units=flawless), ["new"], metric=METRICS["mae"])
    assert found.groups == ()
    assert found.not_assessed[0].startswith("new = no: the rest has the same on each of")


def test_a_gap_that_is_there_is_found():
    found = group_gaps(decided_table(4000, gap=0.3), ["sex"], metric=METRICS["selection_rate"])
    assert found.largest.low > 0.05
    assert found.widest is not None
    fair = group_gaps(decided_table(4000), ["sex"], metric=METRICS["selection_rate"])
    assert fair.largest.low == 0.0


@pytest.mark.parametrize("name", ["mae", "rmse", "wape", "bias"])
def test_other_metrics_by_days(name):
    scored = scored_table()
    found = group_gaps(scored, ["volume_band", "new"], metric=METRICS[name], replicates=1000)
    assert len(found.groups) == 5
    for gap in found.groups:
        assert gap.difference.low < gap.difference.value < gap.difference.high
        assert gap.difference.value == pytest.approx(gap.value.value - gap.other.value)
        assert gap.value.blocks == 24
        assert gap.ratio.known == (name != "bias")
        part = scored.subset(scored.labels(gap.by) == gap.name)
        assert gap.value.value == pytest.approx(METRICS[name].value(part))


# ── laws ─────────────────────────────────────────────────────────────────────


@given(st.integers(0, 50), st.sampled_from(RATES), st.sampled_from([None, 60]), st.sampled_from([150, 3000]))
@settings(max_examples=15, deadline=None)
def test_intervals_hold_their_values_and_each_other(seed, name, clusters, rows):
    scored = decided_table(rows, seed=seed, clusters=clusters)
    found = group_gaps(scored, ["sex", "region"], metric=METRICS[name], min_n=5, replicates=100)
    for g in found.groups:
        for interval in (g.value, g.other, g.difference, g.parity):
            assert not interval.known or interval.low <= interval.value <= interval.high
        assert (g.ratio.low <= 1 <= g.ratio.high) == (g.parity.high == 1)
        assert found.largest.low <= abs(g.difference.value) + 1e-12 or g is not found.widest
        assert max(abs(g.difference.low), abs(g.difference.high)) <= found.largest.high + 1e-12
    order = np.random.default_rng(seed).permutation(rows)
    assert group_gaps(scored.subset(order), ["sex", "region"], metric=METRICS[name], min_n=5, replicates=100) == found


@given(st.integers(1, 60), st.integers(1, 60), st.integers(60, 200), st.integers(60, 200))
@settings(max_examples=30, deadline=None)
def test_exchanging_two_groups_mirrors_the_gap(x, y, n, m):
    found = gaps_of({"a": (x, n), "b": (y, m)}, min_n=5)
    a, b = sorted(found.groups, key=lambda g: g.name)
    assert (a.difference.low, a.difference.high) == pytest.approx((-b.difference.high, -b.difference.low))
    assert a.parity.low == pytest.approx(b.parity.low)
    assert a.ratio.low * b.ratio.high == pytest.approx(1.0)


@given(st.floats(0.5, 0.98), st.floats(0.01, 0.019))
@settings(max_examples=20, deadline=None)
def test_a_higher_level_is_wider(level, more):
    shares = {"a": (10, 80), "b": (30, 90), "c": (5, 70)}
    near, far = (gaps_of(shares, level=at) for at in (level, level + more))
    for one, other in zip(near.groups, far.groups, strict=True):
        assert one.difference.low >= other.difference.low
        assert one.difference.high <= other.difference.high


def test_joint_reach_is_between_one_and_sidak():
    random = np.random.default_rng(0)
    independent = random.normal(size=(500, 10))
    assert reaches(independent) == [reaches(independent)[0]] * 10
    found = reaches(independent)[0]
    assert found == pytest.approx(2.80, abs=0.05)  # Šidák for ten: level .9949
    same = independent[:, :1] + 0.01 * independent
    assert 1.95 < reaches(same)[0] < 2.1
    few, *many = reaches(independent, freedom=[7, *[499] * 9])
    assert few > 3.5
    assert many == pytest.approx([2.82] * 9, abs=0.06)
    assert max(reaches(independent, freedom=[1] * 10)) > 50  # a reach that no level of a number tells from certainty
    assert sidak(0.95, 10) == pytest.approx(0.99488, abs=1e-5)


# ── do they hold as often as promised? ───────────────────────────────────────


def held(groups: int, rows: int, rate: float, runs: int = 120) -> float:
    together = 0
    for run in range(runs):
        random = np.random.default_rng([groups, rows, run])
        answer = random.random(groups * rows) < rate
        found = group_gaps(
            yes_no(answer, np.repeat(np.arange(groups), rows)), ["g"], metric=METRICS["selection_rate"], replicates=20
        )
        together += all(g.difference.low <= 0 <= g.difference.high for g in found.groups)
    return together / runs


@pytest.mark.parametrize(("groups", "rows", "rate"), [(2, 100, 0.4), (10, 100, 0.7), (10, 50, 0.05)])
def test_all_groups_hold_at_once(groups, rows, rate):
    """Nominal .95; three standard errors of 120 runs are .06."""
    assert held(groups, rows, rate) >= 0.95 - 0.06


def test_clusters_widen_by_what_they_share():
    """Families of twenty who all get the same answer: rows alone would be far too sure."""
    missed = alone_missed = 0
    for run in range(150):
        random = np.random.default_rng(run)
        family = np.repeat(np.arange(80), 20)
        answer = (random.random(80) < 0.5)[family]
        side = np.repeat(np.arange(80) % 2, 20)
        columns = {"y": answer * 1.0, "f": answer * 1.0, "g": side, "family": family}
        whole = Scored(columns=columns, truth="y", answer="f", cluster="family")
        alone = Scored(columns=columns, truth="y", answer="f")
        for scored, which in ((whole, 0), (alone, 1)):
            gap = group_gaps(scored, ["g"], metric=METRICS["selection_rate"], replicates=20).groups[0].difference
            wrong = not gap.low <= 0 <= gap.high
            missed, alone_missed = missed + wrong * (which == 0), alone_missed + wrong * (which == 1)
    assert missed / 150 < 0.10
    assert alone_missed / 150 > 0.4
