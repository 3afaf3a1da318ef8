"""What is resampled: days, clusters or single rows; each table says it, and everything that reads it follows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate import codecs
from lockgate.codecs import columns
from lockgate.errors import NotFound, UsageError
from lockgate.evaluation.attribution import mean_of_answers
from lockgate.evaluation.blocks import AT_MOST, blocks_of
from lockgate.evaluation.comparison import compare, on_common_rows
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.movement import compared
from lockgate.evaluation.resampling import single
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import slice_by
from lockgate.evaluation.summary import summary
from lockgate.gates.evidence import beats_baseline, champion, enough_good_data, interval_coverage, slices
from lockgate.gates.rules import judge
from lockgate.records.evidence import Estimate, Evidence
from lockgate.records.wire import from_json, to_json
from lockgate.release.demands import limits
from lockgate.release.wording import size


def people(rows: int = 400, *, seed: int = 0, clusters: int | None = None, **more: str) -> Scored:
    """Yes-or-no outcomes; with clusters, all rows of one share its luck."""
    random = np.random.default_rng(seed)
    who = np.arange(rows) % (clusters or rows)
    luck = random.random(clusters or rows)
    truth = (luck[who] < 0.4).astype(float)
    right = random.random(clusters or rows)[who] < 0.8
    return Scored(
        columns={
            "id": np.array([f"Ä{i}" for i in range(rows)]),
            "customer": np.array([f"c{w}" for w in who]),
            "repaid": truth,
            "yes": np.where(right, truth, 1 - truth),
            "simple": np.zeros(rows),
            "amount": random.gamma(2.0, 3.0, rows),
            "guess": random.gamma(2.0, 3.0, rows),
            "sex": random.choice(["f", "m"], rows),
            "new": random.random(rows) < 0.5,
        },
        **{"truth": "repaid", "answer": "yes", "keys": ("id",), "cluster": "customer" if clusters else None, **more},
    )  # fmt: skip


def amounts(rows: int = 400, **more) -> Scored:
    return people(rows, truth="amount", answer="guess", **more)


# ── intervals ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rows", [400, 5000])
def test_single_rows_agree_with_theory(rows):
    found = single(METRICS["accuracy"], people(rows))
    half = 1.96 * np.sqrt(found.value * (1 - found.value) / rows)
    assert found.value - found.low == pytest.approx(half, rel=0.1)
    assert found.high - found.value == pytest.approx(half, rel=0.1)
    assert (found.n, found.blocks, found.unit, found.units) == (rows, 0, "row", rows)
    assert found.method.startswith("bootstrap-t over single rows")


def test_many_rows_that_all_differ_are_dealt_into_blocks_with_the_same_error():
    scored = amounts(20_000)
    assert blocks_of(scored, *METRICS["mae"].rows(scored)).number == AT_MOST
    found, miss = single(METRICS["mae"], scored), np.abs(scored.role("truth") - scored.role("answer"))
    half = 1.96 * miss.std() / np.sqrt(len(miss))
    assert found.value == pytest.approx(miss.mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


def test_rows_of_a_cluster_count_for_less():
    """Ten equal rows per customer are worth one: the interval is about sqrt(10) times as wide."""
    scored = people(4000, clusters=400)
    alone = single(METRICS["accuracy"], Scored(columns=scored.columns, truth="repaid", answer="yes"))
    together = single(METRICS["accuracy"], scored)
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(10), rel=0.12)
    assert (together.blocks, together.unit, together.n) == (400, "cluster", 4000)


def test_many_clusters_are_dealt_and_still_counted():
    found = single(METRICS["mae"], amounts(20_000, clusters=5000))
    assert (found.blocks, found.unit) == (5000, "cluster")


@given(st.randoms(use_true_random=False), st.sampled_from([30, 300, 2500]), st.sampled_from([None, 20]))
@settings(max_examples=12, deadline=None)
def test_permuting_rows_changes_no_byte(random, rows, clusters):
    order = list(range(rows))
    random.shuffle(order)
    for scored, name in ((people(rows, clusters=clusters), "accuracy"), (amounts(rows, clusters=clusters), "wape")):
        shuffled, metric = scored.subset(np.array(order)), METRICS[name]
        arguments = {"metric": metric, "min_n": 5, "min_days": 2, "replicates": 200}
        assert single(metric, scored, replicates=200) == single(metric, shuffled, replicates=200)
        assert slice_by(scored, ["sex", "new"], **arguments) == slice_by(shuffled, ["sex", "new"], **arguments)
        other = scored.answering("simple"), shuffled.answering("simple")
        assert compare(scored, other[0], metric=metric) == compare(shuffled, other[1], metric=metric)


def test_pairs_of_rows_stay_pairs():
    """A small steady gain on every row is seen although the two answers' own intervals overlap."""
    scored = amounts(300)
    miss = scored.role("answer") - scored.role("truth")
    better = scored.replacing(guess=scored.role("truth") + 0.97 * miss)
    found = compare(better, scored, metric=METRICS["mae"])
    assert found.first.high > found.second.low
    assert found.relative.high < 0


