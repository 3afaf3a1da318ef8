"""Each group's own value: it needs no others, and all intervals hold at once as often as promised."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate import gates
from lockgate.evaluation.group_values import group_values
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.scored import Scored
from lockgate.testing.gates import measure

GROUPS = 4


def off(rows: dict[str, int], seed: int = 1) -> Scored:
    """Answers that miss by normal luck."""
    group = np.repeat(list(rows), list(rows.values()))
    missed = np.random.default_rng(seed).standard_normal(len(group))
    return Scored(columns={"y": np.full(len(group), 10.0), "a": 10 + missed, "g": group}, truth="y", answer="a")


@pytest.mark.parametrize("metric", ["mae", "bias"])
def test_a_large_group_is_judged_whatever_the_rest_is(metric: str) -> None:
    found = group_values(off({"large": 980, "few": 20}), ["g"], metric=METRICS[metric], min_n=200, replicates=999)
    assert [str(g) for g in found.groups] == ["g = large"]
    assert found.not_assessed == ("g = few: 20 rows, fewer than 200",)
    alone = group_values(off({"large": 980}), ["g"], metric=METRICS[metric], min_n=200, replicates=999)
    assert [str(g) for g in alone.groups] == ["g = large"]
    assert alone.not_assessed == ()


@pytest.mark.parametrize("gate", [gates.bounded_loss("mae", ["g"], 1), gates.group_bias(["g"], 1, relative=False)])
@pytest.mark.parametrize("rows", [{"large": 980, "few": 20}, {"large": 980}])
def test_the_gates_judge_it_too(gate, rows: dict[str, int]) -> None:
    assert [g.group for g in measure(gate, {"scored": off(rows)}).groups] == ["large"]


def missed(kind: str, metric: str, draws: int) -> float:
    """How often some group's interval misses the truth: of single rows, of 40 days, of 100 clusters; four groups of 200 rows or more."""
    number = {"row": 0, "day": 40, "cluster": 100}[kind]
    random, misses = np.random.default_rng(11), 0
    for draw in range(draws):
        rows = 1600
        group = random.integers(0, GROUPS, rows)
        block = random.integers(0, max(1, number), rows)
        luck = random.standard_normal(max(1, number))[block] if number else np.zeros(rows)
        columns = {"g": group.astype(str)}
        if metric == "accuracy":
            share = 0.7 + 0.1 * np.tanh(luck)
            columns |= {"y": np.ones(rows), "a": (random.random(rows) < share).astype(float)}
            truth = 0.7
        else:
            columns |= {"y": np.zeros(rows), "a": random.standard_normal(rows) + 0.5 * luck}
            truth = 0.0
        if kind == "day":
            columns["day"] = np.datetime64("2026-01-01") + block
        elif kind == "cluster":
            columns["who"] = block.astype(str)
        where = {"row": {}, "day": {"day": "day"}, "cluster": {"cluster": "who"}}[kind]
        scored = Scored(columns=columns, truth="y", answer="a", **where)
        found = group_values(scored, ["g"], metric=METRICS[metric], replicates=999, seed=draw)
        assert len(found.groups) == GROUPS
        misses += any(not g.metric.low <= truth <= g.metric.high for g in found.groups)
    return misses / draws


@pytest.mark.parametrize("metric", ["accuracy", "bias"])
@pytest.mark.parametrize("kind", ["row", "day", "cluster"])
def test_all_intervals_hold_at_once_as_often_as_promised(kind: str, metric: str) -> None:
    """Nominal 5%; three standard errors of so many draws above it."""
    draws = 40
    assert missed(kind, metric, draws) <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5
