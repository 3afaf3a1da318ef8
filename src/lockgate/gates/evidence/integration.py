"""Does the deployed release answer over HTTP as evaluation did, and do its consumers get what they were promised?"""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.gates.evidence import EXAMPLES, unmeasured
from lockgate.gates.served import Served
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["evidence"]

KIND = "integration"
NAME = "answers_that_differ"


def evidence(served: Served, *, consumers: str | None = None) -> Evidence:
    """Count answers that are not equal to the bit, and consumer examples that break a promise.

    `consumers` is the folder the contracts were read from; None means that nobody consumes this release.
    """
    rows = len(served.requests)
    if not rows or not rows == len(served.evaluated) == len(served.answered):
        return unmeasured(
            KIND, NAME, "no holdout row was asked over HTTP" if not rows else "answers are lost or doubled"
        )
    compared = zip(served.requests, served.evaluated, served.answered, strict=True)
    differ: list[Mapping[str, Json]] = [
        {"request": dict(request), "evaluated": dict(ours), "served": None if theirs is None else dict(theirs)}
        for request, ours, theirs in compared
        if theirs is None or not _equal(ours, theirs)
    ]
    broken: list[Mapping[str, Json]] = [
        {"consumer": e.consumer, "request": dict(e.request), "status": e.status, "problems": list(e.problems)}
        for e in served.exchanges
        if e.problems or not 200 <= e.status < 300
    ]
    names = sorted({exchange.consumer for exchange in served.exchanges})
    return Evidence(
        gate=KIND, kind=KIND, statistic=_count(NAME, len(differ), rows),
        also=(_count("consumer_examples_that_break", len(broken), len(served.exchanges)),),
        rows=(*broken[:EXAMPLES], *differ[:EXAMPLES]), params={"folder": consumers, "consumers": names},
    )  # fmt: skip


def _equal(ours: Mapping[str, Json], theirs: Mapping[str, Json]) -> bool:
    """Every field that evaluation answered, equal to the bit; the envelope may hold more (release, time).

    NaN equals nothing: it is no JSON, so it was never an answer.
    """
    return all(name in theirs and theirs[name] == value for name, value in ours.items())


def _count(name: str, value: int, n: int) -> Estimate:
    return Estimate(name=name, value=str(value), n=n, method="every answer compared", unit="rows")
