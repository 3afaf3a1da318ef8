"""Groups beside each other in words: the worst first, and how each stands against all rows and against the best of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lockgate.gates.rules import sentences
from lockgate.records.evidence import Estimate, GroupEstimate
from lockgate.records.pack import Metric
from lockgate.release.wording import SHARE, decimal_of, group_name, number, plain

__all__ = ["compared", "worst_first"]


def worst_first(groups: Sequence[GroupEstimate], metric: Metric) -> tuple[GroupEstimate, ...]:
    """Order groups by the metric, worst first; groups without a number last; ties by name."""

    def key(g: GroupEstimate) -> tuple[bool, Decimal, str, str]:
        value = decimal_of(g.estimate.value)
        if value is None:
            return (True, Decimal(0), g.by, g.group)
        return (False, -value if metric.lower_is_better else value, g.by, g.group)

    return tuple(sorted(groups, key=key))


def compared(one: GroupEstimate, groups: Sequence[GroupEstimate], overall: Estimate | None, metric: Metric) -> str:
    """How a group stands against all rows and against the best of its kind; "clearly" when its whole interval does."""
    value = decimal_of(one.estimate.value)
    if value is None:
        return f"not measured: {one.estimate.why or 'no reason recorded'}"
    parts = (_against_all(one.estimate, value, overall, metric), _against_best(one, value, groups, metric))
    return "; ".join(p for p in parts if p) or "nothing to compare with"


def _against_all(estimate: Estimate, value: Decimal, overall: Estimate | None, metric: Metric) -> str:
    average = decimal_of(overall.value) if overall else None
    if average is None:
        return ""
    low, high = decimal_of(estimate.low), decimal_of(estimate.high)
    words = f"{_gap(value, average, metric)} the average"
    if low is None or high is None:
        return words
    if low <= average <= high:
        return f"not clearly different: {words}"
    return f"clearly {'worse' if (low > average) == metric.lower_is_better else 'better'}: {words}"


def _against_best(one: GroupEstimate, value: Decimal, groups: Sequence[GroupEstimate], metric: Metric) -> str:
    peers = [g for g in worst_first(groups, metric) if g.by == one.by and decimal_of(g.estimate.value) is not None]
    if len(peers) < 2:
        return ""
    best = peers[-1]
    if best.group == one.group:
        return f"the best by {plain(one.by)}"
    return f"{_gap(value, decimal_of(best.estimate.value), metric)} the best ({group_name(best.by, best.group)})"


def _gap(value: Decimal, other: Decimal | None, metric: Metric) -> str:
    """Errors compare as ratios; scores, which may be near 1, as differences."""
    other = other or Decimal(0)
    if metric.lower_is_better and other > 0:
        return f"{round(value / other, 2)} times"
    gap, side = abs(value - other), "above" if value > other else "below"
    if metric.unit == SHARE:
        return f"{sentences.percent(gap).removesuffix('%')} points {side}"
    return f"{number(str(gap), metric.unit)} {side}"
