"""How long do 10,000 resamples of three rates in ten groups take? Prints one line per case; fairlearn beside it.

    python benchmarks/governance.py

16,281 rows (the size of the Adult test set). The first line does what fairlearn's `MetricFrame(n_boot=…)` does: percentiles of
resampled accuracy, share of yes and true positive rate of every group. The others are what gates use: joint intervals
of gaps between groups, and of one metric by days. Fairlearn is timed at 20 resamples and scaled, as it takes minutes; it runs
in an environment of its own (`peers/fairlearn.txt`, under `$LOCKGATE_PEERS` or `~/.cache/lockgate/peers`). The goal is 0.1 s.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lockgate.evaluation.counts import counts_of, resampled_rates
from lockgate.evaluation.groups import group_gaps
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.slices import slice_by

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("LOCKGATE_PEERS", Path.home() / ".cache" / "lockgate" / "peers"))
ROWS, GROUPS, REPLICATES, PEER_REPLICATES, GOAL_S = 16_281, 10, 10_000, 20, 0.1
RATES = ("accuracy", "selection_rate", "tpr")
FAIRLEARN = """
import sys, time
import numpy as np
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score
rows = np.load(sys.argv[1])
start = time.process_time()
MetricFrame(
    metrics={"a": accuracy_score, "s": selection_rate, "t": true_positive_rate}, y_true=rows["truth"], y_pred=rows["guess"],
    sensitive_features=rows["group"], n_boot=int(sys.argv[2]), ci_quantiles=[0.025, 0.975], random_state=7,
)
print(time.process_time() - start)
"""


def outcomes(days: int | None) -> Scored:
    """Yes-or-no outcomes and guesses in ten groups; without days, rows are independent."""
    random = np.random.default_rng(7)
    truth = (random.random(ROWS) < 0.24).astype(float)
    guess = np.where(random.random(ROWS) < 0.85, truth, 1 - truth)
    day = np.arange(ROWS) * (days or 1) // ROWS
    group = random.integers(0, GROUPS, ROWS).astype(str)
    columns = {"truth": truth, "guess": guess, "day": day, "group": group}
    return Scored(columns=columns, truth="truth", answer="guess", day="day" if days else None)


def best_of(work: Callable[[], object], times: int = 3) -> float:
    """Fewest CPU seconds."""
    seconds: list[float] = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def three_rates(scored: Scored) -> list[np.ndarray]:
    drawn = resampled_rates(counts_of(scored, "group"), RATES, replicates=REPLICATES)
    return [np.nanquantile(values, [0.025, 0.975], axis=0) for values in drawn.values()]


def main() -> None:
    """Measure and print."""
    rows = outcomes(None)
    ours = best_of(lambda: three_rates(rows))
    print(
        f"counts bootstrap, 3 rates: {ours:.3f} CPU s for {REPLICATES:,} resamples, {GROUPS} groups, {ROWS:,} rows; goal {GOAL_S}: {'met' if ours <= GOAL_S else 'NOT met'}"
    )
    gaps = best_of(lambda: [group_gaps(rows, ["group"], metric=METRICS[name]) for name in RATES])
    print(f"gaps between groups, 3 rates, joint intervals: {gaps:.3f} s")
    for name, days in (("24 whole days", 24), ("90 whole days", 90), ("single rows", None)):
        scored = outcomes(days)
        seconds = best_of(lambda scored=scored: slice_by(scored, ["group"], metric=METRICS["accuracy"]))
        print(f"slices by one metric, {name}: {seconds:.3f} s")
    print(peer(rows, ours))


def peer(scored: Scored, ours: float) -> str:
    """Fairlearn's time for as many resamples, or why there is none."""
    folder, wanted = CACHE / "fairlearn", HERE / "peers" / "fairlearn.txt"
    python = folder / "bin" / "python"
    if not python.exists():
        for command in ([sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install", "-q", "-r", wanted]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"fairlearn: cannot be installed here ({done.stderr.strip().splitlines()[-1:]})"
    rows = folder / "rows.npz"
    np.savez(rows, **{name: scored.column(name) for name in ("truth", "guess", "group")})
    done = subprocess.run(
        [python, "-c", FAIRLEARN, rows, str(PEER_REPLICATES)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return f"fairlearn: failed ({done.stderr.strip().splitlines()[-1:]})"
    seconds = float(done.stdout) * REPLICATES / PEER_REPLICATES
    return f"fairlearn, 3 rates: {seconds:,.0f} s (scaled from {PEER_REPLICATES} resamples): {seconds / ours:,.0f} times as long"


if __name__ == "__main__":
    main()
