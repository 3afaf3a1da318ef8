"""What a gate is told beside its limits is looked at when it is declared, not when the holdout has been paid for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lockgate import Pipeline, gates
from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.evaluation import metrics
from lockgate.gates.arguments import COMPARABLE, METRICS, RATES
from lockgate.gates.policy import check_policy, parse_policy


def test_the_names_are_those_that_there_are() -> None:
    there = metrics.METRICS
    assert set(METRICS) == set(there)
    assert set(COMPARABLE) == {n for n, m in there.items() if m.better != "neither"}
    assert set(RATES) == {n for n, m in there.items() if m.bounds == metrics.SHARE}


@pytest.mark.parametrize(
    ("declare", "allowed"),
    [
        (lambda: gates.fairness("tprr", ["sex"]), "tpr?"),
        (lambda: gates.fairness("mae", ["sex"]), "selection_rate"),
        (lambda: gates.fairness("tpr", ["sex"], better="worse"), "'higher' or 'lower'"),
        (lambda: gates.fairness("tpr", ["sex"], on="both"), "'difference' or 'ratio'"),
        (lambda: gates.fairness("tpr", ["sex"], crossed="2"), "2 or 3"),
        (lambda: gates.fairness("tpr", ["sex"], crossed=0), "2 or 3"),
        (lambda: gates.fairness("tpr", ["sex"], crossed=9), "2 or 3"),
        (lambda: gates.fairness("tpr", ["sex"], crossed=True), "2 or 3"),
        (lambda: gates.fairness("tpr", ["sex"], min_n="100"), "a whole number of rows from 1 on"),
        (lambda: gates.fairness("tpr", ["sex"], min_n=0), "a whole number of rows from 1 on"),
        (lambda: gates.fairness("tpr", ["sex"], min_n=0.5), "a whole number of rows from 1 on"),
        (lambda: gates.fairness("tpr", ["sex", "sex"]), "each column once"),
        (lambda: gates.fairness("tpr", ["sex", ""]), "texts"),
        (lambda: gates.fairness("tpr", [7]), "texts"),
        (lambda: gates.error_parity("maee", ["sex"]), "mae?"),
        (lambda: gates.error_parity("bias", ["sex"]), "mae"),
        (lambda: gates.error_parity("mae", ["sex"], min_n=-1), "a whole number of rows from 1 on"),
        (lambda: gates.bounded_loss("wap", ["sex"], 9), "wape?"),
        (lambda: gates.bounded_loss("wape", ["sex"], 9, crossed=4), "2 or 3"),
        (lambda: gates.group_bias(["sex"], 0.1, crossed=0), "2 or 3"),
        (lambda: gates.group_bias(["sex", "sex"], 0.1), "each column once"),
        (lambda: gates.calibration(by=["sex"], min_n=0), "a whole number of rows from 1 on"),
        (lambda: gates.slices("wap", ["sex"]), "wape?"),
        (lambda: gates.slices("wape", ["sex"], min_n="200"), "a whole number of rows from 1 on"),
        (lambda: gates.champion("wap"), "wape?"),
        (lambda: gates.champion_slices("wap", ["sex"]), "wape?"),
        (lambda: gates.champion_slices("wape", ["sex"], min_n=0), "a whole number of rows from 1 on"),
        (lambda: gates.beats_baseline(metric="selection_rate"), "accuracy"),
        (lambda: gates.ratchet("wap"), "wape?"),
        (lambda: gates.quality("auk", at_least=0.7), "auc?"),
        (lambda: gates.interval_coverage(0.8, by=["sex"], min_n=0), "a whole number of rows from 1 on"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_told_with_what_is_allowed(declare: Callable[[], object], allowed: str) -> None:
    with pytest.raises(UsageError) as caught:
        declare()
    assert allowed in caught.value.allowed


@pytest.mark.parametrize(
    ("gate", "limit"),
    [
        (gates.quality("auc"), "at_least = 0.7"),
        (gates.bounded_loss("wape", ["shop"]), "at_most = 0.4"),
        (gates.group_bias(["shop"]), "max_bias = 0.1"),
        (gates.budget(), "p95_ms = 50"),
    ],
    ids=lambda value: value.name if isinstance(value, Gate) else "",
)
def test_a_gate_without_any_limit_is_told_where_it_may_stand(gate: Gate, limit: str) -> None:
    pipeline = Pipeline("p", kind="delivery", stages=[gate])
    with pytest.raises(UsageError) as caught:
        check_policy(parse_policy(""), pipeline)
    assert f"gate '{gate.name}' has no limit" in str(caught.value)
    assert f"policy.toml [limits.{gate.name}]" in caught.value.allowed
    check_policy(parse_policy(f"[limits.{gate.name}]\n{limit}"), pipeline)
