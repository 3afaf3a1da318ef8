"""The best of many past numbers was lucky: a release that is only as good must seldom fail the ratchet for it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from lockgate import gates
from lockgate.declare import Gate
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import ratchet
from lockgate.gates.history import History, Measured, definition
from lockgate.gates.rules import judge
from lockgate.records.evidence import Estimate, Evidence, Verdict
from lockgate.testing.gates import verdict

ERROR = 0.05  # standard error of each number, as a share of it
RUNS = 2_000


def weighed(value: float, best: float, *, tolerance: str, own: bool = True) -> Verdict:
    """A release with this WAPE against the best approved one; `own`: whether that was signed with its interval."""

    def told(name: str, number: float, *, reach: bool = True) -> Estimate:
        low, high = (f"{number + side * 1.96 * ERROR:.6f}" for side in (-1, 1)) if reach else (None, None)
        return Estimate(name=name, value=f"{number:.6f}", low=low, high=high, n=1000, blocks=100)

    evidence = Evidence(
        gate="ratchet", kind="ratchet", statistic=told("wape", value), also=(told("best_approved", best, reach=own),),
        params={"words": "misses", "better": "lower", "release": "sha256:1234", "approved": "2026-01-02"},
    )  # fmt: skip
    return judge(evidence, "no_step_back", {"tolerance": tolerance})


def failures(past: int, *, tolerance: str, own: bool = True) -> float:
    random = np.random.default_rng([past, 7])
    before = 1 + ERROR * random.standard_normal((RUNS, past))
    now = 1 + ERROR * random.standard_normal(RUNS)
    pairs = zip(now.tolist(), before.min(axis=1).tolist(), strict=True)
    return sum(weighed(n, b, tolerance=tolerance, own=own).outcome == "fail" for n, b in pairs) / RUNS


@pytest.mark.parametrize(("past", "most"), [(1, 0.01), (5, 0.025), (20, 0.05)])
def test_a_release_that_is_as_good_as_all_before_seldom_fails(past: int, most: float) -> None:
    """Without any tolerance: 0.3%, 1.2% and 3.6% fail; when the best number was taken as exact, 8%, 25% and 46% did."""
    assert failures(past, tolerance="0") <= most


def test_a_number_that_was_signed_without_interval_is_taken_as_exact() -> None:
    assert failures(20, tolerance="0", own=False) > 0.4


def test_a_true_step_back_still_fails_and_luck_is_said() -> None:
    assert weighed(1.5, 1.0, tolerance="0.05").outcome == "fail"
    lucky = weighed(1.18, 1.0, tolerance="0.05")
    assert lucky.outcome == "uncertain"
    assert "had 1 (interval 0.9 to 1.1)" in lucky.reason
    assert lucky.settles.endswith("a person must weigh it.")
    assert weighed(1.18, 1.0, tolerance="0.05", own=False).outcome == "fail"


@pytest.mark.parametrize("value", [0.9, 0.95, 1.0, 1.05])
def test_luck_lets_nothing_pass_that_did_not_pass_before(value: float) -> None:
    both = {weighed(value, 1.0, tolerance="0.05", own=own).outcome == "pass" for own in (True, False)}
    assert len(both) == 1


def test_higher_is_better_turns_the_ends() -> None:
    """Accuracy of 80% now; the best had 95%, give or take twenty points, or give or take one."""
    yes = np.arange(400) < 320
    scored = Scored(columns={"y": np.ones(400), "a": yes.astype(float)}, truth="y", answer="a")
    gate: Gate = gates.ratchet("accuracy", tolerance="0.01")
    said: dict[str, str] = {}
    for low, high in (("0.75", "1"), ("0.94", "0.96")):
        past = Measured(
            release="sha256:1234", approved=dt.date(2026, 1, 2), metric="accuracy", value="0.95", low=low, high=high,
            definition=definition(METRICS["accuracy"]), holdout="sha256:2",
        )  # fmt: skip
        found = ratchet.evidence(scored, History(measured=(past,)), metric="accuracy")
        said[low] = verdict(gate, found).outcome
    assert said == {"0.75": "uncertain", "0.94": "fail"}
