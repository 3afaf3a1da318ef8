"""What was asked lately: requests and answers from the prediction log, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.proposals import first_proposal
from lockgate.serving.log import read_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.prediction import Prediction
    from lockgate.records.trust import Trusted

__all__ = ["MOST", "as_columns", "asked_lately"]

MOST = 5_000


def asked_lately(project: Project, trust: Trusted, *, release: str, environment: str) -> dict[str, Json] | None:
    """The newest answers that this machine's servers gave in an environment before the release was proposed; None: there are none.

    Later ones do not count, so that the same release gets the same page however long it waits for its reader.
    """
    since = first_proposal(trust.said, release)
    log = read_log(project.home / "predictions" / environment)
    found = [p for p in log if since is None or p.time < since.entry.time]
    newest = sorted(found, key=lambda p: (p.time, p.request_id))[-MOST:]
    return as_columns(newest) if newest else None


def as_columns(served: Sequence[Prediction]) -> dict[str, Json]:
    """Requests and answers as columns, and the days they were answered from."""
    rows = [{**p.output, **p.inputs} for p in served]
    names = dict.fromkeys(name for row in rows for name in row)
    days = sorted(p.as_of for p in served)
    return {
        "rows": len(rows),
        "first": days[0],
        "last": days[-1],
        "columns": {name: [row.get(name) for row in rows] for name in names},
    }
