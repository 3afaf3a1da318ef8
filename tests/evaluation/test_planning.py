"""Operating characteristics: the published tables, and what gates really do on made tables."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest

from lockgate.errors import UsageError
from lockgate.evaluation.planning import Asked, chances, distance_resolved, growth_needed, rate_gap, reach_of

# governance.md §5.8, 100,000 simulated runs each: Newcombe-Wilson 95% interval of a gap in a rate around .4, limit .10.
GAPS = [
    (100, 0.0, (0.000, 0.999, 0.001)),
    (100, 0.1, (0.000, 0.976, 0.024)),
    (100, 0.2, (0.000, 0.696, 0.304)),
    (400, 0.0, (0.655, 0.345, 0.000)),
    (400, 0.05, (0.300, 0.699, 0.000)),
    (400, 0.1, (0.025, 0.951, 0.024)),
    (400, 0.15, (0.000, 0.698, 0.302)),
    (400, 0.2, (0.000, 0.172, 0.828)),
    (1600, 0.0, (1.000, 0.000, 0.000)),
    (1600, 0.05, (0.828, 0.172, 0.000)),
    (1600, 0.1, (0.026, 0.950, 0.024)),
    (1600, 0.15, (0.000, 0.174, 0.826)),
    (1600, 0.2, (0.000, 0.000, 1.000)),
]
# The same source: accuracy against another model on the same rows, margin .01, discordance .08. True difference → chances.
ANSWERS = [
    (1_000, 0.0, (0.206, 0.792, 0.001)),
    (1_000, -0.01, (0.027, 0.949, 0.024)),
    (1_000, -0.02, (0.001, 0.803, 0.195)),
    (1_000, 0.01, (0.614, 0.386, 0.000)),
    (2_000, 0.0, (0.352, 0.647, 0.000)),
    (2_000, -0.02, (0.000, 0.645, 0.355)),
    (2_000, 0.01, (0.887, 0.113, 0.000)),
    (5_000, 0.0, (0.708, 0.292, 0.000)),
    (5_000, -0.02, (0.000, 0.288, 0.712)),
    (10_000, 0.0, (0.943, 0.057, 0.000)),
    (10_000, -0.02, (0.000, 0.055, 0.945)),
]


def of(asked: Asked, true: float) -> tuple[float, float, float]:
    found = chances(asked, true)
    return found.passes, found.uncertain, found.fails


@pytest.mark.parametrize(("each", "gap", "published"), GAPS)
def test_a_gap_between_two_groups_as_published(each: int, gap: float, published: tuple[float, ...]) -> None:
    error, comparisons = rate_gap(0.4, 2 * each, 2)
    asked = Asked(limit=0.1, error=error, both_sides=True, comparisons=comparisons)
    assert of(asked, gap) == pytest.approx(
        published, abs=0.012
    )  # the rate is not .4 in both groups, nor the error known


@pytest.mark.parametrize(("rows", "better", "published"), ANSWERS)
def test_accuracy_against_another_model_as_published(rows: int, better: float, published: tuple[float, ...]) -> None:
    assert of(Asked(limit=0.01, error=sqrt(0.08 / rows)), -better) == pytest.approx(published, abs=0.012)


def test_below_185_rows_a_group_can_never_pass_at_ten_points() -> None:
    """As governance.md §5.8 reads its table."""
    error, _ = rate_gap(0.4, 2 * 184, 2)
    assert chances(Asked(limit=0.1, error=error, both_sides=True), 0.0).passes == 0
    error, _ = rate_gap(0.4, 2 * 186, 2)
    assert chances(Asked(limit=0.1, error=error, both_sides=True), 0.0).passes > 0


@pytest.mark.parametrize(("groups", "blocks", "widened"), [(1, 0, True), (5, 0, True), (3, 24, True), (4, 0, False)])
def test_simulated_estimates_get_these_verdicts(groups: int, blocks: int, widened: bool) -> None:
    """The three-way rule on normal estimates with their intervals: one group off by `true`, the others not at all."""
    asked = Asked(limit=1.0, error=0.3, both_sides=True, comparisons=groups, blocks=blocks, passes_widened=widened)
    random, runs = np.random.default_rng(5), 40_000
    for true in (0.0, 0.5, 1.0, 1.5, 2.0):
        value = random.normal(0, 0.3, (runs, groups))
        value[:, 0] += true
        freedom = blocks - 1 if blocks else 0
        error = (
            0.3 * np.sqrt(random.chisquare(freedom, (runs, groups)) / freedom) if blocks else np.full_like(value, 0.3)
        )
        passes = (np.abs(value) + asked.reach_to_pass * error <= 1).all(1)
        fails = ((value - asked.reach * error > 1) | (value + asked.reach * error < -1)).any(1)
        expected = (passes.mean(), (~passes & ~fails).mean(), fails.mean())
        assert of(asked, true) == pytest.approx(expected, abs=0.01)


def test_growth_and_distance_say_what_chances_say() -> None:
    asked = Asked(limit=0.1, error=0.08, both_sides=True, comparisons=3)
    times = growth_needed(asked)
    grown = Asked(limit=0.1, error=0.08 / sqrt(times), both_sides=True, comparisons=3)
    assert chances(grown, 0.0).passes == pytest.approx(0.8, abs=1e-6)
    away = distance_resolved(Asked(limit=0.1, error=0.02))
    assert chances(Asked(limit=0.1, error=0.02), 0.1 + away).fails == pytest.approx(0.8, abs=1e-6)
    assert growth_needed(asked, 0.1) == inf
    assert growth_needed(asked, -0.1) == inf


def test_a_plan_without_an_error_is_refused() -> None:
    for error in (0.0, -1.0, float("nan"), inf):
        with pytest.raises(UsageError):
            chances(Asked(limit=0.1, error=error), 0.0)


def test_reach_of_many_days_is_the_normal_one() -> None:
    assert reach_of(0.95, freedom=299) == pytest.approx(reach_of(0.95), abs=0.01)
