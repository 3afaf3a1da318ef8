"""What a person should know before signing although no check fails on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lockgate.records.evidence import GroupEstimate, Verdict
from lockgate.records.pack import Decided
from lockgate.records.wire import from_json
from lockgate.release.rivals import is_no_better, same_answer, worse_for
from lockgate.release.wording import count, decimal_of, group_name, number, round_percent

if TYPE_CHECKING:
    from decimal import Decimal

    from lockgate.records.digest import Json
    from lockgate.records.findings import BesideRival
    from lockgate.records.pack import Metric
    from lockgate.records.release import Manifest

__all__ = ["cautions", "cautions_beside"]

FEW = 30  # of one kind, fewer say little
FAR_OFF = 0.05  # of the actual total: a month's order by such a sum would be visibly wrong


def cautions(manifest: Manifest, summary: Mapping[str, Json], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Uncommitted code, one side that is mostly missed, a sum far off, intervals that do not hold."""
    return (*_uncommitted(manifest), *_missed(summary), *_sum(summary), *_dishonest(summary, verdicts))


def cautions_beside(rivals: Sequence[BesideRival], metric: Metric) -> tuple[str, ...]:
    """No gain over the same answer for everybody, and groups that something else surely answers better."""
    return (*(same_answer(r, metric) for r in rivals if is_no_better(r, metric)), *worse_for(rivals, metric))


def _uncommitted(manifest: Manifest) -> Iterator[str]:
    if manifest.lineage.dirty:
        yield (
            "Code was changed and not committed when this release was built: "
            "the exact code is in the release, but in no commit that a colleague could review."
        )


def _missed(summary: Mapping[str, Json]) -> Iterator[str]:
    """A yes or a no that is given more often than not to those of whom the other came out."""
    every = next((from_json(Decided, d) for d in summary.get("decided", ())), None)
    if every is None:
        return
    yes, no = every.right_yes + every.wrong_no, every.right_no + every.wrong_yes
    for came_out, of, wrong, answered in (("yes", yes, every.wrong_no, "no"), ("no", no, every.wrong_yes, "yes")):
        if of >= FEW and wrong * 2 > of:
            yield f"Of {count(of, 'request')} that came out as a {came_out}, {wrong:,} ({wrong / of:.0%}) are answered {answered}."


def _sum(summary: Mapping[str, Json]) -> Iterator[str]:
    days = summary.get("days", ())
    actual, forecast = (math.fsum(d[side] for d in days) for side in ("actual", "forecast"))
    if not actual > 0 or abs(off := forecast / actual - 1) <= FAR_OFF:
        return
    yield (
        f"Added up over {count(len(days), 'day')} the forecast is {abs(off):.1%} {'below' if off < 0 else 'above'} what happened: "
        "each forecast is a middle, and middles do not add up. Do not order by their sum."
    )


def _dishonest(summary: Mapping[str, Json], verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Groups that get less than is allowed and surely less than is promised, or surely more than is allowed. All answers together have their check."""
    allowed = _allowed(verdicts)
    if allowed is None:
        return
    for group in (from_json(GroupEstimate, g) for g in summary.get("coverage", ())):
        low, high = decimal_of(group.estimate.low), decimal_of(group.estimate.high)
        value, promised = decimal_of(group.estimate.value), sum(allowed) / 2
        if group.by == "all" or value is None or low is None or high is None:
            continue
        short = value < allowed[0] and high < promised  # too narrow misleads; too wide only wastes, so it must be sure
        if not short and low <= allowed[1]:
            continue
        least, most = (round_percent(str(end)) for end in allowed)
        yield (
            f"Intervals are too {'narrow' if short else 'wide'} for one group ({group_name(group.by, group.group)}): "
            f"{number(group.estimate.value, 'share')} of its truths lie inside (95% interval {number(group.estimate.low, 'share')} "
            f"to {number(group.estimate.high, 'share')}); {least} to {most} is allowed for all answers together."
        )


def _allowed(verdicts: Sequence[Verdict]) -> tuple[Decimal, Decimal] | None:
    for verdict in verdicts:
        nominal, tolerance = (decimal_of(str(verdict.threshold.get(n))) for n in ("nominal", "tolerance"))
        if nominal is not None and tolerance is not None:
            return nominal - tolerance, nominal + tolerance
    return None