def test_a_split_of_a_change_draws_rows():
    scored = amounts(300)
    total, parts = mean_of_answers({frozenset(): scored, frozenset(["data"]): scored.answering("amount")}, ["data"])
    assert total == parts["data"]
    assert total.method.startswith("expanded percentiles over single rows")
    assert total.low < total.value < total.high


@pytest.mark.parametrize(("rows", "why"), [(1, "too few rows (1)"), (7, "too few rows (7)")])
def test_too_few_rows_say_so(rows, why):
    assert single(METRICS["mae"], amounts(rows)).why.startswith(why)


def test_a_rare_share_of_rows_is_wilson():
    flawless = people(46).replacing(yes=people(46).role("truth"))
    found = single(METRICS["accuracy"], flawless)
    assert found.low == pytest.approx(1 - 0.0771, abs=5e-5)
    assert "too rare to resample rows" in found.method


# ── what is said ─────────────────────────────────────────────────────────────


def test_sentences_name_what_was_resampled():
    rows, whole = people(), people(4000, clusters=400)
    for scored, words in ((rows, "400 rows."), (whole, "4,000 rows over 400 clusters.")):
        statistic = single(METRICS["accuracy"], scored).estimate("accuracy", "share")
        found = Evidence(gate="right", kind="right", statistic=statistic, params={"words": "Accuracy"})
        assert judge(found, "at_least", {"at_least": "0.5"}).reason.endswith(words)
        near = f"{float(statistic.low) * 0.5 + float(statistic.value) * 0.5:.6g}"
        assert f"more {scored.unit}s of the same kind" in judge(found, "at_least", {"at_least": near}).settles
    assert "400 rows" in size(single(METRICS["accuracy"], rows).estimate("accuracy"))
    assert "on 400 clusters" in size(single(METRICS["accuracy"], whole).estimate("accuracy"))


def test_how_many_more_rows_would_settle_it():
    statistic = Estimate(name="x", value="0.86", low="0.83", high="0.89", n=400, unit="share")
    found = judge(Evidence(gate="x", kind="x", statistic=statistic), "at_least", {"at_least": "0.84"})
    assert (found.outcome, found.settles.split(" of the")[0]) == ("uncertain", "About 500 more rows")


def test_the_unit_travels_and_leaves_no_trace_with_days():
    whole = single(METRICS["accuracy"], people(4000, clusters=400)).estimate("accuracy")
    assert to_json(whole)["block"] == "cluster"
    assert from_json(Estimate, json.loads(json.dumps(to_json(whole)))) == whole
    assert "block" not in to_json(Estimate(name="wape", value="1", blocks=3))


def test_gates_on_rows_without_a_day():
    scored = people(2000)
    assert judge(beats_baseline.evidence(scored, baseline="simple", metric="accuracy"), "better", {}).outcome == "pass"
    same = judge(champion.evidence(scored, scored, metric="accuracy"), "not_worse", {})
    assert (same.outcome, "as no row differs" in same.reason) == ("pass", True)
    alike = judge(slices.evidence(scored, metric="accuracy", by=["sex", "new"]), "alike", {})
    assert alike.outcome == "pass"
    inside = scored.replacing(low=np.zeros(2000), high=np.full(2000, 0.5))
    inside = Scored(columns=inside.columns, truth="repaid", answer="yes", low="low", high="high")
    assert "2,000 rows." in judge(interval_coverage.evidence(inside), "nominal", {}).reason


