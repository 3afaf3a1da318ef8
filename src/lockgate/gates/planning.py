"""What a gate will say before anybody trains: from limits and what is known of the holdout to chances per true difference.

Two ways in: numbers that somebody states (`of_numbers`), and the last evidence of a gate
(`of_evidence`), whose interval says how well this holdout can tell. Pure: records in, records out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, isfinite, log, sqrt

from lockgate.errors import UsageError
from lockgate.evaluation.planning import (
    Asked,
    Chances,
    chances,
    distance_resolved,
    growth_needed,
    rate_gap,
    reach_of,
)
from lockgate.gates.rules.decision import Limits
from lockgate.gates.rules.sentences import basis, number, percent
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["GatePlan", "Row", "of_evidence", "of_numbers"]

WHERE = ((0.0, "no difference"), (0.5, "half the limit"), (1.0, "the limit"), (1.5, "beyond"), (2.0, "twice the limit"))
AROUND = ((-1.0, "well within"), (-0.5, "within"), (0.0, "the limit"), (0.5, "beyond"), (1.0, "far beyond"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The chances at one true value, as the limit is written, and in words where it lies."""

    true: float
    where: str
    chances: Chances


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePlan:
    """What one gate can tell.

    Attributes:
        asks: the limit in words.
        basis: rows, days and groups that this rests on.
        rows: empty when `why` says that nothing can be planned.
        resolves: how far from the limit the truth must lie to be decided four times in five, as the limit is written.
        needed: rows (or days) that let a truth at `needed_at` pass four times in five; None: no number does.
        unit: of `needed`.
    """

    gate: str
    asks: str
    basis: str
    rows: tuple[Row, ...] = ()
    resolves: float | None = None
    needed: int | None = None
    needed_at: float | None = None
    unit: str = "rows"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a limit is written, and the scale on which the estimate is normal. `neutral` None: no value means no harm."""

    to_work: Callable[[float], float]
    to_read: Callable[[float], float]
    neutral: float | None = 0.0


def _same(value: float) -> float:
    return value


def _mirrored(value: float) -> float:
    return -value


DIFFERENCE = Scale(_same, _same)
RATIO = Scale(log, exp, 1.0)
CEILING = Scale(_same, _same, None)
FLOOR = Scale(_mirrored, _mirrored, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a rule asks of a number, in words and as a limit; see `Asked` for the other fields."""

    limit: float
    words: str
    scale: Scale = DIFFERENCE
    both_sides: bool = False
    comparisons: int = 1


def of_numbers(
    *, rows: int | None, limit: float | None, rate: float | None = None, groups: int | None = None,
    discordance: float | None = None, spread: float | None = None,
) -> GatePlan:  # fmt: skip
    """A plan from what somebody states. Exactly one of `rate`, `discordance` and `spread` says what kind of number it is.

    Raises UsageError naming what is missing, too much or impossible.
    """
    kinds = {"rate": rate, "discordance": discordance, "spread": spread}
    given = [name for name, value in kinds.items() if value is not None]
    if rows is None or limit is None or len(given) != 1:
        raise UsageError(
            "a plan from numbers needs rows, a limit, and one of rate, discordance and spread",
            value=", ".join([n for n, v in {"rows": rows, "limit": limit}.items() if v is not None] + given) or "none",
            next="lockgate gate plan --rows 2000 --rate 0.3 --groups 2 --limit 0.1",
        )  # fmt: skip
    _within("rows", rows, 2, inf)
    if rate is not None:
        return of_shares(rows=rows, rate=_within("rate", rate, 0, 1), limit=limit, groups=groups or 1)
    if groups is not None:
        raise UsageError("groups need a rate", value=str(groups), allowed="--rate P --groups G")
    if discordance is not None:
        return of_answers(rows=rows, discordance=_within("discordance", discordance, 0, 1), limit=limit)
    return of_spread(rows=rows, spread=_within("spread", spread or 0.0, 0, inf), limit=limit)


def _within(name: str, value: float, low: float, high: float) -> float:
    if not low < value < high and not (name == "rows" and value == low):
        allowed = f"more than {low:g}" + (f", less than {high:g}" if isfinite(high) else "")
        raise UsageError(f"--{name} is impossible", value=f"{value:g}", allowed=allowed)
    return value


def of_shares(*, rows: int, rate: float, limit: float, groups: int = 1) -> GatePlan:
    """A gap in a rate between groups of equal size, each against the rest; with one group, the rate against its limit."""
    if groups > 1:
        error, comparisons = rate_gap(rate, rows, groups)
        asked = Asked(limit=limit, error=error, both_sides=True, comparisons=comparisons)
        words = f"{rows:,} rows in {groups} groups of equal size, rate {rate:g}"
        return _plan("groups", f"gap of {limit:g} at most, either way", words, asked, DIFFERENCE, have=rows)
    asked = Asked(limit=limit, error=sqrt(rate * (1 - rate) / rows))
    easy = rate if rate < limit else None
    return _plan("rate", f"at most {limit:g}", f"{rows:,} rows, rate {rate:g}", asked, CEILING, have=rows, easy=easy)


def of_answers(*, rows: int, discordance: float, limit: float) -> GatePlan:
    """Accuracy against the live release, same rows; `discordance` is the share of them that only one of the two gets right."""
    asked = Asked(limit=limit, error=sqrt(discordance / rows))
    words = f"{rows:,} rows, {discordance:g} of them right in only one of the two"
    return _plan("champion", f"accuracy at most {limit:g} lower", words, asked, DIFFERENCE, have=rows)


