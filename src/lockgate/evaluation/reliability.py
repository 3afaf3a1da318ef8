"""Do scores mean what they say? Of all rows that were given a score near 30%, do about 30% come true, in every group?

Rows are sorted by score and cut into bins of equal size, so that no bin rests on a handful of rows. The gap is the mean
distance of said and happened over the bins (expected calibration error, equal mass: Naeini, Cooper and Hauskrecht 2015).
It is never below zero, so a small group shows a gap by chance alone; the bins' intervals say how much that may be. All rows
together say which way scores are off: the mean of what was said beside the share that happened (calibration in the large).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.intervals import wilson
from lockgate.evaluation.scored import Scored
from lockgate.records.digest import Json
from lockgate.records.evidence import decimal
from lockgate.records.findings import Reliability, ReliabilityBin
from lockgate.records.wire import to_json

__all__ = ["reliability", "reliable"]

BINS = 10
PER_BIN = 20  # below it a bin's interval is wider than anything one could see in it
Floats = NDArray[np.float64]


def reliability(scored: Scored, by: Sequence[str] = ()) -> list[Json]:
    """`Reliability` of all rows and of each group: a step of the engine. Empty when answers carry no score."""
    if scored.score is None:
        return []
    return [to_json(r) for r in _all(scored, by)]


def reliable(said: Floats, happened: Floats, *, by: str, group: str) -> Reliability:
    """One group's scores (0..1) against what happened (0 or 1).

    >>> reliable(np.array([0.0, 1.0] * 50), np.array([0.0, 1.0] * 50), by="all", group="all answers").gap
    '0'
    """
    count = min(BINS, len(said) // PER_BIN)
    if count < 1:
        return Reliability(by=by, group=group, gap=None, n=len(said), why=f"{len(said)} rows, fewer than {PER_BIN}")
    order = np.lexsort((happened, said))
    parts = [(said[rows], happened[rows]) for rows in np.array_split(order, count)]
    gap = sum(len(s) * abs(s.mean() - h.mean()) for s, h in parts) / len(said)
    bins, every = tuple(_bin(s, h) for s, h in parts), _bin(said, happened)
    return Reliability(
        by=by, group=group, gap=decimal(float(gap)), n=len(said), bins=bins, said=every.said, happened=every.happened
    )


def _bin(said: Floats, happened: Floats) -> ReliabilityBin:
    share = wilson(float(happened.sum()), len(happened))
    return ReliabilityBin(said=decimal(float(said.mean())) or "", happened=share.estimate("happened", "share"))


def _all(scored: Scored, by: Sequence[str]) -> Iterator[Reliability]:
    said, happened = scored.role("score"), scored.role("truth")
    known = np.isfinite(said) & np.isfinite(happened)
    yield reliable(said[known], happened[known], by="all", group="all answers")
    for column in (b for b in by if b in scored.columns):
        labels = scored.labels(column)
        for group in np.unique(labels).tolist():
            rows = known & (labels == group)
            yield reliable(said[rows], happened[rows], by=column, group=group)
