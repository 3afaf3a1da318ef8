"""What every rule shares: a decision, the three-way choice, and what must be said beside a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from lockgate.errors import UsageError
from lockgate.gates.rules.sentences import basis, capitalized, group, higher_or_lower, number, percent
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, Outcome

__all__ = [
    "Limits",
    "Ruling",
    "finite",
    "interval",
    "left_out",
    "level",
    "three_way",
    "too_few",
    "within_range",
    "worst",
]

Limits = Mapping[str, Decimal]
NAMED = 6  # so many are named in the sentence; the evidence lists all
SEVERITY: tuple[Outcome, ...] = ("fail", "uncertain", "pass", "not_applicable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule makes of evidence, before it becomes a verdict."""

    outcome: Outcome
    reason: str
    settles: str = ""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst outcome counts; none at all is a fail: an empty list of checks proves nothing."""
    found = set(outcomes)
    return min(found, key=SEVERITY.index) if found else "fail"


def three_way(low: Decimal, high: Decimal, limit: Decimal, *, strict: bool = False) -> Outcome:
    """Hold a harm's interval against its limit; `strict` asks it to be truly below.

    >>> three_way(Decimal("0.1"), Decimal("0.2"), Decimal("0.15"))
    'uncertain'
    """
    if not (low.is_finite() and high.is_finite() and limit.is_finite()) or low > high:
        return "fail"
    if high < limit or (high == limit and not strict):
        return "pass"
    return "fail" if low > limit or (strict and low == limit) else "uncertain"


def within_range(low: Decimal, high: Decimal, floor: Decimal | None, ceiling: Decimal | None) -> Outcome:
    """Hold an interval against a floor, a ceiling or both: the worse of the two counts.

    >>> within_range(Decimal("0.78"), Decimal("0.84"), Decimal("0.75"), Decimal("0.85"))
    'pass'
    """
    held: list[Outcome] = []
    if ceiling is not None:
        held.append(three_way(low, high, ceiling))
    if floor is not None:
        held.append(three_way(-high, -low, -floor))
    return worst(held)


def finite(what: str, value: Json) -> Decimal:
    """Read a decimal that must be a finite number. Raises UsageError."""
    try:
        found = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise UsageError(f"{what} is not a number", value=str(value), allowed="a finite number")
    return found


def interval(evidence: Evidence) -> tuple[Decimal, Decimal, Decimal]:
    """Value, low, high. Raises UsageError when there is no interval: no number decides alone."""
    e = evidence.statistic
    if e.value is None or e.low is None or e.high is None:
        raise UsageError(
            "this cannot be decided", value=e.why or f"no interval of {e.name.replace('_', ' ')} was recorded"
        )
    return Decimal(e.value), finite("low", e.low), finite("high", e.high)


def too_few(evidence: Evidence) -> Ruling | None:
    """Uncertain, where a number is known and so few days, clusters or rows stand behind it that it has no interval.

    Such an interval would reach without end, so that it straddles every limit.
    """
    e, least = evidence.statistic, evidence.statistic.extra.get("least")
    if least is None or e.value is None or (e.low is not None and e.high is not None):
        return None
    have, unit = e.blocks or e.n, e.block
    reason = (
        f"{_said(evidence)}, but {basis(e)} are too few {unit}s to say how sure that is: at least {least} are needed."
    )
    more = int(str(least)) - have
    settles = f"{more} more {unit}{'s' * (more != 1)} would let it be judged, which need not settle it."
    return Ruling(outcome="uncertain", reason=reason + left_out(evidence), settles=settles)


def _said(evidence: Evidence) -> str:
    """The number alone, in words."""
    e, params = evidence.statistic, evidence.params
    value, what = Decimal(str(e.value)), capitalized(str(params.get("words") or e.name.replace("_", " ")))
    if "against" in params and e.name == "relative_difference":
        return f"{what} is {higher_or_lower(value)}{' as' if value == 0 else ' than'} {params['against']}"
    return f"{what} is {percent(value) if e.unit == 'share' else number(value)}"


def level(estimate: Estimate) -> str:
    """`95% interval`."""
    return f"{number(Decimal(estimate.level) * 100)}% interval"


def left_out(evidence: Evidence) -> str:
    """Name everything that was not judged; nothing is dropped silently."""
    if not evidence.not_assessed:
        return ""
    parts = [_named(line) for line in evidence.not_assessed[:NAMED]]
    more = len(evidence.not_assessed) - len(parts)
    rest = f"; and {more:,} more, listed in the evidence" if more else ""
    return f" Not judged: {'; '.join(parts)}{rest}."


def _named(line: str) -> str:
    head, equals, rest = line.partition(" = ")
    name, colon, reason = rest.partition(": ")
    return f"{group(head, name)} ({reason})" if equals and colon else line.replace("_", " ")
