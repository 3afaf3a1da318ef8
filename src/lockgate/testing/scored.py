"""Scored tables made of chance, for tests of metrics and of own gates: sales by day, and decisions about people."""

from __future__ import annotations

import numpy as np

from lockgate.evaluation.scored import Scored

__all__ = ["decided_table", "scored_table"]

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


def decided_table(
    rows: int = 2_000, *, seed: int = 0, gap: float = 0.0, skill: float = 1.5, clusters: int | None = None
) -> Scored:
    """Yes-or-no decisions about people in groups `sex` and `region`, with the probability behind them; no day.

    Args:
        gap: how much more often the answer is yes for men, at the same truth; 0: all are treated alike.
        skill: how far apart the probabilities of those whose truth is yes and no lie (log odds).
        clusters: so many families, whose members share their luck; None: rows are independent.
    """
    random = np.random.default_rng(seed)
    family = np.arange(rows) % (clusters or rows)
    sex = random.choice(["f", "m"], rows)
    truth = (random.random(clusters or rows)[family] < 0.4).astype(float)
    lean = skill * (truth - 0.5) + random.normal(0, 1, clusters or rows)[family]
    score = 1 / (1 + np.exp(-lean))
    answer = np.where((sex == "m") & (random.random(rows) < gap), 1.0, (score >= 0.5).astype(float))
    return Scored(
        columns={
            "person": np.array([f"p{i}" for i in range(rows)]),
            "family": np.array([f"f{i}" for i in family]),
            "repaid": truth,
            "granted": answer,
            "probability": score,
            "everybody": np.ones(rows),
            "sex": sex,
            "region": random.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2]),
        },
        truth="repaid", answer="granted", score="probability", keys=("person",),
        cluster="family" if clusters else None,
    )  # fmt: skip
