"""A plan from evidence says how often the same gate passes, fails and stays uncertain on tables like that one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from lockgate import gates
from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.evaluation.comparison import compare
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.resampling import single
from lockgate.evaluation.scored import Scored
from lockgate.gates.planning import GatePlan, of_evidence, of_numbers
from lockgate.gates.rules import judge, limits_of
from lockgate.records.evidence import Estimate, Evidence
from lockgate.testing.gates import measure, verdict
from lockgate.testing.oracle import two_classifiers
from lockgate.testing.scored import scored_table


def planned(gate: Gate, **inputs: object) -> GatePlan:
    return of_evidence(gate.name, gate.rule, limits_of(gate.rule, gate.limits), measure(gate, inputs))


def shares(yes: int, rows: int) -> Scored:
    """Answers of which so many are right."""
    truth = (np.arange(rows) < yes).astype(float)
    return Scored(columns={"y": truth, "a": np.ones(rows)}, truth="y", answer="a")


def test_the_gate_does_what_its_plan_says() -> None:
    """Accuracy at least 70% on 800 rows: many tables at true values that the plan shows, beside the plan."""
    gate, runs = gates.quality("accuracy", at_least=0.7), 100
    plan = planned(gate, scored=shares(560, 800))
    random = np.random.default_rng(3)
    for row in plan.rows[::2]:
        said = Counter(quickly(gate, shares(int(random.binomial(800, row.true)), 800)) for _ in range(runs))
        expected = (row.chances.passes, row.chances.uncertain, row.chances.fails)
        seen = tuple(said[outcome] / runs for outcome in ("pass", "uncertain", "fail"))
        assert seen == pytest.approx(
            expected, abs=0.14
        )  # three standard errors of so many runs; the spread depends on the true share


def quickly(gate: Gate, scored: Scored) -> str:
    """The gate's verdict, by a tenth of the resamples that a release is worth."""
    found = single(METRICS["accuracy"], scored, replicates=999).estimate("accuracy", "share")
    return verdict(gate, Evidence(gate=gate.name, kind="quality", statistic=found)).outcome


def test_half_the_days_resolve_less_by_the_root_of_two() -> None:
    gate = gates.quality("mae", at_most=2)
    many, few = (planned(gate, scored=scored_table(days=d, seed=2)) for d in (200, 100))
    assert few.resolves is not None
    assert many.resolves is not None
    assert few.resolves / many.resolves == pytest.approx(2**0.5, rel=0.15)
    assert many.unit == "days"


def test_every_measured_gate_has_a_plan_and_counts_have_none() -> None:
    scored = scored_table(days=60)
    other = scored.replacing(units=scored.role("answer") * 1.01)
    given = {"scored": scored, "champion": other, "replayed": None}
    measured = [
        gates.beats_baseline(), gates.champion(margin=0.02), gates.champion(mode="superior"), gates.slices(by=["volume_band"]),
        gates.interval_coverage(nominal=0.9, tolerance=0.1), gates.champion_slices(by=["volume_band"], margin=0.02),
        gates.representation("volume_band", {"low": 0.3, "mid": 0.3, "high": 0.4}),
    ]  # fmt: skip
    for gate in measured:
        plan = planned(gate, **given)
        assert len(plan.rows) == 5, plan
        for row in plan.rows:
            found = row.chances
            assert found.passes + found.uncertain + found.fails == pytest.approx(1)
        assert plan.rows[0].chances.passes > plan.rows[-1].chances.passes
        assert plan.rows[0].chances.fails < plan.rows[-1].chances.fails
    assert planned(gates.enough_good_data(), **given).why == "a count is exact"
    assert (
        planned(gates.champion(), scored=scored, champion=None).why
        == "when it was judged last, there is no live release yet"
    )


def test_no_number_of_rows_lets_an_equal_release_prove_itself_better() -> None:
    """A margin of nothing is never kept by a release that is only as good; the plan asks for the difference that would do."""
    scored = scored_table(days=60)
    plan = planned(gates.beats_baseline(), scored=scored)
    at_limit = next(r for r in plan.rows if r.where == "the limit")
    assert at_limit.true == 0
    assert at_limit.chances.passes == pytest.approx(0.025)
    assert plan.needed_at is not None
    assert plan.needed_at < 0


