"""Can the answers seen in training be had from what was known on their day?

A feature that looks into the future is there in training and gone when the packaged release replays the same row
at its own `as_of`, or from the request alone where answers do not depend on the day: the two answers differ.
"""

from __future__ import annotations

import numpy as np

from lockgate.evaluation.scored import Scored, plain
from lockgate.gates.evidence import EXAMPLES, unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, decimal

__all__ = ["evidence"]

KIND = "no_leak"
NAME = "answers_that_differ"


def evidence(replayed: Scored, *, tolerance: float = 1e-6) -> Evidence:
    """Count training rows whose replay differs. `replayed`: truth is the trained answer, answer the replayed one.

    Two numbers are the same within `tolerance`, relative above 1; a missing number on either side differs.
    """
    if not len(replayed):
        return unmeasured(KIND, NAME, "no training row was replayed", tolerance=repr(tolerance))
    trained, again = replayed.role("truth"), replayed.role("answer")
    with np.errstate(invalid="ignore"):
        apart = np.abs(trained - again) / np.maximum(1.0, np.abs(trained))
    apart = np.where(np.isfinite(apart), apart, np.inf)
    differ = np.flatnonzero(apart > tolerance)
    worst = differ[np.argsort(-apart[differ], kind="stable")][:EXAMPLES]
    rows = [{**replayed.row(int(at)), "trained": plain(trained[at]), "replayed": plain(again[at])} for at in worst]
    finite = apart[np.isfinite(apart)]
    params: dict[str, Json] = {"tolerance": repr(tolerance), **({} if replayed.day else {"dated": False})}
    return Evidence(
        gate=KIND, kind=KIND, rows=tuple(rows), params=params,
        statistic=_estimate(NAME, str(differ.size), len(replayed), unit="rows"),
        also=(_estimate("largest_difference", decimal(float(finite.max())) if finite.size else None, len(replayed)),),
    )  # fmt: skip


def _estimate(name: str, value: str | None, n: int, unit: str = "") -> Estimate:
    why = "" if value is not None else "no row has a number on both sides"
    return Estimate(name=name, value=value, n=n, method="every replayed row compared", unit=unit, why=why)
