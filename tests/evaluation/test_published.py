"""Numbers that others published or computed with other code."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.evaluation.comparison import diebold_mariano, hln_factor
from lockgate.evaluation.intervals import newcombe, wilson


def squared(truth: list[float], answer: list[float]) -> np.ndarray:
    return (np.array(truth, float) - np.array(answer, float)) ** 2


def test_diebold_mariano_readme_of_dieboldmariano():
    truth = [10, 20, 30, 40, 50]
    found = diebold_mariano(
        squared(truth, [11, 21, 29, 42, 53]), squared(truth, [13, 26, 24, 40, 59]), alternative="less"
    )
    assert found.statistic == pytest.approx(-2.2229922805746782, abs=1e-12)
    assert found.p_value == pytest.approx(0.04515565862, abs=1e-10)
    assert not found.enough


@pytest.mark.parametrize(
    ("horizon", "kernel", "statistic", "p_value"),
    [(1, "acf", -2.4905, 0.05513), (2, "acf", -1.8226, 0.128), (2, "bartlett", -1.9194, 0.113)],
)
def test_diebold_mariano_tests_of_dieboldmariano(horizon, kernel, statistic, p_value):
    first, second = squared([0] * 6, [0, 1, 2, 3, 4, 5]), squared([0] * 6, [0, 2, 3, 3, 5, 6])
    found = diebold_mariano(first, second, horizon=horizon, kernel=kernel)
    assert found.statistic == pytest.approx(statistic, abs=6e-5)
    assert found.p_value == pytest.approx(p_value, abs=6e-4)


@pytest.mark.parametrize(("horizon", "factor"), [(1, 0.974679), (2, 0.924662), (4, 0.824621)])
def test_hln_factor(horizon, factor):
    assert hln_factor(20, horizon) == pytest.approx(factor, abs=5e-7)


def test_diebold_mariano_size_under_no_difference():
    """Two thousand seeded series of 20 periods: about five in a hundred are called different."""
    losses = np.random.default_rng(4).normal(size=(2, 2000, 20))
    share = np.mean([diebold_mariano(a, b).p_value < 0.05 for a, b in zip(*losses, strict=True)])
    assert 0.035 < share < 0.065


def test_diebold_mariano_falls_back_and_says_so():
    swing = np.array([1.0, -1.0] * 8) + 0.01
    found = diebold_mariano(swing, np.zeros(16), horizon=2)
    assert found.fallback
    assert np.isfinite(found.p_value)


@pytest.mark.parametrize("losses", [[], [1.0], [np.nan, 1.0, 2.0], [3.0, 3.0, 3.0]])
def test_diebold_mariano_without_an_answer_is_nan(losses):
    assert np.isnan(diebold_mariano(losses, np.zeros(len(losses))).p_value)


def test_wilson():
    assert wilson(0, 46).high == pytest.approx(0.0771, abs=5e-5)
    assert (wilson(0, 46).low, wilson(46, 46).high) == (0.0, 1.0)
    found = wilson(81, 263)  # Newcombe 1998, table 1, method 3: 0.2553 to 0.3662
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert not wilson(0, 0).known


def test_newcombe():
    """Newcombe 1998 (difference), table II, method 10, example a."""
    found = newcombe((56, 70), (48, 80))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
