"""Steps that ask a release host: score the holdout, replay training rows, explain a few answers.

They run in the engine like every other step, so that scoring a release twice costs nothing (law 7: evidence is
computed through the packaged release).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

from lockgate import codecs
from lockgate.evaluation.scored import Scored
from lockgate.records.digest import Json
from lockgate.release.client import ReleaseHost

__all__ = ["asked", "cases", "replayed", "scored"]

ANSWERED = "prediction"


def scored(release: Path, holdout: Path) -> Scored:
    """Answer every holdout row at its own `as_of`, by the packaged release."""
    return _score(release, holdout, truth="actual")


def replayed(release: Path, trained: Path) -> Scored:
    """Answer training rows again; truth is the answer that training had, from the training table."""
    return _score(release, trained, truth=ANSWERED)


def asked(holdout: Path) -> dict[str, int]:
    """On which days a holdout's questions are asked, as ISO text → how many; the table alone is read."""
    from collections import Counter

    from lockgate.release.frames import Table

    table = cast("Table", codecs.load("polars.ipc", holdout, Table))
    days = table["as_of"].to_list() if "as_of" in table.columns else []
    return dict(sorted(Counter(str(day) for day in days if day is not None).items()))


def cases(release: Path, scored: Scored, number: int = 4) -> list[dict[str, Json]]:
    """A few answers with reasons in words: the worst misses, the largest, and typical ones.

    Each is {"request", "as_of", "answer", "actual", "reasons", "chosen"}; numbers as text.
    """
    chosen = _choose(scored, number)
    with ReleaseHost(release, _digest(release)) as host:
        found: list[dict[str, Json]] = []
        for position, why in chosen:
            request = {k: _text(scored.columns[k][position]) for k in scored.keys}
            as_of = _text(scored.columns["as_of"][position])
            reasons = host.explain([request], as_of=as_of)[0]
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
    return str(value)
