"""Laws of the statistical core: order does not matter, units do not matter, the same seed gives the same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import NotFound, UsageError
from lockgate.evaluation.comparison import compare, on_common_rows
from lockgate.evaluation.metrics import METRICS, metric_named
from lockgate.evaluation.blocks import blocks_of
from lockgate.evaluation.resampling import Ratios, ratios, resample, single
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import slice_by
from lockgate.testing.scored import decided_table
from lockgate.testing.scored import scored_table as table

NAMES = sorted(METRICS)


def table_for(metric, **more):
    """Rows that the metric can be had of."""
    if "yes_no" in metric.domains.values():
        return decided_table(400)
    scored = table(**more)
    return replace(scored, columns={**scored.columns, "naive": 1 + scored.role("truth") / 2}, scale="naive")


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_is_the_ratio_of_its_day_sums(name):
    metric, scored = METRICS[name], table_for(METRICS[name])
    assert metric.complaint(scored) == ""
    terms = metric.rows(scored)
    blocks = blocks_of(scored, *terms)
    sums = blocks.total(blocks.sums(terms)[:, 0, :])
    direct = metric.function(*(scored.role(role) for role in metric.inputs))
    assert (sums[0] / sums[1]) ** metric.power == pytest.approx(direct, rel=1e-12)


@given(st.randoms(use_true_random=False), st.sampled_from(NAMES))
@settings(max_examples=20, deadline=None)
def test_permuting_rows_changes_no_byte(random, name):
    scored = table_for(METRICS[name], days=10, per_day=30)
    order = list(range(len(scored)))
    random.shuffle(order)
    shuffled = scored.subset(np.array(order))
    assert single(METRICS[name], scored, replicates=200) == single(METRICS[name], shuffled, replicates=200)
    if METRICS[name].better != "neither":
        arguments = {"metric": METRICS[name], "min_n": 20, "min_days": 5, "replicates": 200}
        by = ["volume_band", "new"] if scored.day else ["sex", "region"]
        assert slice_by(scored, by, **arguments) == slice_by(shuffled, by, **arguments)


@given(st.integers(-8, 8))
@settings(max_examples=17, deadline=None)
def test_wape_has_no_unit(exponent):
    """Powers of two scale floats exactly, so even the bits agree."""
    scored, factor = table(days=10, per_day=20), 2.0**exponent
    scaled = scored.replacing(actual=scored.role("truth") * factor, units=scored.role("answer") * factor)
    assert single(METRICS["wape"], scored, replicates=200) == single(METRICS["wape"], scaled, replicates=200)
    mae, scaled_mae = single(METRICS["mae"], scored, replicates=200), single(METRICS["mae"], scaled, replicates=200)
    assert scaled_mae.low == pytest.approx(mae.low * factor)


@given(st.sampled_from(["wape", "mae", "rmse"]), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_same_seed_same_numbers_and_the_interval_holds_the_value(name, seed):
    scored = table(days=14, per_day=20)
    found = compare(scored, scored.answering("best_simple"), metric=METRICS[name], replicates=300, seed=seed)
    again = compare(scored, scored.answering("best_simple"), metric=METRICS[name], replicates=300, seed=seed)
    assert found == again
    assert found.relative.low <= found.relative.value <= found.relative.high
    assert found.relative.value == pytest.approx(found.first.value / found.second.value - 1)


def test_an_answer_compared_with_itself_is_exactly_the_same():
    scored = table()
    found = compare(scored, scored, metric=METRICS["rmse"]).relative
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_pairing_sees_what_two_separate_intervals_cannot():
    """A small, steady gain on every day: separate intervals overlap, the paired one is clear."""
    scored = table(days=24, per_day=200)
    miss = scored.role("answer") - scored.role("truth")
    better = scored.replacing(units=scored.role("truth") + 0.97 * miss)
    found = compare(better, scored, metric=METRICS["wape"])
    assert found.first.high > found.second.low
    assert found.relative.high < 0
    assert found.relative.value == pytest.approx(-0.03)


def test_many_blocks_are_drawn_as_counts_with_the_same_result():
    """Rows as blocks with 0/1 outcomes: drawing distinct blocks by count agrees with theory."""
    hits = (np.random.default_rng(0).random(5000) < 0.3).astype(float)[:, None]
    over = Ratios(top=hits, bottom=np.ones_like(hits), n=np.array([5000]), bounds=(0.0, 1.0))
    found, share = resample(over, replicates=4000).interval(0), hits.mean()
    half = 1.96 * np.sqrt(share * (1 - share) / 5000)
    assert found.high - share == pytest.approx(half, rel=0.08)
    assert share - found.low == pytest.approx(half, rel=0.08)


def test_too_few_days_have_no_interval_and_say_so():
    one = single(METRICS["wape"], table(days=1))
    assert np.isfinite(one.value)
    assert one.why == "too few days (1) to say how sure"
    assert single(METRICS["wape"], table(days=7)).why == "too few days (7) to say how sure"
    assert single(METRICS["wape"], table(days=8)).known


def test_flawless_answers_have_a_flat_interval():
    scored = table()
    flawless = scored.replacing(units=scored.role("truth"))
    found = compare(flawless, scored, metric=METRICS["wape"])
    assert (found.first.value, found.first.low, found.first.high) == (0.0, 0.0, 0.0)
    assert found.relative.value == -1.0
    assert found.relative.high < 0


def test_undefined_metric_has_a_reason():
    nothing = table().replacing(actual=np.zeros(len(table())))
    assert "undefined" in single(METRICS["wape"], nothing).estimate("wape").why


def test_no_group_is_dropped_silently():
    scored = table(days=24, per_day=60)
    band = scored.labels("volume_band").astype("U20")
    band[:5] = "rare"
    band[5:9] = ""
    alike = {"one": np.full(len(band), "Größe 中"), "empty": np.full(len(band), np.nan)}
    scored = scored.replacing(volume_band=band, **alike)
    found = slice_by(scored, ["volume_band", "new", "one", "empty"], metric=METRICS["wape"])
    named = {f"{g.by} = {g.name}" for g in found.groups} | {line.rpartition(":")[0] for line in found.not_assessed}
    assert {"volume_band = rare", "volume_band = (missing)", "one = Größe 中", "new = yes", "new = no"} <= named
    assert "volume_band = rare: 5 rows, fewer than 200" in found.not_assessed
    assert any(line.startswith("one: only one group") for line in found.not_assessed)
    assert sum(g.metric.n for g in found.groups if g.by == "volume_band") == len(band) - 9


def test_common_rows_by_key_in_any_order():
    scored = table(days=8, per_day=10)
    other = scored.subset(np.arange(len(scored))[::-1][:50])
    first, second = on_common_rows(scored, other)
    assert len(first) == len(second) == 50
    assert first.column("product").tolist() == second.column("product").tolist()
    none, _ = on_common_rows(scored, other.replacing(date=other.column("date") + 365))
    assert len(none) == 0
    with pytest.raises(UsageError, match="not scored on the same rows"):
        on_common_rows(scored, scored.replacing(actual=scored.role("truth") + 1))
    with pytest.raises(UsageError, match="same key"):
        on_common_rows(scored, scored.replacing(product=np.full(len(scored), "one")))


def test_wrong_names_are_told_with_the_right_ones():
    with pytest.raises(NotFound, match=r"wape\?"):
        metric_named("wap")
    with pytest.raises(NotFound):
        metric_named("bias", comparable=True)
    with pytest.raises(NotFound, match="best_simple"):
        table().answering("best_simpel").role("answer")
    with pytest.raises(UsageError, match="length"):
        Scored(columns={"y": np.zeros(2), "f": np.zeros(3), "d": np.zeros(2)}, truth="y", answer="f", day="d")


def test_a_rare_share_still_has_an_honest_interval():
    """None in 46 rows: resampling days would say exactly 0, Wilson says up to 7.7%."""
    scored = table(days=23, per_day=2)
    none = scored.replacing(actual=np.ones(46), units=np.zeros(46))
    assert single(METRICS["accuracy"], none).high == pytest.approx(0.0771, abs=5e-5)
    few = np.zeros(46)
    few[:2] = 1.0
    bunched = single(METRICS["accuracy"], none.replacing(units=few))
    assert bunched.known
    assert bunched.high > 0.15  # both on one day: worth one, not two


def test_slices_are_joint_and_so_wider_than_one_group_alone():
    scored = table()
    for group in slice_by(scored, ["volume_band", "new"], metric=METRICS["wape"]).groups:
        alone = single(METRICS["wape"], scored.subset(scored.labels(group.by) == group.name))
        assert "joint" in group.metric.method
        assert group.metric.value == pytest.approx(alone.value)
        assert group.metric.high - group.metric.low > alone.high - alone.low


def test_the_error_of_a_difference_uses_the_pairing():
    scored = table()
    near = scored.replacing(units=scored.role("answer") + 0.01)
    drawn = resample(ratios(METRICS["wape"], [scored, near]), [(0, 1)], replicates=200)
    assert drawn.error[2] < 0.1 * drawn.error[0]
