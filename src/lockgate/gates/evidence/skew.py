"""Does the release host compute the same features and answers as training did, from the same raw rows?

Training rows are asked again, each at its own as-of. Where the predictor declares `features=`, every feature that the
training rows hold is compared with what the release host sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.intervals import wilson
from lockgate.evaluation.scored import Column, Scored, plain
from lockgate.gates.evidence import EXAMPLES, unmeasured
from lockgate.gates.rows import FEATURE, is_missing
from lockgate.records.evidence import Evidence, GroupEstimate

__all__ = ["compared", "evidence", "unlike"]

KIND = "skew"
NAME = "largest_mismatch_rate"
PREDICTION = "prediction"
NO_FEATURES = "features: the predictor declares no features=…, so only its answers are compared"


def evidence(replayed: Scored, *, tolerance: float = 1e-6) -> Evidence:
    """Measure the share of rows that differ, per feature and for the answer, worst first.

    Two numbers are the same within `tolerance`, relative above 1; missing on both sides is the same for a feature, and
    never for an answer.
    """
    if not len(replayed):
        return unmeasured(KIND, NAME, "no training row was replayed", tolerance=repr(tolerance))
    features, left_out = compared(replayed)
    differ = {name: unlike(replayed.columns[name], replayed.columns[FEATURE + name], tolerance) for name in features}
    answers = unlike(replayed.role("truth"), replayed.role("answer"), tolerance)
    differ[PREDICTION] = answers | ~np.isfinite(replayed.role("answer"))
    rates = {name: wilson(int(mask.sum()), len(replayed)) for name, mask in differ.items()}
    order = sorted(rates, key=lambda name: (-rates[name].value, name))
    worst = order[0]
    rows = [
        {**replayed.row(int(at)), **_sides(replayed, worst, int(at))} for at in np.flatnonzero(differ[worst])[:EXAMPLES]
    ]
    return Evidence(
        gate=KIND, kind=KIND, rows=tuple(rows), statistic=rates[worst].estimate(NAME, "share"), not_assessed=left_out,
        groups=tuple(GroupEstimate(by="column", group=n, estimate=rates[n].estimate("mismatch_rate", "share")) for n in order),
        params={"tolerance": repr(tolerance), "worst": worst, "differ": {n: str(int(m.sum())) for n, m in differ.items()}},
    )  # fmt: skip


def compared(replayed: Scored) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Features that both sides have; and in words, those that only the release host computes."""
    served = [n.removeprefix(FEATURE) for n in replayed.columns if n.startswith(FEATURE)]
    if not served:
        return (), (NO_FEATURES,)
    alone = sorted(n for n in served if n not in replayed.columns)
    left_out = (f"features that the training rows do not hold: {', '.join(alone)}",) if alone else ()
    return tuple(sorted(n for n in served if n in replayed.columns)), left_out


def unlike(one: Column, other: Column, tolerance: float) -> NDArray[np.bool_]:
    """Per row: whether the two values differ; two missing ones do not."""
    if "f" not in (one.dtype.kind, other.dtype.kind) or {one.dtype.kind, other.dtype.kind} - set("fbiu"):
        both = one.dtype.kind == other.dtype.kind or {one.dtype.kind, other.dtype.kind} <= set("biu")
        return (one != other) & ~(is_missing(one) & is_missing(other)) if both else np.ones(len(one), bool)
    left, right = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.abs(left - right) > tolerance * np.maximum(1.0, np.abs(left))
    known = np.isfinite(left) & np.isfinite(right)
    same = (np.isnan(left) & np.isnan(right)) | (left == right)
    return np.where(known, apart, ~same)


def _sides(replayed: Scored, name: str, at: int) -> dict[str, object]:
    if name == PREDICTION:
        return {"trained": plain(replayed.role("truth")[at]), "served": plain(replayed.role("answer")[at])}
    return {"trained": plain(replayed.columns[name][at]), "served": plain(replayed.columns[FEATURE + name][at])}
