"""Rules on numbers with an interval: better, not worse, alike, nominal, at most, at least."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lockgate.errors import UsageError
from lockgate.gates.rules.groups import Held, decided, settled
from lockgate.gates.rules.ruling import (
    Limits,
    Ruling,
    interval,
    left_out,
    level,
    three_way,
    within_range,
    worst,
)
from lockgate.gates.rules.sentences import (
    basis,
    capitalized,
    group,
    higher_or_lower,
    more_needed,
    number,
    percent,
    span,
    times,
)  # fmt: skip
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence

__all__ = ["alike", "at_least", "at_most", "better", "nominal", "not_worse", "within"]


def better(evidence: Evidence, limits: Limits) -> Ruling:
    """Superior: the whole interval on the good side of the margin, and not just touching it."""
    return _compared(evidence, -limits["margin"], strict=True)


def not_worse(evidence: Evidence, limits: Limits) -> Ruling:
    """Not inferior: the interval may reach the margin and not beyond."""
    return _compared(evidence, limits["margin"], strict=False)


def _compared(evidence: Evidence, limit: Decimal, *, strict: bool) -> Ruling:
    value, low, high = interval(evidence)
    flip = evidence.params.get("better") == "higher"
    harm, harm_low, harm_high = (-value, -high, -low) if flip else (value, low, high)
    outcome = three_way(harm_low, harm_high, limit, strict=strict)
    wanted = _wanted(limit, strict=strict, word="higher" if flip else "lower", bad="lower" if flip else "higher")
    words, against = capitalized(str(evidence.params["words"])), evidence.params["against"]
    change = f"the same as {against}" if value == 0 else f"{higher_or_lower(value)} than {against}"
    reason = f"{words} is {change}{_both(evidence)}; {level(evidence.statistic)} {span(low, high, evidence.statistic.block)}; {basis(evidence.statistic)}."
    doubt = {
        "pass": "",
        "fail": f" It must be {wanted}.",
        "uncertain": f" It must be {wanted}, which this does not prove.",
    }
    bound = harm_high if harm <= limit else harm_low
    settles = (
        more_needed(harm, bound, limit, evidence.statistic, passes=harm <= limit) if outcome == "uncertain" else ""
    )
    return Ruling(outcome=outcome, reason=reason + doubt.get(outcome, "") + left_out(evidence), settles=settles)


def _both(evidence: Evidence) -> str:
    """The two values themselves: how much better one is than another says nothing of how good they are."""
    values = [(Decimal(e.value), e.unit) for e in evidence.also[:2] if e.value is not None]
    if len(values) < 2:
        return ""
    ours, theirs = (percent(v) if unit == "share" else number(v) for v, unit in values)
    apart = percent(abs(values[0][0] - values[1][0])).removesuffix("%")
    return f", {ours} against {theirs}" + f" ({apart} points)" * (values[0][1] == "share")


def _wanted(limit: Decimal, *, strict: bool, word: str, bad: str) -> str:
    if limit < 0:
        return f"{'more than' if strict else 'at least'} {percent(-limit)} {word}"
    if limit == 0:
        return word if strict else f"no {bad}"
    return f"at most {percent(limit)} {bad}"


def alike(evidence: Evidence, limits: Limits) -> Ruling:
    value, low, high = interval(evidence)
    limit = limits["worst_over_best"]
    outcome = three_way(low, high, limit)
    last, first = (group(**_pair(evidence.params[end])) for end in ("worst", "best"))
    words = capitalized(str(evidence.params["words"]))
    reason = (
        f"{words} of the worst group ({last}) is {times(value)} that of the best ({first}); "
        f"{level(evidence.statistic)} {times(low).removesuffix(' times')} to {times(high)}, corrected for picking "
        f"the worst of {len(evidence.groups)} groups; at most {times(limit)} is allowed.{left_out(evidence)}"
    )
    bound = high if value <= limit else low
    settles = (
        more_needed(value, bound, limit, evidence.statistic, passes=value <= limit) if outcome == "uncertain" else ""
    )
    return Ruling(outcome=outcome, reason=reason, settles=settles)


def _pair(named: Json) -> dict[str, str]:
    return {"by": str(named["by"]), "name": str(named["group"])}


def nominal(evidence: Evidence, limits: Limits) -> Ruling:
    """Two limits: the interval of the true share inside [nominal - tolerance, nominal + tolerance], and in every group."""
    value, low, high = interval(evidence)
    floor, ceiling = limits["nominal"] - limits["tolerance"], limits["nominal"] + limits["tolerance"]
    overall = within_range(low, high, floor, ceiling)
    promise = f"{percent(limits['nominal'])} are promised, {percent(floor)} to {percent(ceiling)} is allowed"
    reason = (
        f"{percent(value)} of truths lie inside the answered interval; {promise}; {level(evidence.statistic)} "
        f"{percent(low)} to {percent(high)}; {basis(evidence.statistic)}"
    )
    held = decided(evidence, floor, ceiling) if evidence.groups else []
    outcome = worst([overall, *(h.outcome for h in held)])
    near, bound = (ceiling, high) if value >= limits["nominal"] else (floor, low)
    bound = bound if floor <= value <= ceiling else (low if value > ceiling else high)
    settles = (
        more_needed(value, bound, near, evidence.statistic, passes=floor <= value <= ceiling)
        if overall == outcome == "uncertain"
        else ""
    )
    if outcome == "uncertain" and not settles:
        settles = settled(held[0])
    return Ruling(outcome=outcome, reason=f"{reason}{_worst_covered(held)}.{left_out(evidence)}", settles=settles)


def _worst_covered(held: Sequence[Held]) -> str:
    """The group that decides, beside the overall share."""
    if not held:
        return ""
    first = held[0]
    return (
        f"; of {first.name} {percent(first.value)}, {level(first.estimate)} {percent(first.low)} to {percent(first.high)} for "
        f"{len(held)} groups at once, {basis(first.estimate)}"
    )


def within(evidence: Evidence, limits: Limits) -> Ruling:
    """A floor, a ceiling, or both. Raises UsageError when neither is set."""
    floor, ceiling = limits.get("at_least"), limits.get("at_most")
    if floor is None and ceiling is None:
        raise UsageError("no limit is set", value="neither at_least nor at_most", allowed="one of them, or both")
    value, low, high = interval(evidence)
    outcome = within_range(low, high, floor, ceiling)
    shown = percent if evidence.statistic.unit == "share" else number
    what = capitalized(str(evidence.params.get("words") or evidence.gate))
    demands = [f"at least {shown(floor)} is needed"] if floor is not None else []
    demands += [f"at most {shown(ceiling)} is allowed"] if ceiling is not None else []
    reach = f"{level(evidence.statistic)} {shown(low)} to {shown(high)}"
    reason = f"{what} is {shown(value)}; {reach}; {' and '.join(demands)}; {basis(evidence.statistic)}."
    settles = _settled(evidence, floor, ceiling) if outcome == "uncertain" else ""
    return Ruling(outcome=outcome, reason=reason + left_out(evidence), settles=settles)


def _settled(evidence: Evidence, floor: Decimal | None, ceiling: Decimal | None) -> str:
    """What would move the interval off the nearest limit that lies in it."""
    value, low, high = interval(evidence)
    near = min(
        (limit for limit in (floor, ceiling) if limit is not None and low <= limit <= high),
        key=lambda limit: abs(limit - value),
    )
    bound = high if value <= near else low
    passes = (floor is None or value >= floor) and (ceiling is None or value <= ceiling)
    return more_needed(value, bound, near, evidence.statistic, passes=passes)


def at_most(evidence: Evidence, limits: Limits) -> Ruling:
    return _held(evidence, limits["at_most"], "at most", sign=1)


def at_least(evidence: Evidence, limits: Limits) -> Ruling:
    return _held(evidence, limits["at_least"], "at least", sign=-1)


def _held(evidence: Evidence, limit: Decimal, words: str, *, sign: int) -> Ruling:
    value, low, high = interval(evidence)
    outcome = three_way(low, high, limit) if sign > 0 else three_way(-high, -low, -limit)
    shown = percent if evidence.statistic.unit == "share" else number
    what = evidence.params.get("words") or evidence.gate
    reach = f"{level(evidence.statistic)} {shown(low)} to {shown(high)}"
    demand = f"{words} {shown(limit)} is {'allowed' if sign > 0 else 'needed'}"
    reason = f"{what} is {shown(value)}; {reach}; {demand}; {basis(evidence.statistic)}."
    bound = high if value <= limit else low
    settles = (
        more_needed(value, bound, limit, evidence.statistic, passes=sign * value <= sign * limit)
        if outcome == "uncertain"
        else ""
    )
    return Ruling(outcome=outcome, reason=reason + left_out(evidence), settles=settles)