def of_spread(*, rows: int, spread: float, limit: float) -> GatePlan:
    """A mean of independent rows whose standard deviation is `spread`, such as a difference of losses."""
    asked = Asked(limit=limit, error=spread / sqrt(rows))
    words = f"{rows:,} rows, standard deviation {spread:g}"
    return _plan("mean", f"at most {limit:g}", words, asked, DIFFERENCE, have=rows)


def of_evidence(gate: str, rule: str, limits: Limits, evidence: Evidence) -> GatePlan:
    """What the gate can tell on the holdout of its last evidence; `why` says so where nothing can be said."""
    found = evidence.statistic
    if rule not in ASKED:
        return GatePlan(gate=gate, asks="counts, which have no interval", basis=basis(found), why="a count is exact")
    question = ASKED[rule](limits, evidence)
    error = _error(found, question)
    if error is None:
        return GatePlan(gate=gate, asks=question.words, basis=basis(found), why=found.why or "it has no interval yet")
    asked = Asked(
        limit=question.scale.to_work(question.limit), error=error, both_sides=question.both_sides,
        comparisons=question.comparisons, blocks=found.blocks, level=float(found.level),
    )  # fmt: skip
    have, unit = (found.blocks, "days") if found.blocks else (found.n, "rows")
    return _plan(gate, question.words, basis(found), asked, question.scale, have=have, unit=unit)


def _error(found: Estimate, question: Question) -> float | None:
    """The standard error that an interval gives away, on the working scale; of a ratio from its upper end, as it stops at 1."""
    if found.value is None or found.low is None or found.high is None:
        return None
    start = found.value if question.scale is RATIO else found.low
    try:
        width = abs(question.scale.to_work(float(found.high)) - question.scale.to_work(float(start)))
    except ValueError:  # zero has no logarithm
        return None
    freedom = float(found.blocks - 1) if found.blocks > 1 else inf
    reach = reach_of(float(found.level), comparisons=question.comparisons, freedom=freedom)
    error = width / reach / (1 if question.scale is RATIO else 2)
    return error if error > 0 and isfinite(error) else None


def _plan(
    gate: str, asks: str, words: str, asked: Asked, scale: Scale, *, have: int, unit: str = "rows", easy: float | None = None
) -> GatePlan:  # fmt: skip
    distance = distance_resolved(asked)
    rows = tuple(
        Row(true=scale.to_read(at), where=where, chances=chances(asked, at))
        for at, where in _truths(asked, scale, distance)
    )
    easy = _easy(asked, scale, distance) if easy is None else easy
    growth = growth_needed(asked, easy)
    return GatePlan(
        gate=gate, asks=asks, basis=words, rows=rows, resolves=_apart(asked, scale, distance), unit=unit,
        needed=ceil(have * growth) if isfinite(growth) else None, needed_at=scale.to_read(easy),
    )  # fmt: skip


def _truths(asked: Asked, scale: Scale, distance: float) -> Sequence[tuple[float, str]]:
    """The true values that are shown: parts of the limit or, where that is nothing, around it."""
    if scale.neutral is None or asked.limit <= 0:
        return [(asked.limit + part * distance, where) for part, where in AROUND]
    return [(part * asked.limit, where) for part, where in WHERE]


def _easy(asked: Asked, scale: Scale, distance: float) -> float:
    """The truth that should pass: no difference; without one, as far within the limit as is resolved now."""
    return 0.0 if scale.neutral is not None and asked.limit > 0 else asked.limit - distance


def _apart(asked: Asked, scale: Scale, distance: float) -> float:
    return abs(scale.to_read(asked.limit + distance) - scale.to_read(asked.limit))


def _better(limits: Limits, evidence: Evidence) -> Question:
    margin = limits["margin"]
    words = f"more than {percent(margin)} {_side(evidence, good=True)}" if margin else _side(evidence, good=True)
    return Question(limit=-float(margin), words=words)


def _not_worse(limits: Limits, evidence: Evidence) -> Question:
    margin = limits["margin"]
    side = _side(evidence, good=False)
    return Question(limit=float(margin), words=f"at most {percent(margin)} {side}" if margin else f"no {side}")


def _side(evidence: Evidence, *, good: bool) -> str:
    return "higher" if (evidence.params.get("better") == "higher") == good else "lower"


def _alike(limits: Limits, evidence: Evidence) -> Question:
    """Every two groups of one column are compared."""
    limit, groups = limits["worst_over_best"], [g.by for g in evidence.groups]
    pairs = sum(groups.count(by) * (groups.count(by) - 1) // 2 for by in set(groups))
    words = f"worst group at most {number(limit)} times the best"
    return Question(limit=float(limit), words=words, scale=RATIO, both_sides=True, comparisons=max(1, pairs))


def _nominal(limits: Limits, _evidence: Evidence) -> Question:
    tolerance = limits["tolerance"]
    words = f"within {percent(tolerance)} of {percent(limits['nominal'])}"
    return Question(limit=float(tolerance), words=words, both_sides=True)


def _at_most(limits: Limits, _evidence: Evidence) -> Question:
    return Question(limit=float(limits["at_most"]), words=f"at most {number(limits['at_most'])}", scale=CEILING)


def _at_least(limits: Limits, _evidence: Evidence) -> Question:
    return Question(limit=float(limits["at_least"]), words=f"at least {number(limits['at_least'])}", scale=FLOOR)


ASKED: Mapping[str, Callable[[Limits, Evidence], Question]] = {
    "better": _better,
    "superior": _better,
    "not_worse": _not_worse,
    "alike": _alike,
    "nominal": _nominal,
    "at_most": _at_most,
    "at_least": _at_least,
}
