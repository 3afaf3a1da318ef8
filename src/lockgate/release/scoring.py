"""Steps that ask a release host: score the holdout, replay training rows, explain a few answers.

They run in the engine like every other step, so that scoring a release twice costs nothing (law 7: evidence is
computed through the packaged release).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

from lockgate import codecs
from lockgate.evaluation.scored import AS_OF, Scored
from lockgate.records.digest import Json
from lockgate.release.client import ReleaseHost
from lockgate.release.explaining import request_of
from lockgate.release.layout import MANIFEST, read_manifest

__all__ = ["cases", "replayed", "scored"]

ANSWERED = "prediction"
EXACT = 2**53  # whole numbers below it are whole as floats


def scored(release: Path, holdout: Path) -> Scored:
    """Answer every holdout row by the packaged release, at its own `as_of` where answers depend on the day."""
    return _score(release, holdout, truth="actual")


def replayed(release: Path, trained: Path) -> Scored:
    """Answer training rows again; truth is the answer that training had, from the training table."""
    return _score(release, trained, truth=ANSWERED)


def cases(release: Path, scored: Scored, number: int = 4) -> list[dict[str, Json]]:
    """A few answers with reasons in words: the worst misses, the largest, and typical ones.

    Each is {"request", "as_of", "answer", "actual", "reasons", "chosen"}; numbers as text, `as_of` empty without days.
    """
    chosen = _choose(scored, number)
    fields = {f.name: f for f in read_manifest((release / MANIFEST).read_bytes()).predictor.request}
    with ReleaseHost(release, _digest(release)) as host:
        found: list[dict[str, Json]] = []
        for position, why in chosen:
            request = {k: _text(scored.columns[k][position]) for k in fields}
            as_of = _text(scored.columns[AS_OF][position]) if AS_OF in scored.columns else ""
            reasons = host.explain([request_of(request, fields)], as_of=as_of or None)[0]
            found.append({
                "request": request, "as_of": as_of, "reasons": list(reasons), "chosen": why,
                "answer": _answer(scored, position), "actual": f"{scored.role('truth')[position]:g}",
            })  # fmt: skip
    return found


def _score(release: Path, table: Path, *, truth: str) -> Scored:
    with tempfile.TemporaryDirectory() as folder, ReleaseHost(release, _digest(release)) as host:
        out = host.score(table, Path(folder) / "scored.npz", truth=truth)
        return cast("Scored", codecs.load("columns.npz", out, Scored))


def _digest(release: Path) -> str:
    """A release folder is named by the sha256 of its manifest; the host verifies it."""
    return f"sha256:{release.name}"


def _choose(scored: Scored, number: int) -> list[tuple[int, str]]:
    import numpy as np

    answer, truth = scored.role("answer"), scored.role("truth")
    miss = np.abs(answer - truth)
    worst = np.argsort(-miss, kind="stable")[:number]
    largest = np.argsort(-answer, kind="stable")[:number]
    middle = np.argsort(np.abs(miss - np.median(miss)), kind="stable")[:number]
    picked: dict[int, str] = {}
    for rows, why in (
        (worst, "one of the largest misses"),
        (largest, "one of the largest answers"),
        (middle, "a typical miss"),
    ):
        for row in rows:
            picked.setdefault(int(row), why)
    return list(picked.items())


def _answer(scored: Scored, position: int) -> str:
    text = f"{scored.role('answer')[position]:g}"
    if scored.low and scored.high:
        text += f" ({scored.role('low')[position]:g} to {scored.role('high')[position]:g})"
    return text


def _text(value: Any) -> str:
    """A cell as text; a whole number without its `.0`, a missing one as nothing."""
    if isinstance(value, float):  # numpy's float64, too
        return "" if value != value else f"{value:.0f}" if value.is_integer() and abs(value) < EXACT else repr(float(value))
    return str(value)
