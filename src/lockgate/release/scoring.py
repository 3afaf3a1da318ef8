"""Steps that ask a release host: score the holdout, replay training rows.

They run in the engine like every other step, so that scoring a release twice costs nothing (law 7: evidence is
computed through the packaged release).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import cast

from lockgate import codecs
from lockgate.evaluation.scored import Scored
from lockgate.release.client import ReleaseHost

__all__ = ["asked", "replayed", "scored"]

ANSWERED = "prediction"


def scored(release: Path, holdout: Path) -> Scored:
    """Answer every holdout row by the packaged release, at its own `as_of` where answers depend on the day."""
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


def _score(release: Path, table: Path, *, truth: str) -> Scored:
    with tempfile.TemporaryDirectory() as folder, ReleaseHost(release, _digest(release)) as host:
        out = host.score(table, Path(folder) / "scored.npz", truth=truth)
        return cast("Scored", codecs.load("columns.npz", out, Scored))


def _digest(release: Path) -> str:
    """A release folder is named by the sha256 of its manifest; the host verifies it."""
    return f"sha256:{release.name}"
