"""Is the holdout large and clean enough to judge anything?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.scored import Scored, Unit
from lockgate.gates.evidence import EXAMPLES
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, decimal

__all__ = ["evidence"]

KIND = "enough_good_data"


def evidence(scored: Scored, *, per: str | None = None) -> Evidence:
    """Count good rows, in each group of `per` when it is given. Counts are exact, so they have no interval.

    A good row is dated (and belongs to a cluster) where the table has such a column, its truth and its answer are
    numbers, and no row before it is the same request. `days` or `clusters` are counted where they are resampled.
    """
    bad = _faults(scored)
    good = np.array([not fault for fault in bad], dtype=bool)
    blocks = 0 if scored.unit == "row" else len(np.unique(scored.column(scored.blocks)[good]))
    names = scored.labels(per) if per else np.full(len(scored), "all rows")
    counts = sorted((int((good & (names == name)).sum()), str(name)) for name in np.unique(names))
    least = counts[0][0] if counts else 0
    rows: list[dict[str, Json]] = [{**scored.row(at), "fault": fault} for at, fault in enumerate(bad) if fault]
    groups = [GroupEstimate(by=per, group=name, estimate=_count("good_rows", n)) for n, name in counts if per]
    share = len(rows) / len(bad) if bad else 0.0
    return Evidence(
        gate=KIND, kind=KIND,
        statistic=_count("good_rows_in_smallest_group" if per else "good_rows", least, blocks, scored.unit),
        also=(
            _count("good_rows", int(good.sum()), blocks, scored.unit),
            *([_count(f"{scored.unit}s", blocks, blocks, scored.unit)] if blocks or scored.unit == "day" else []),
            _count("bad_rows", len(rows), blocks, scored.unit),
            Estimate(name="bad_share", value=decimal(share), n=len(bad), unit="share"),
        ),
        groups=tuple(groups), rows=tuple(rows[:EXAMPLES]),
        params={"per": per, "smallest": counts[0][1] if counts and per else None},
    )  # fmt: skip


def _faults(scored: Scored) -> list[str]:
    """Per row what is wrong with it, or nothing."""
    truth, answer = ~np.isfinite(scored.role("truth")), ~np.isfinite(scored.role("answer"))
    checks = [
        (scored.day_is_missing(), "no date"),
        (scored.block_is_missing(), f"no {scored.cluster or 'date'}"),
        (truth, "no truth"),
        (answer, "no answer"),
        (_again(scored), "twice"),
    ]
    return [next((words for mask, words in checks if mask[at]), "") for at in range(len(scored))]


def _again(scored: Scored) -> NDArray[np.bool_]:
    seen: set[tuple[object, ...]] = set()
    again = np.zeros(len(scored), dtype=bool)
    if scored.identity:
        for at, key in enumerate(zip(*(scored.column(k).tolist() for k in scored.identity), strict=True)):
            again[at] = key in seen
            seen.add(key)
    return again


def _count(name: str, value: int, blocks: int = 0, block: Unit = "day") -> Estimate:
    extra: dict[str, Json] = {} if block == "day" or not blocks else {"block": block}
    return Estimate(name=name, value=str(value), n=value, blocks=blocks, method="exact count", unit="rows", extra=extra)
