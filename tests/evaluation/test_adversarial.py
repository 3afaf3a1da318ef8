"""Inputs that break programs: each gives a number or a reason, never a traceback or a warning (warnings are errors here)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lockgate.evaluation.bca import bca
from lockgate.evaluation.calibration import calibration
from lockgate.evaluation.comparison import compare
from lockgate.evaluation.counts import counts_of, resampled_rates
from lockgate.evaluation.groups import group_gaps
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.multiplicity import adjusted
from lockgate.evaluation.resampling import single
from lockgate.evaluation.roc import auc, compare_auc
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import slice_by
from lockgate.evaluation.summary import summary
from lockgate.gates.evidence import beats_baseline, champion, enough_good_data, slices
from lockgate.gates.rules import judge
from lockgate.testing.scored import decided_table

N = 400


def people(rows: int = N, **columns) -> Scored:
    scored = decided_table(rows)
    scored = replace(scored, columns={**scored.columns, "scale": np.ones(rows)}, scale="scale")
    return scored.replacing(**{name: np.asarray(values) for name, values in columns.items()})


def spoiled(name: str, value: float) -> Scored:
    values = decided_table(N).column(name).copy()
    values[3] = value
    return people(**{name: values})


HOSTILE = {
    "no rows": people().subset(np.zeros(N, bool)),
    "one row": people(1),
    "two rows": people(2),
    "NaN truth": spoiled("repaid", np.nan),
    "infinite answer": spoiled("granted", np.inf),
    "NaN score": spoiled("probability", np.nan),
    "score beyond one": spoiled("probability", 1.5),
    "a half decision": spoiled("granted", 0.5),
    "one class": people(repaid=np.ones(N)),
    "no class": people(repaid=np.zeros(N)),
    "constant answer": people(granted=np.ones(N)),
    "constant score": people(probability=np.full(N, 0.5)),
    "certain scores": people(probability=decided_table(N).column("repaid")),
    "certain and wrong": people(probability=1 - decided_table(N).column("repaid")),
    "all right": people(granted=decided_table(N).column("repaid")),
    "zero scale": people(scale=np.zeros(N)),
    "one group": people(sex=np.full(N, "f")),
    "a group per row": people(sex=np.arange(N)),
    "an empty group name": people(sex=np.where(np.arange(N) % 2, "", "m")),
    "null groups": people(sex=np.where(np.arange(N) % 2, np.nan, 1.0)),
    "names in other scripts": people(sex=np.where(np.arange(N) % 2, "女 & 男 = x: y", "Ö\u202e\n😀")),
    "huge numbers": people(repaid=np.full(N, 1e308), granted=np.full(N, -1e308)),
    "tiny numbers": people(repaid=np.full(N, 5e-324), granted=np.zeros(N)),
    "doubled ids": people(person=np.full(N, "p0")),
    "clusters of one": replace(people(), cluster="person"),
    "one cluster": replace(people(family=np.full(N, "f")), cluster="family"),
}


def known_or_said(interval) -> None:
    assert interval.known or interval.why, interval
    if interval.known:
        assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_every_metric_has_a_number_or_a_reason(case, name):
    scored, metric = HOSTILE[case], METRICS[name]
    if why := metric.complaint(scored):
        assert why
        assert group_gaps(scored, ["sex"], metric=metric).largest.why == why
        return
    known_or_said(single(metric, scored, replicates=50))
    other = scored.answering("everybody")  # another answer has no score and no interval of this one's
    assert ("score" in metric.inputs or "low" in metric.inputs) == metric.complaint(other).startswith(
        "the scored table has no"
    )
    if not metric.complaint(other):
        found = compare(scored, other, metric=metric, replicates=50)
        for interval in (found.first, found.second, found.relative):
            assert interval.known or interval.why or not np.isfinite([interval.low, interval.high]).all()
    gaps = group_gaps(scored, ["sex", "region"], metric=metric, crossed=2, replicates=50)
    for gap in gaps.groups:
        known_or_said(gap.difference)
        known_or_said(gap.parity) if metric.bounds[0] == 0 else None
        assert gap.difference.high > gap.difference.low
    assert gaps.groups or gaps.not_assessed or gaps.overall.why
    known_or_said(gaps.largest)
    if metric.better != "neither":
        known_or_said(slice_by(scored, ["sex"], metric=metric, replicates=50).worst_over_best)


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_everything_else_has_a_number_or_a_reason(case):
    scored = HOSTILE[case]
    known_or_said(auc(scored))
    honest = calibration(scored, replicates=30)
    for interval in (honest.error, honest.slope, honest.intercept):
        known_or_said(interval)
    known_or_said(bca(scored, lambda t: float(np.median(t.role("truth"))) if len(t) else np.nan, replicates=30))
    for metric in ("accuracy", "tpr"):
        assert summary(scored, ["sex"], metric=metric)["overall"] is not None


@pytest.mark.parametrize("case", sorted(HOSTILE))
@pytest.mark.parametrize("metric", ["accuracy", "tpr", "log_loss", "mae"])
def test_every_gate_gives_a_verdict(case, metric):
    scored = HOSTILE[case]
    verdicts = [
        judge(beats_baseline.evidence(scored, baseline="everybody", metric=metric), "better", {}),
        judge(slices.evidence(scored, metric=metric, by=["sex"]), "alike", {}),
        judge(enough_good_data.evidence(scored, per="sex"), "enough", {}),
    ]
    if case != "doubled ids":
        verdicts.append(judge(champion.evidence(scored, scored, metric=metric), "not_worse", {}))
    for verdict in verdicts:
        assert verdict.outcome in ("pass", "fail", "uncertain")
        assert verdict.reason.endswith(".") or "Not judged" in verdict.reason


def test_the_same_scores_twice():
    found = compare_auc(people(), people())
    assert (found.difference.value, found.p_value) == (0.0, 1.0)


def test_unknown_p_values_stay_unknown():
    assert np.isnan(adjusted([0.01, np.nan])[1])
    assert adjusted([]).tolist() == []


def test_counts_of_nobody():
    counts = counts_of(people().subset(np.zeros(N, bool)), "sex")
    assert resampled_rates(counts, ["tpr"], replicates=5)["tpr"].shape == (5, 0)


def test_ten_million_rows():
    """Rates from counts: no resample of ten million rows is ever made."""
    rows = 10_000_000
    random = np.random.default_rng(0)
    truth = random.random(rows) < 0.3
    answer = truth ^ (random.random(rows) < 0.1)
    columns = {"y": truth, "f": answer, "g": random.integers(0, 5, rows)}
    scored = Scored(columns=columns, truth="y", answer="f")
    found = group_gaps(scored, ["g"], metric=METRICS["accuracy"], replicates=200)
    assert len(found.groups) == 5
    assert found.largest.value < 0.002
    assert found.overall.n == rows
