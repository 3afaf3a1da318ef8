"""Does the packaged model answer as the trained one did, and in every form that it was exported to?

What was written was read again in a process of its own. Where the predictor declares `features=`, only rows whose
features agree are compared, so that a difference comes from the model's file and not from what it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lockgate.evaluation.scored import Scored, plain
from lockgate.gates.evidence import EXAMPLES, unmeasured
from lockgate.gates.evidence.skew import compared, unlike
from lockgate.gates.rows import FEATURE
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, decimal

__all__ = ["evidence"]

KIND = "export"
NAME = "answers_that_differ"
MIXED = "whether a difference comes from the model or from its features: the predictor declares no features=…"


def evidence(
    replayed: Scored, repeated: Mapping[str, Json], *, tolerance: float = 1e-6, columns: Sequence[str] = ()
) -> Evidence:
    """Count training answers that the packaged model does not give, and recorded ones that it does not repeat to the bit.

    Args:
        tolerance: largest difference that counts as the same, relative above 1 and absolute below.
        columns: of the training rows: what other forms of the model answered there (an ONNX file, say), held to the same.
    """
    features, _ = compared(replayed)
    alike = np.ones(len(replayed), bool)
    for name in features:
        alike &= ~unlike(replayed.columns[name], replayed.columns[FEATURE + name], tolerance)
    if not alike.any():
        why = (
            "no training row was replayed"
            if not len(replayed)
            else "no training row has the same features in the release host"
        )
        return unmeasured(KIND, NAME, why, tolerance=repr(tolerance))
    rows = replayed.subset(alike)
    answers = {"the packaged model": rows.role("answer"), **{f"column {c}": rows.numbers(c) for c in columns}}
    trained = rows.role("truth")
    differ = {name: unlike(trained, a, tolerance) | ~np.isfinite(a) for name, a in answers.items()}
    shown = [
        {**rows.row(int(at)), "form": name, "trained": plain(trained[at]), "answered": plain(answers[name][at])}
        for name, mask in differ.items()
        for at in np.flatnonzero(mask)[:EXAMPLES]
    ]
    apart = max(float(np.nanmax(np.abs(trained - a), initial=0.0)) for a in answers.values())
    return Evidence(
        gate=KIND, kind=KIND, rows=(*shown[:EXAMPLES], *repeated["differ"][:EXAMPLES]),
        statistic=_count(NAME, sum(int(m.sum()) for m in differ.values()), len(rows) * len(differ)),
        also=(
            _count("recorded_answers_that_differ", len(repeated["differ"]), int(repeated["rows"])),
            Estimate(name="largest_difference", value=decimal(apart), n=len(rows), why="" if np.isfinite(apart) else "an answer is missing"),
        ),
        params={"tolerance": repr(tolerance), "differ": {n: str(int(m.sum())) for n, m in differ.items()}},
        not_assessed=_left_out(alike, has_features=bool(features)),
    )  # fmt: skip


def _left_out(alike: np.ndarray, *, has_features: bool) -> tuple[str, ...]:
    other = int((~alike).sum())
    return (
        ()
        if has_features and not other
        else ((f"{other:,} rows whose features differ already",) if other else (MIXED,))
    )


def _count(name: str, value: int, n: int) -> Estimate:
    return Estimate(name=name, value=str(value), n=n, method="every answer compared", unit="answers")
