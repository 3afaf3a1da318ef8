"""How long do 10,000 resamples of a metric over ten groups take? Prints one line per case; fairlearn if installed.

    python benchmarks/governance.py

16,281 rows (the size of the Adult test set). The same interval work is done by each: ten groups, every one with
an interval. Peer: fairlearn's `MetricFrame(n_boot=…)`, timed at 20 replicates and scaled, as it takes minutes.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable

import numpy as np

from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import slice_by

ROWS, GROUPS, REPLICATES, PEER_REPLICATES = 16_281, 10, 10_000, 20


def outcomes(days: int | None) -> Scored:
    """Yes-or-no outcomes and guesses in ten groups; without days, every row is resampled on its own."""
    random = np.random.default_rng(7)
    truth = (random.random(ROWS) < 0.24).astype(float)
    guess = np.where(random.random(ROWS) < 0.85, truth, 1 - truth)
    day = np.arange(ROWS) * days // ROWS if days else np.arange(ROWS)
    group = random.integers(0, GROUPS, ROWS).astype(str)
    columns = {"truth": truth, "guess": guess, "day": day, "group": group}
    return Scored(columns=columns, truth="truth", answer="guess", day="day")


def best_of(work: Callable[[], object], times: int = 3) -> float:
    """Shortest wall time in seconds."""
    seconds: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Measure and print."""
    accuracy = METRICS["accuracy"]
    for name, days in (("24 whole days", 24), ("90 whole days", 90), ("single rows", None)):
        scored = outcomes(days)
        seconds = best_of(lambda scored=scored: slice_by(scored, ["group"], metric=accuracy))
        print(f"lockgate, {name}: {seconds:.3f} s for {REPLICATES:,} resamples, {GROUPS} groups, {ROWS:,} rows")
    if importlib.util.find_spec("fairlearn") is None:
        print("fairlearn: not installed")
        return
    frame, scored = importlib.import_module("fairlearn.metrics").MetricFrame, outcomes(None)
    score = importlib.import_module("sklearn.metrics").accuracy_score
    asked = {"metrics": score, "y_true": scored.role("truth"), "y_pred": scored.role("answer")}
    asked |= {"sensitive_features": scored.column("group"), "ci_quantiles": [0.025, 0.975], "random_state": 7}
    seconds = best_of(lambda: frame(**asked, n_boot=PEER_REPLICATES), times=1) * REPLICATES / PEER_REPLICATES
    print(f"fairlearn, single rows: {seconds:.0f} s (scaled from {PEER_REPLICATES} resamples)")


if __name__ == "__main__":
    main()
