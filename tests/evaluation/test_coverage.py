"""Do the intervals hold the truth as often as they promise? Small, seeded simulations with a known truth."""

from __future__ import annotations

import numpy as np

from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.resampling import Ratios, resample
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import slice_by

TRIALS = 300


def days_of(random: np.random.Generator, days: int, groups: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Per-day error and volume: busy days are many, uneven and forecast worse. The true ratio is TRUTH."""
    luck = random.normal(size=(days, 1))
    volume = np.exp(4 + 0.4 * luck) * np.ones((1, groups))
    return volume * np.exp(-1 + 0.3 * luck + random.normal(0, 0.3, (days, groups))), volume


# E[exp(-1 + .7 z + .3 e)] / E[exp(.4 z)] for independent standard normal z and e
TRUTH = np.exp(-1 + 0.7**2 / 2 + 0.3**2 / 2 - 0.4**2 / 2)


def shares(days: int) -> tuple[float, float]:
    studentized = percentile = 0
    for trial in range(TRIALS):
        random = np.random.default_rng([days, trial])
        top, bottom = days_of(random, days)
        drawn = resample(Ratios(top=top, bottom=bottom, n=np.array([days])), replicates=600, seed=trial)
        interval = drawn.interval(0)
        studentized += interval.low <= TRUTH <= interval.high
        picks = random.integers(days, size=(600, days))
        low, high = np.quantile(top[picks, 0].sum(1) / bottom[picks, 0].sum(1), [0.025, 0.975])
        percentile += low <= TRUTH <= high
    return studentized / TRIALS, percentile / TRIALS


def test_studentized_intervals_keep_their_promise_with_few_days():
    """Of 1,500 such intervals 90.2% (12 days) and 92.6% (24) held the truth; percentile: 81.9% and 87.4%."""
    for days, least in ((12, 0.87), (24, 0.90)):
        studentized, percentile = shares(days)
        assert studentized >= least
        assert studentized > percentile + 0.02


def test_joint_intervals_hold_all_at_once_and_survive_picking_the_worst():
    """Six equally good groups: all intervals hold together, and the true worst over best, 1, is excluded rarely."""
    together = excluded = naive = 0
    for trial in range(TRIALS):
        top, bottom = days_of(np.random.default_rng([6, trial]), 24, groups=6)
        over = Ratios(top=top, bottom=bottom, n=np.full(6, 24))
        pairs = [(i, j) for i in range(6) for j in range(i + 1, 6)]
        drawn = resample(over, pairs, joint=True, replicates=600, seed=trial)
        held = [drawn.interval(i) for i in range(6)]
        together += all(i.low <= TRUTH <= i.high for i in held)
        bounds = [drawn.bounds(6 + p) for p in range(len(pairs))]
        excluded += any(low > 0 or high < 0 for low, high in bounds)
        alone = resample(over, pairs, replicates=600, seed=trial)
        naive += any(low > 0 or high < 0 for low, high in (alone.bounds(6 + p) for p in range(len(pairs))))
    assert together / TRIALS >= 0.90
    assert excluded / TRIALS <= 0.08
    assert naive / TRIALS > 0.2  # what happens without the correction


def test_a_group_that_is_truly_worse_is_found():
    random = np.random.default_rng(3)
    day = np.repeat(np.arange(24), 300)
    band = np.tile(np.repeat(["a", "b", "c"], 100), 24)
    truth = random.poisson(10, day.size).astype(float)
    answer = truth + random.normal(0, np.where(band == "c", 4.0, 2.0))
    scored = Scored(columns={"d": day, "y": truth, "f": answer, "band": band}, truth="y", answer="f", day="d")
    found = slice_by(scored, ["band"], metric=METRICS["wape"])
    assert found.worst is not None and found.best is not None
    assert found.worst.name == "c"
    assert 1.5 < found.worst_over_best.low < 2 < found.worst_over_best.high < 2.5
    assert found.groups[0].name == "c"
