"""A holdout of a few days or clusters: every gate that measures says uncertain, and what it would take; none passes or fails."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pytest

from lockgate import gates
from lockgate.declare import Gate
from lockgate.evaluation.bca import bca
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.scored import Scored
from lockgate.gates.history import History, Measured, definition
from lockgate.records.evidence import Estimate, Verdict
from lockgate.testing.gates import measure, verdict

FIRST = np.datetime64("2026-01-05")
EACH = 150


def median_miss(scored: Scored) -> Interval:
    """Median miss"""
    return bca(scored, lambda t: float(np.median(np.abs(t.role("truth") - t.role("score")))), replicates=100)


def stated(scored: Scored) -> Estimate:
    """Share that somebody is sure of"""
    days = len(np.unique(scored.column("d")))
    return Estimate(name="own", value="0.2", low="0.19", high="0.21", n=len(scored), blocks=days)


MEASURED: Mapping[str, Gate] = {
    "accuracy": gates.quality("accuracy", at_least=0.6),
    "auc": gates.quality("auc", at_least=0.6),
    "ece": gates.quality("ece", at_most=0.3),
    "ratchet": gates.ratchet("brier", tolerance="0.5"),
    "champion": gates.champion("mae", margin=0.5),
    "superior": gates.champion("mae", mode="superior"),
    "beats_baseline": gates.beats_baseline(baseline="simple", metric="mae"),
    "interval_coverage": gates.interval_coverage(0.9, 0.09),
    "calibration": gates.calibration(0.3, min_slope=0.3, max_slope=3),
    "representation": gates.representation("sex", {"f": "0.5", "m": "0.5"}, tolerance=0.2),
    "custom": gates.custom(median_miss, at_most=0.9),
    "custom, as stated": gates.custom(stated, at_most=0.9, name="stated"),
}


def holdout(days: int, *, unit: str = "day", seed: int = 0) -> Scored:
    """Probabilities that come true as often as they say, and a release that every gate passes with enough days."""
    random, rows = np.random.default_rng(seed), days * EACH
    odds = random.normal(0, 2, rows)
    p = 1 / (1 + np.exp(-odds))
    truth = (random.random(rows) < p).astype(float)
    inside = random.random(rows) < 0.9
    columns = {
        "d": FIRST + np.arange(rows) % days, "customer": (np.arange(rows) % days).astype(str), "y": truth, "a": (p > 0.5).astype(float), "p": p,
        "simple": 1 - truth, "lo": np.where(inside, -1.0, 2.0), "hi": np.full(rows, 3.0), "sex": random.choice(["f", "m"], rows),
    }  # fmt: skip
    side = {"day": "d"} if unit == "day" else {"cluster": "customer"}
    return Scored(columns=columns, truth="y", answer="a", score="p", low="lo", high="hi", **side)


def said(name: str, scored: Scored) -> Verdict:
    past = Measured(
        release="sha256:1", approved=dt.date(2026, 1, 1), metric="brier", value="0.2", definition=definition(METRICS["brier"]), holdout="sha256:2"
    )  # fmt: skip
    worse = scored.replacing(
        a=np.where(np.arange(len(scored)) % 3 == 0, 1 - scored.role("answer"), scored.role("answer"))
    )
    gate = MEASURED[name]
    return verdict(gate, measure(gate, {"scored": scored, "champion": worse, "replayed": None, "history": History(measured=(past,))}))  # fmt: skip


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize(("days", "unit"), [(1, "day"), (2, "day"), (7, "day"), (3, "cluster")])
def test_few_days_decide_nothing(name: str, days: int, unit: str) -> None:
    found = said(name, holdout(days, unit=unit))
    unit = "day" if name == "custom, as stated" else unit  # it counts days itself
    assert found.outcome == "uncertain"
    many = f"{days} {unit}{'s' * (days != 1)}"
    assert f"rows over {many} are too few {unit}s to say how sure that is: at least 8 are needed." in found.reason
    assert found.settles.startswith(f"{8 - days} more {unit}")


@pytest.mark.parametrize("name", MEASURED)
def test_the_same_release_on_enough_days_passes(name: str) -> None:
    assert said(name, holdout(24)).outcome == "pass"


def test_a_release_that_answers_as_the_live_one_does_is_no_worse_on_any_number_of_days() -> None:
    gate, scored = gates.champion("mae"), holdout(2)
    assert verdict(gate, measure(gate, {"scored": scored, "champion": scored})).outcome == "pass"


def test_what_cannot_be_measured_at_all_still_fails() -> None:
    scored = holdout(3).replacing(p=np.full(3 * EACH, np.nan))
    for name in ("auc", "ece", "calibration"):
        assert said(name, scored).outcome == "fail"


def test_a_group_on_few_days_is_not_judged_for_its_calibration() -> None:
    scored = holdout(20)
    few = np.isin(scored.column("d"), FIRST + np.arange(3))
    gate = gates.calibration(0.3, min_slope=0.3, max_slope=3, by=["sex"], min_n=100)
    found = measure(gate, {"scored": scored.replacing(sex=np.where(few, "f", "m"))})
    assert "sex = f: rows on 3 days, fewer than 8" in found.not_assessed
    assert {g.group for g in found.groups} == {"yes", "m"}


def test_training_rows_of_few_days_are_named_and_the_holdout_is_judged() -> None:
    gate = MEASURED["representation"]
    found = verdict(gate, measure(gate, {"scored": holdout(24), "replayed": holdout(3)}))
    assert found.outcome == "pass"
    assert "sex in training: f (too few days (3) to say how sure)" in found.reason


def test_a_holdout_of_few_days_is_not_judged_by_its_training_rows() -> None:
    gate = MEASURED["representation"]
    assert verdict(gate, measure(gate, {"scored": holdout(3), "replayed": holdout(24)})).outcome == "uncertain"
