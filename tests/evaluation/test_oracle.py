"""The synthetic oracle: gates on rows with a known truth say what they should, as often as they promise.

Small and seeded; `benchmarks/operating_characteristics.py` is the whole table. Shares must lie within three Monte-Carlo
standard errors of what 100,000 runs of another program gave.
"""

from __future__ import annotations

from decimal import Decimal
from math import sqrt

import pytest

from lockgate.errors import UsageError
from lockgate.evaluation.groups import group_gaps
from lockgate.evaluation.metrics import METRICS
from lockgate.gates.evidence import champion
from lockgate.gates.rules import judge, three_way
from lockgate.testing.oracle import equal_groups, shares, two_classifiers, two_groups

RUNS = 150


def near(share: float, expected: float) -> bool:
    return abs(share - expected) <= 3 * sqrt(max(expected * (1 - expected), 0.01) / RUNS) + 0.01


@pytest.mark.parametrize(
    ("rows", "gap", "passes", "fails"),
    [(100, 0.0, 0.000, 0.001), (400, 0.0, 0.655, 0.000), (400, 0.1, 0.025, 0.024), (400, 0.2, 0.000, 0.828)],
)
def test_a_fairness_gate(rows, gap, passes, fails):
    def says(seed: int) -> str:
        scored = two_groups(rows, rate=0.4, gap=gap, seed=seed)
        found = group_gaps(scored, ["group"], metric=METRICS["selection_rate"], replicates=20).largest
        return three_way(Decimal(repr(found.low)), Decimal(repr(found.high)), Decimal("0.1"))

    seen = shares(says, RUNS, first=int(1000 * gap) * 1000)
    assert near(seen.get("pass", 0), passes)
    assert near(seen.get("fail", 0), fails)


@pytest.mark.parametrize(
    ("rows", "gain", "passes", "fails"),
    [(2000, 0.0, 0.352, 0.000), (2000, -0.01, 0.025, 0.024), (5000, -0.02, 0.000, 0.712), (5000, 0.0, 0.708, 0.000)],
)
def test_the_champion_gate(rows, gain, passes, fails):
    def says(seed: int) -> str:
        release, live = two_classifiers(rows, accuracy=0.85, discordant=0.08, gain=gain, seed=seed)
        evidence = champion.evidence(release, live, metric="accuracy", seed=seed)
        return judge(evidence, "not_worse", {"margin": "0.0117647"}).outcome

    seen = shares(says, RUNS)
    assert near(seen.get("pass", 0), passes)
    assert near(seen.get("fail", 0), fails)


def test_among_twenty_equal_groups_none_is_seen_to_differ():
    """Uncorrected, one is seen in 64 of 100 cases."""

    def seen_to_differ(seed: int) -> bool:
        scored = equal_groups(100, 20, rate=0.4, seed=seed)
        return group_gaps(scored, ["group"], metric=METRICS["selection_rate"], replicates=20).largest.low > 0

    seen = shares(seen_to_differ, 60)
    assert seen.get(True, 0.0) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 60)


def test_impossible_worlds_are_refused():
    with pytest.raises(UsageError):
        two_groups(10, rate=0.9, gap=0.2, seed=0)
    with pytest.raises(UsageError):
        two_classifiers(10, accuracy=0.99, discordant=0.01, gain=0.05, seed=0)
