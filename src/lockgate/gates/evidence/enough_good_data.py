"""Is the holdout large and clean enough to judge anything?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.matching import numbered, seen_before
from lockgate.evaluation.scored import Scored, Unit
from lockgate.gates.evidence import EXAMPLES
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, decimal

__all__ = ["evidence"]

KIND = "enough_good_data"
GOOD = 0


def evidence(scored: Scored, *, per: str | None = None) -> Evidence:
    """Count good rows, in each group of `per` when it is given. Counts are exact, so they have no interval.

    A good row is dated (and belongs to a cluster) where the table has such a column, its truth and its answer are
    numbers, and no row before it is the same request. `days` or `clusters` are counted where they are resampled.
    """
    fault = _faults(scored)
    good = fault == GOOD
    bad = np.flatnonzero(~good)
    blocks = 0 if scored.unit == "row" else len(np.unique(scored.column(scored.blocks)[good]))
    counts = _counted(scored, good, per)
    least = counts[0][0] if counts else 0
    words = ("", "no date", f"no {scored.cluster or 'date'}", "no truth", "no answer", "twice")
    rows: list[dict[str, Json]] = [{**scored.row(int(at)), "fault": words[fault[at]]} for at in bad[:EXAMPLES]]
    groups = [GroupEstimate(by=per, group=name, estimate=_count("good_rows", n)) for n, name in counts if per]
    share = len(bad) / len(scored) if len(scored) else 0.0
    return Evidence(
        gate=KIND, kind=KIND,
        statistic=_count("good_rows_in_smallest_group" if per else "good_rows", least, blocks, scored.unit),
        also=(
            _count("good_rows", int(good.sum()), blocks, scored.unit),
            *([_count(f"{scored.unit}s", blocks, blocks, scored.unit)] if blocks or scored.unit == "day" else []),
            _count("bad_rows", len(bad), blocks, scored.unit),
            Estimate(name="bad_share", value=decimal(share), n=len(scored), unit="share"),
        ),
        groups=tuple(groups), rows=tuple(rows),
        params={"per": per, "smallest": counts[0][1] if counts and per else None},
    )  # fmt: skip


def _counted(scored: Scored, good: NDArray[np.bool_], per: str | None) -> list[tuple[int, str]]:
    """Good rows of each group, the fewest first."""
    if per is None:
        return [(int(good.sum()), "all rows")] if len(scored) else []
    names, group = scored.groups(per)
    return sorted(zip(np.bincount(group[good], minlength=len(names)).tolist(), names.tolist(), strict=True))


def _faults(scored: Scored) -> NDArray[np.int8]:
    """Per row the number of its first fault, or GOOD: no date, no block, no truth, no answer, twice."""
    truth, answer = ~np.isfinite(scored.role("truth")), ~np.isfinite(scored.role("answer"))
    again = seen_before(numbered(scored.named_by())[0]) if scored.identity else np.zeros(len(scored), dtype=np.bool_)
    checks = (scored.day_is_missing(), scored.block_is_missing(), truth, answer, again)
    return np.select(checks, [np.int8(number) for number in range(1, len(checks) + 1)], np.int8(GOOD))


def _count(name: str, value: int, blocks: int = 0, block: Unit = "day") -> Estimate:
    extra: dict[str, Json] = {} if block == "day" or not blocks else {"block": block}
    return Estimate(name=name, value=str(value), n=value, blocks=blocks, method="exact count", unit="rows", extra=extra)
