"""A pass speaks for every column that was asked for: one that could not be judged leaves the gate open, beside any other."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate import gates
from lockgate.declare import Gate
from lockgate.evaluation.intervals import Interval, wilson
from lockgate.evaluation.scored import Scored
from lockgate.records.evidence import Verdict
from lockgate.testing.gates import measure, verdict

ROWS = 8_000


def people(*, women: int) -> Scored:
    """Nobody is treated otherwise; `thin` has so many of one group, `race` two halves, `ids` a group per row."""
    chance, at = np.random.default_rng(0), np.arange(ROWS)
    score = chance.uniform(0.05, 0.95, ROWS)
    inside = chance.random(ROWS) < 0.8
    columns = {
        "thin": np.where(at < women, "woman", "man"), "race": np.where(at % 2, "a", "b"), "ids": at.astype("U8"),
        "one": np.full(ROWS, "x"), "truth": (chance.random(ROWS) < score).astype(float),
        "yhat": (chance.random(ROWS) < score).astype(float), "score": score,
        "low": np.full(ROWS, -1.0), "high": np.where(inside, 2.0, -0.5),
    }  # fmt: skip
    return Scored(columns=columns, truth="truth", answer="yhat", score="score", low="low", high="high")


def decide(gate: Gate, scored: Scored) -> Verdict:
    given = {"scored": scored, "champion": scored}
    return verdict(gate, measure(gate, given))


def gates_by(column: str) -> list[Gate]:
    by = [column, "race"]
    return [
        gates.fairness("selection_rate", by, 0.2),
        gates.fairness("selection_rate", by, 0.2, crossed=2, name="fairness_crossed"),
        gates.fairness("tpr", by, min_ratio=0.7),
        gates.error_parity("mae", by, 1.5),
        gates.slices("brier", by, 2),
        gates.bounded_loss("mae", by, 0.9),
        gates.group_bias(by, 0.5),
        gates.champion_slices("accuracy", by, 0.05),
        gates.calibration(0.1, by=by, min_slope=0.5, max_slope=2),
        gates.interval_coverage(0.8, 0.15, by=by),
    ]


NAMES = [gate.name for gate in gates_by("thin")]


@pytest.mark.parametrize("at", range(len(NAMES)), ids=NAMES)
@pytest.mark.parametrize("column", ["thin", "ids"])
def test_a_column_that_could_not_be_judged_is_no_pass(column: str, at: int) -> None:
    gate = gates_by(column)[at]
    found = decide(gate, people(women=99))
    if (column, gate.evidence) in JUDGES_ALONE:
        assert found.outcome == "pass"  # each group by itself, so that the men can be judged without the women
        return
    assert found.outcome == "uncertain"
    assert f" of {column} could be judged. " in found.reason.split("Not judged")[0]
    assert f"More rows of the groups of {column}" in found.settles
    assert "Not judged: " in found.reason


JUDGES_ALONE = [
    ("thin", f"lockgate.gates.evidence.{kind}:evidence") for kind in ("champion_slices", "calibration", "group_errors")
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(NAMES)), ids=NAMES)
def test_its_twin_with_enough_women_passes(at: int) -> None:
    assert decide(gates_by("thin")[at], people(women=3_000)).outcome == "pass"


@pytest.mark.parametrize("gate", [gates.fairness("selection_rate", ["one", "race"], 0.2), gates.slices("mae", ["one", "race"])])  # fmt: skip
def test_a_column_of_one_group_compares_nobody(gate: Gate) -> None:
    assert decide(gate, people(women=3_000)).outcome == "uncertain"


def test_a_population_of_other_names_is_a_fail() -> None:
    """Shares below the tolerance would pass: nobody of them is there, and nearly nobody is asked for."""
    found = decide(gates.representation("race", {"A": 0.03, "B": 0.02}), people(women=0))
    assert found.outcome == "fail"
    assert "no row is of a group that the reference population names (A, B; there: a, b)" in found.reason
    assert decide(gates.representation("race", {"a": 0.5, "B": 0.02}), people(women=0)).outcome == "pass"


def far_off(scored: Scored, *, by: list[str]) -> Interval:
    """Share of answers that miss"""
    assert by
    return wilson(int((scored.role("truth") != scored.role("answer")).sum()), len(scored))


def test_an_own_gate_may_call_anything_by() -> None:
    assert decide(gates.custom(far_off, at_most=0.9, by=["race"]), people(women=0)).outcome == "pass"
