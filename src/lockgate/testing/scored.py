"""A scored table made of chance, for tests of metrics and of own gates: many rows a day, days that share luck."""

from __future__ import annotations

import numpy as np

from lockgate.evaluation.scored import Scored

__all__ = ["scored_table"]

FIRST_DAY = np.datetime64("2011-10-16")


def scored_table(
    *, days: int = 24, per_day: int = 60, seed: int = 0, error: float = 0.3, baseline: float = 0.5
) -> Scored:
    """Poisson sales over `days`, `per_day` rows each; deterministic by seed.

    Args:
        error: how far the answer `units` misses (log scale); `baseline`: the same for the column `best_simple`.
    """
    random = np.random.default_rng(seed)
    n = days * per_day
    day = np.repeat(np.arange(days), per_day)
    truth = random.poisson(5 * np.exp(random.normal(0, 0.2, days))[day]).astype(float)
    answer = 5 * np.exp(random.normal(0, error, n))
    return Scored(
        columns={
            "product": np.tile(np.array([f"P{i}" for i in range(per_day)]), days),
            "date": FIRST_DAY + day,
            "as_of": FIRST_DAY + day - 7,
            "actual": truth,
            "units": answer,
            "low": answer - 3,
            "high": answer + 3,
            "best_simple": 5 * np.exp(random.normal(0, baseline, n)),
            "volume_band": random.choice(["low", "mid", "high"], n),
            "new": random.random(n) < 0.3,
        },
        truth="actual",
        answer="units",
        day="date",
        low="low",
        high="high",
        keys=("product", "date"),
    )
