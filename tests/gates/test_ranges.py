"""A limit that no evidence could ever miss switches its gate off: it is refused where it is written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lockgate import Pipeline, gates
from lockgate.errors import UsageError
from lockgate.gates.policy import check_policy, parse_policy
from lockgate.gates.ranges import RANGES, check_limits
from lockgate.gates.rules import LIMITS


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: gates.fairness("selection_rate", ["sex"], max_difference=10), "0.02 for 2 %"),
        (lambda: gates.fairness("selection_rate", ["sex"], max_difference=-0.5), "less than 1"),
        (lambda: gates.fairness("selection_rate", ["sex"], on="ratio", min_ratio=0), "above 0"),
        (lambda: gates.fairness("selection_rate", ["sex"], on="ratio", min_ratio=80), "such as 0.8"),
        (lambda: gates.interval_coverage(80, 100), "0.80 for 80 %"),
        (lambda: gates.interval_coverage(0.8, 0.9), "from 0 to 1"),
        (lambda: gates.quality("accuracy", at_most=2), "a share from 0 to 1"),
        (lambda: gates.quality("auc", at_least=-1), "a share from 0 to 1"),
        (lambda: gates.bounded_loss("brier", ["sex"], at_most=25), "a share from 0 to 1"),
        (lambda: gates.budget(p95_ms=-5), "from 0 on"),
        (lambda: gates.champion("accuracy", margin=2), "less than 1"),
        (lambda: gates.champion("accuracy", margin=-0.01), "less than 1"),
        (lambda: gates.slices("accuracy", ["sex"], worst_over_best=0.5), "from 1 on"),
        (lambda: gates.representation("sex", {"man": 0.5, "woman": 0.5}, tolerance=5), "less than 1"),
    ],
)  # fmt: skip
def test_a_declared_limit_out_of_range_is_refused(declare: object, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        declare()  # type: ignore[operator]
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("max_difference = 10", "policy.toml [limits.fair]: max_difference is out of its range: 10"),
        ("max_difference = 'lots'", "policy.toml [limits.fair]: max_difference is not a number"),
        ("max_diference = 0.1", "max_difference?"),
    ],
)
def test_a_limit_in_the_policy_is_refused_with_its_table(table: str, words: str) -> None:
    pipeline = Pipeline("p", kind="delivery", stages=[gates.fairness("tpr", ["sex"], name="fair")])
    with pytest.raises(UsageError) as caught:
        check_policy(parse_policy(f"[limits.fair]\n{table}"), pipeline)
    assert words in str(caught.value)
    check_policy(parse_policy("[limits.fair]\nmax_difference = 0.1"), pipeline)


def test_a_limit_without_default_has_to_be_set_somewhere() -> None:
    pipeline = Pipeline("p", kind="delivery", stages=[gates.bounded_loss("wape", ["shop"])])
    with pytest.raises(UsageError, match="has no limit"):
        check_policy(parse_policy(""), pipeline)
    check_policy(parse_policy("[limits.bounded_loss]\nat_most = 40"), pipeline)


def test_defaults_lie_in_their_ranges_and_ranges_are_of_known_limits() -> None:
    assert {rule: set(ranges) - set(LIMITS[rule]) for rule, ranges in RANGES.items()} == {
        rule: set() for rule in RANGES
    }
    for rule, limits in LIMITS.items():
        given = {name: Decimal(default) for name, default in limits.items() if default}
        check_limits(rule, given, {}, where=rule)


def test_an_own_gate_measures_what_it_likes() -> None:
    pipeline = Pipeline("p", kind="delivery", stages=[gates.custom(_degrees, at_most=400)])
    check_policy(parse_policy(""), pipeline)


def _degrees() -> float:
    return 300.0