def test_enough_good_data_without_a_day():
    scored = people(100)
    found = enough_good_data.evidence(scored)
    verdict = judge(found, "enough", {"min_rows": "100"})
    assert (verdict.outcome, verdict.reason) == ("pass", "Good rows: 100.")
    assert limits(verdict, found) == "at least 100 rows, none bad"
    wanted = judge(found, "enough", {"min_days": "2"})
    assert (wanted.outcome, wanted.reason) == ("fail", "Good rows: 100; 2 days are needed.")
    whole = enough_good_data.evidence(people(100, clusters=20))
    assert judge(whole, "enough", {}).reason == "Good rows: 100; different clusters: 20."


def test_a_row_without_its_cluster_cannot_be_judged():
    scored = people(100, clusters=20)
    unknown = scored.replacing(customer=np.where(np.arange(100) < 3, "", scored.column("customer")))
    assert unknown.complaint("truth") == "3 of 100 rows have no customer in 'customer' (first: id Ä0)"
    assert "3.0% of all rows are not good (3)" in judge(enough_good_data.evidence(unknown), "enough", {}).reason


def test_a_page_without_days():
    found = summary(amounts(500), ["sex"], metric="mae")
    assert (found["days"], found["by_horizon"]) == ([], [])
    assert found["holdout"] == {"rows": 500, "days": 0, "first": None, "last": None, "origins": 0}
    assert found["overall"]["low"] is not None


def test_answers_that_move_without_days():
    scored = amounts(50)
    found = compared(scored, scored.answering("amount"), ["sex"], metric="mae")
    assert (found["rows"], found["days"], found["first"]) == (50, 0, "")


# ── the table itself ─────────────────────────────────────────────────────────


def test_rows_are_matched_by_key_without_a_day():
    scored = people(50)
    first, second = on_common_rows(scored, scored.subset(np.arange(50)[::-1][:20]))
    assert first.column("id").tolist() == second.column("id").tolist()
    with pytest.raises(UsageError, match="the same truths in the same order"):
        on_common_rows(Scored(columns=scored.columns, truth="repaid", answer="yes"),
                       Scored(columns=scored.subset(np.arange(9)).columns, truth="repaid", answer="yes"))  # fmt: skip


def test_roles_that_are_not_there_say_what_would_have_them():
    for role, words in (("score", "probability"), ("scale", "naive error"), ("low", "interval")):
        with pytest.raises(NotFound, match=words):
            people().role(role)
    with pytest.raises(NotFound):
        people(cluster="custmoer")


def test_a_record_stored_before_there_were_clusters_is_read(tmp_path: Path):
    """As version 0.1 wrote it: seven fields, `day` among them."""
    days = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")
    old = {"truth": "y", "answer": "f", "day": "d", "low": None, "high": None, "keys": ["d"]}
    record = np.frombuffer(json.dumps(old).encode(), dtype=np.uint8)
    with (tmp_path / "old.npz").open("wb") as file:
        np.savez(file, **{columns.RECORD: record, "y": np.ones(2), "f": np.ones(2), "d": days})
    found = codecs.load("columns.npz", tmp_path / "old.npz", Scored)
    assert (found.unit, found.cluster, found.keys, found.score) == ("day", None, ("d",), None)


def test_a_table_of_rows_is_stored_and_read_back(tmp_path: Path):
    scored = people(9, score="amount")
    codecs.save("columns.npz", scored, tmp_path / "new.npz")
    found = codecs.load("columns.npz", tmp_path / "new.npz", Scored)
    assert (found.unit, found.day, found.score, found.column("id").tolist()) == (
        "row", None, "amount", scored.column("id").tolist(),
    )  # fmt: skip
