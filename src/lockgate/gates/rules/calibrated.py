"""The rule on probabilities: not far off, and neither too sure nor too timid, over all rows and in every group."""

from __future__ import annotations

from decimal import Decimal

from lockgate.errors import UsageError
from lockgate.gates.rules.groups import RANK, Held, hold, settled
from lockgate.gates.rules.ruling import Limits, Ruling, left_out, level
from lockgate.gates.rules.sentences import basis, number, percent
from lockgate.records.evidence import Evidence

__all__ = ["calibrated"]


def calibrated(evidence: Evidence, limits: Limits) -> Ruling:
    """Calibration error at most `max_error`, slope between `min_slope` and `max_slope` (Cox 1958); the worst one decides."""
    if not evidence.groups:
        raise UsageError("this cannot be decided", value="neither calibration error nor slope has an interval")
    ends = {"slope": (limits["min_slope"], limits["max_slope"]), "calibration_error": (None, limits["max_error"])}
    held = sorted((hold(g, *ends[g.estimate.name]) for g in evidence.groups), key=lambda h: (RANK[h.outcome], h.room))
    first = held[0]
    say = _slope if first.estimate.name == "slope" else _error
    bad = sum(h.outcome == first.outcome for h in held)
    others = f" ({bad} of {len(held)} such numbers)" if first.outcome != "pass" and bad > 1 else ""
    at_once = f", for {len(held)} numbers at once" if len(held) > 1 else ""
    reason = f"{say(first, limits, at_once)}{others}; {basis(first.estimate)}.{left_out(evidence)}"
    return Ruling(outcome=first.outcome, reason=reason, settles=settled(first))


def _error(held: Held, limits: Limits, at_once: str) -> str:
    return (
        f"Probabilities for {held.name} are off by {percent(held.value)} on average; {level(held.estimate)} {percent(held.low)} to "
        f"{percent(held.high)}{at_once}; at most {percent(limits['max_error'])} is allowed"
    )


def _slope(held: Held, limits: Limits, at_once: str) -> str:
    side = "too sure" if held.value < 1 else "too timid"
    how = {"pass": "are neither too sure nor too timid", "fail": f"are {side}"}.get(held.outcome, f"may be {side}")
    return (
        f"Probabilities for {held.name} {how}: slope {_two(held.value)}; {level(held.estimate)} {_two(held.low)} to "
        f"{_two(held.high)}{at_once}; {number(limits['min_slope'])} to {number(limits['max_slope'])} is allowed"
    )


def _two(value: Decimal) -> str:
    return format(value.quantize(Decimal("0.01")), "f")
