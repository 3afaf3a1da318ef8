"""The fairness gates of the example on the three releases of its story, without an engine; and what a milder bar does."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lending.applications import applications
from lending.decide import decided
from lending.delivery import delivery
from lending.holdout import best_simple, holdout
from lending.split import judging, training
from lending.train import bar, booster, weights

from lockgate import gates
from lockgate.declare import Gate
from lockgate.evaluation.scored import Scored
from lockgate.gates.measure import called
from lockgate.gates.policy import parse_policy
from lockgate.gates.rules import judge
from lockgate.records.evidence import Evidence, Verdict
from lockgate.release.frames import columns

ROOT = Path(__file__).resolve().parents[2] / "examples" / "lending"
LIMITS = parse_policy((ROOT / "policy.toml").read_text()).limits
GATES = {s.name: s for s in delivery.stages if isinstance(s, Gate)}


def verdict(name: str, scored: Scored) -> tuple[Verdict, Evidence]:
    gate = GATES[name]
    evidence = called(gate, {"scored": scored})
    return judge(evidence, gate.rule, {**gate.limits, **LIMITS.get(name, {})}), evidence


@pytest.fixture(scope="module")
def scored_at(loanapp: Path):
    """The judging rows as a release decides them: `(reweigh, cost) → Scored`."""
    clean = applications(loanapp)
    learned = training(clean)
    table = holdout(judging(clean), best_simple(learned))
    trees = {reweigh: booster(learned, weights(learned, reweigh)) for reweigh in (False, True)}

    def at(reweigh: bool, cost: float) -> Scored:
        answered = table.hstack(decided(trees[reweigh], bar(cost), table))
        return Scored(columns=columns(answered), truth="actual", answer="approve", score="score")

    return at


def test_the_limits_are_what_the_policy_says() -> None:
    assert (LIMITS["four_fifths"]["min_ratio"], LIMITS["error_gap"]["max_difference"]) == (0.8, 0.1)
    assert {"race"} == {c for name in ("four_fifths", "error_gap") for c in GATES[name].params["by"]}


@pytest.mark.parametrize("reweigh", [False, True])
def test_the_first_two_releases_fail_both_questions(scored_at, reweigh: bool) -> None:
    for name in ("four_fifths", "error_gap"):
        found, _ = verdict(name, scored_at(reweigh, 6.0))
        assert found.outcome == "fail", found.reason
        assert "race: black" in found.reason


def test_the_sentence_of_the_first_release(scored_at) -> None:
    found, evidence = verdict("four_fifths", scored_at(False, 6.0))
    assert "black with 42.9%, against 81.0% of the group white, a ratio of 0.53" in found.reason
    counted = {g.group: g.estimate.extra["rows"] for g in evidence.groups}
    assert counted == {"black": 119, "hispanic": 76}


def test_better_than_the_rule_on_average_and_fewer_yeses_for_one_group(scored_at) -> None:
    """The first release: the gate on the average passes, and the one that looks at groups stops it. README, “The story”."""
    scored = scored_at(False, 6.0)
    average, evidence = verdict("beats_baseline", scored)
    assert average.outcome == "pass", average.reason
    assert float(evidence.statistic.low or 0) > 0.09
    assert verdict("four_fifths", scored)[0].outcome == "fail"

    def yes(answers: np.ndarray, race: str) -> float:
        return round(float(np.mean(answers[scored.labels("race") == race])), 3)

    rule, model = scored.columns["best_simple"], scored.role("answer")
    assert [yes(rule, race) for race in ("black", "white")] == [0.445, 0.707]
    assert [yes(model, race) for race in ("black", "white")] == [0.429, 0.81]


def test_between_the_choices_only_the_later_passes_by_shares(scored_at) -> None:
    """README, “The mend”: what the first choice of a bar, 1.5 to 1, was found to be on the judging rows."""
    shares, _ = verdict("four_fifths", scored_at(True, 1.5))
    assert "a ratio of 0.82; 95% interval 0.72 to 0.9," in shares.reason
    errors, _ = verdict("error_gap", scored_at(True, 1.5))
    assert "7.3 points higher; 95% interval 1.9 to 17.1 points higher" in errors.reason


def test_the_gate_that_is_not_there(scored_at) -> None:
    """README: calibration per race would judge the white applicants only, or fail for black ones on bins of twelve rows."""
    for reweigh, cost in ((False, 6.0), (True, 1.0)):
        for least, outcome in ((500, "uncertain"), (50, "fail")):
            gate = gates.calibration(by=["race"], min_n=least)
            evidence = called(gate, {"scored": scored_at(reweigh, cost)})
            found = judge(evidence, gate.rule, {"max_error": "0.05", "min_slope": "0.8", "max_slope": "1.25"})
            assert found.outcome == outcome, found.reason
            assert (least == 500) == ("race: black (119 rows, fewer than 500)" in found.reason)


def test_the_third_release_passes_by_shares_and_is_inside_by_errors_but_not_for_certain(scored_at) -> None:
    shares, _ = verdict("four_fifths", scored_at(True, 1.0))
    assert shares.outcome == "pass", shares.reason
    errors, evidence = verdict("error_gap", scored_at(True, 1.0))
    assert errors.outcome == "uncertain", errors.reason
    assert all(abs(float(g.estimate.value)) < 0.1 for g in evidence.groups)


def test_between_the_bars_nothing_is_decided(scored_at) -> None:
    for name in ("four_fifths", "error_gap"):
        assert verdict(name, scored_at(True, 1.5))[0].outcome == "uncertain"


def test_what_the_mend_costs(scored_at) -> None:
    """README, “The mend”: the share that is approved of those a lender refused, first and third release; and agreement."""
    first, third = scored_at(False, 6.0), scored_at(True, 1.0)
    refused = first.role("truth") == 0
    assert [round(float(np.mean(s.role("answer")[refused])), 2) for s in (first, third)] == [0.36, 0.86]
    assert [round(float(np.mean(s.role("answer") == s.role("truth"))), 3) for s in (first, third)] == [0.795, 0.892]


def test_without_any_black_applicant_nothing_is_silently_fair(scored_at) -> None:
    scored = scored_at(False, 6.0)
    without = scored.subset(scored.labels("race") != "black")
    _, evidence = verdict("four_fifths", without)
    assert [g.group for g in evidence.groups] == ["hispanic"]
    few = scored.subset(np.flatnonzero((scored.labels("race") != "black") | (np.arange(len(scored)) < 200)))
    _, evidence = verdict("four_fifths", few)
    assert any("black" in text for text in evidence.not_assessed)


def test_equal_decisions_pass(scored_at) -> None:
    """The gates can pass: the same decision for everybody whom a lender approved, and as many yeses in each race."""
    table = scored_at(False, 6.0)
    yes = np.arange(len(table)) % 10 < 9
    for race in ("black", "hispanic", "white"):
        rows = np.flatnonzero(table.labels("race") == race)
        yes[rows] = np.arange(len(rows)) % 20 < 19
    found, _ = verdict("four_fifths", table.replacing(approve=yes))
    assert found.outcome == "pass", found.reason


def test_published_base_rates_fail_four_fifths_themselves(loanapp: Path, scored_at) -> None:
    """The lenders' own decisions: 0.6751 of black applicants against 0.9084 of white ones, a ratio of 0.743."""
    clean = applications(loanapp).with_columns(
        approve=pl.col("approved") == 1, actual=pl.col("approved").cast(pl.Float64)
    )
    lenders = Scored(columns=columns(clean), truth="actual", answer="approve")
    found, evidence = verdict("four_fifths", lenders)
    worst = evidence.groups[0]
    assert (worst.group, round(float(worst.estimate.value), 3)) == ("black", 0.743)
    assert found.outcome in ("uncertain", "fail")
