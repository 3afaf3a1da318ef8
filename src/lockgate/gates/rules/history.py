"""The rule on history: no step back behind the best release that was ever approved."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from lockgate.gates.rules.decision import Decision, Limits, finite, interval, left_out, level, three_way
from lockgate.gates.rules.sentences import basis, capitalized, more_needed, number, percent
from lockgate.records.digest import short
from lockgate.records.evidence import Evidence

__all__ = ["no_step_back"]


def no_step_back(evidence: Evidence, limits: Limits) -> Decision:
    """The interval against the best value, widened by the tolerance. The best value is taken as it was signed."""
    value, low, high = interval(evidence)
    best = finite("the best approved value", {e.name: e for e in evidence.also}["best_approved"].value)
    flip = evidence.params["better"] == "higher"
    limit = best - abs(best) * limits["tolerance"] if flip else best + abs(best) * limits["tolerance"]
    outcome = three_way(-high, -low, -limit) if flip else three_way(low, high, limit)
    shown = percent if evidence.statistic.unit == "share" else number
    bound = f"at {'least' if flip else 'most'} {shown(limit)} ({percent(limits['tolerance'])} {'below' if flip else 'above'} it)"
    reason = (
        f"{capitalized(str(evidence.params['words']))} is {shown(value)}; {level(evidence.statistic)} {shown(low)} to "
        f"{shown(high)}; the best release approved so far ({_named(evidence)}) had {shown(best)}, and {bound} is allowed; "
        f"{basis(evidence.statistic)}."
    )
    end = _far_end(value, low, high, limit)
    settles = (
        more_needed(value, end, limit, evidence.statistic, passes=value >= limit if flip else value <= limit)
        if outcome == "uncertain"
        else ""
    )
    return Decision(outcome=outcome, reason=reason + left_out(evidence), settles=settles)


def _named(evidence: Evidence) -> str:
    day = dt.date.fromisoformat(str(evidence.params["approved"]))
    return f"{short(str(evidence.params['release']))} of {day:%-d %B %Y}"


def _far_end(value: Decimal, low: Decimal, high: Decimal, limit: Decimal) -> Decimal:
    return high if value <= limit else low
