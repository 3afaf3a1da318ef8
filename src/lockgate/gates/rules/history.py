"""The rule on history: no step back behind the best release that was ever approved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from lockgate.gates.rules.ruling import Limits, Ruling, finite, interval, left_out, level, three_way
from lockgate.gates.rules.sentences import basis, capitalized, more_needed, number, percent
from lockgate.records.digest import short
from lockgate.records.evidence import Estimate, Evidence, Outcome

__all__ = ["allowed_behind", "no_step_back"]

LUCKY = "It is behind that number, which may itself have been luck, as its interval says; no more data settles that, a person must weigh it."


def no_step_back(evidence: Evidence, limits: Limits) -> Ruling:
    """It passes within the best value as it was signed, widened by the tolerance; it fails beyond the end of its interval, too.

    The best of many values is one that was lucky (the winner's curse), so that as good a release would seem to step back.
    """
    value, low, high = interval(evidence)
    e, signed = evidence.statistic, {e.name: e for e in evidence.also}["best_approved"]
    best, flip = finite("the best approved value", signed.value), evidence.params["better"] == "higher"
    limit, beyond = allowed_behind(signed, limits["tolerance"], flip=flip)
    harm = (-high, -low) if flip else (low, high)
    within, stays = three_way(*harm, -limit if flip else limit), three_way(*harm, -beyond if flip else beyond)
    is_lucky = within == "fail" and stays != "fail"
    shown = percent if e.unit == "share" else number
    bound = f"at {'least' if flip else 'most'} {shown(limit)} ({percent(limits['tolerance'])} {'below' if flip else 'above'} it)"
    reason = (
        f"{capitalized(str(evidence.params['words']))} is {shown(value)}; {level(e)} {shown(low)} to {shown(high)}; "
        f"the best release approved so far ({_named(evidence)}) had {shown(best)}{_reach(signed, shown)}, and {bound} is allowed; {basis(e)}."
    )
    settles = LUCKY if is_lucky else ""
    if within == "uncertain":
        passes = value >= limit if flip else value <= limit
        settles = more_needed(value, _far_end(value, low, high, limit), limit, e, passes=passes)
    outcome: Outcome = "uncertain" if is_lucky else within
    return Ruling(outcome=outcome, reason=reason + left_out(evidence), settles=settles)


def allowed_behind(signed: Estimate, tolerance: Decimal, *, flip: bool) -> tuple[Decimal, Decimal]:
    """What is no worse than the best approved value by the tolerance, and than the worse end of its interval. `flip`: higher is better."""
    best = finite("the best approved value", signed.value)
    limit, beyond = (_behind(at, tolerance, flip=flip) for at in (best, _far(signed, best, flip=flip)))
    return limit, beyond


def _behind(best: Decimal, tolerance: Decimal, *, flip: bool) -> Decimal:
    """What is worse than this by the tolerance."""
    return best + abs(best) * tolerance * (-1 if flip else 1)


def _far(signed: Estimate, best: Decimal, *, flip: bool) -> Decimal:
    """The worse end of the best value's own interval; the value where none was signed."""
    end = signed.low if flip else signed.high
    return best if end is None else finite("the end of the best approved value's interval", end)


def _reach(signed: Estimate, shown: Callable[[Decimal], str]) -> str:
    if signed.low is None or signed.high is None:
        return ""
    return f" (interval {shown(Decimal(signed.low))} to {shown(Decimal(signed.high))})"


def _named(evidence: Evidence) -> str:
    day = dt.date.fromisoformat(str(evidence.params["approved"]))
    return f"{short(str(evidence.params['release']))} of {day:%-d %B %Y}"


def _far_end(value: Decimal, low: Decimal, high: Decimal, limit: Decimal) -> Decimal:
    return high if value <= limit else low