def test_the_champion_gate_does_what_a_plan_from_numbers_says() -> None:
    """Accuracy .5, so that a margin of 1% is half a point: a plan in points would promise 71% where the gate passes 24%."""
    rows, accuracy, discordance, margin, runs = 5_000, 0.5, 0.08, 0.01, 150
    plan = of_numbers(rows=rows, limit=margin, discordance=discordance, accuracy=accuracy)
    easy = plan.rows[0].chances
    gate, said = gates.champion("accuracy", margin=margin), Counter[str]()
    for seed in range(runs):
        release, live = two_classifiers(rows, accuracy=accuracy, discordant=discordance, gain=0.0, seed=seed)
        found = compare(release, live, metric=METRICS["accuracy"], replicates=400).relative
        evidence = measure(gate, {"scored": release.subset(np.arange(20)), "champion": live.subset(np.arange(20))})
        said[verdict(gate, replace(evidence, statistic=found.estimate("relative_difference", "share"))).outcome] += 1
    assert easy.passes == pytest.approx(0.236, abs=0.01)
    assert said["pass"] / runs == pytest.approx(easy.passes, abs=0.11)  # three standard errors
    assert plan.reads == "harm"
    assert [round(row.true, 4) for row in plan.rows] == [0, 0.005, 0.01, 0.015, 0.02]


@pytest.mark.parametrize(
    "numbers",
    [
        {"rows": None, "limit": 0.1, "rate": 0.3},
        {"rows": 100, "limit": None, "rate": 0.3},
        {"rows": 100, "limit": 0.1},
        {"rows": 100, "limit": 0.1, "rate": 0.3, "spread": 1.0},
        {"rows": 1, "limit": 0.1, "rate": 0.3},
        {"rows": 100, "limit": float("nan"), "rate": 0.3},
        {"rows": 100, "limit": 0.1, "rate": 1.0},
        {"rows": 100, "limit": 0.1, "rate": 0.3, "groups": 0},
        {"rows": 100, "limit": 0.0, "rate": 0.3, "groups": 2},
        {"rows": 100, "limit": 0.1, "spread": 0.0},
        {"rows": 100, "limit": 0.1, "discordance": 0.1, "accuracy": 0.8, "groups": 2},
        {"rows": 100, "limit": 0.1, "rate": 0.3, "accuracy": 0.8},
        {"rows": 100, "limit": 2.0, "rate": 0.4, "groups": 2},
        {"rows": 100, "limit": 1.0, "rate": 0.4},
        {"rows": 100, "limit": -0.1, "rate": 0.4},
        {"rows": 100, "limit": 0.01, "discordance": 0.08},
        {"rows": 100, "limit": -0.01, "discordance": 0.08, "accuracy": 0.85},
        {"rows": 100, "limit": 1.0, "discordance": 0.08, "accuracy": 0.85},
        {"rows": 100, "limit": 0.01, "discordance": 0.08, "accuracy": 1.0},
        {"rows": 100, "limit": 0.01, "discordance": 0.4, "accuracy": 0.85},
    ],
)
def test_impossible_numbers_are_told(numbers: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="plan|impossible|need"):
        of_numbers(**{"rows": None, "limit": None, **numbers})


def test_limits_of_a_rule_may_be_optional() -> None:
    assert limits_of("within", {"at_least": "0.7"}) == {"at_least": Decimal("0.7")}
    with pytest.raises(UsageError):
        limits_of("bounded", {})


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_a_ratchet_fails_as_often_as_is_planned(better: str) -> None:
    """The best number has an interval of its own, and only beyond it a release fails: 2,000 draws at each value shown."""
    sign, error, runs = (1 if better == "lower" else -1), 0.05, 2_000

    def told(name: str, value: float) -> Estimate:
        low, high = (f"{value + side * 1.959964 * error:.9f}" for side in (-1, 1))
        return Estimate(name=name, value=f"{value:.9f}", low=low, high=high, n=1000)

    def evidence(value: float) -> Evidence:
        return Evidence(
            gate="ratchet", kind="ratchet", statistic=told("m", value), also=(told("best_approved", 1.0),),
            params={"words": "it", "better": better, "release": "sha256:1234", "approved": "2026-01-02"},
        )  # fmt: skip

    limits = {"tolerance": Decimal("0.05")}
    random = np.random.default_rng(4)
    for row in of_evidence("ratchet", "no_step_back", limits, evidence(1.0)).rows:
        drawn = row.true + error * random.standard_normal(runs)
        said = Counter(judge(evidence(v), "no_step_back", {"tolerance": "0.05"}).outcome for v in drawn.tolist())
        planned_shares = (row.chances.passes, row.chances.uncertain, row.chances.fails)
        seen = tuple(said[outcome] / runs for outcome in ("pass", "uncertain", "fail"))
        assert seen == pytest.approx(planned_shares, abs=3 * 0.5 / runs**0.5)
    assert sign * (row.true - 1) > 0  # the last value shown is a step back
