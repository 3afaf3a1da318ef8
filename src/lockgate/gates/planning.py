"""What a gate will say before anybody trains: from limits and what is known of the holdout to chances per true difference.

Two ways in: numbers that somebody states (`of_numbers`), and the last evidence of a gate (`of_evidence`), whose interval
says how well this holdout can tell. Pure: records in, records out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil, inf, isfinite, sqrt

from lockgate.errors import UsageError
from lockgate.evaluation.blocks import LEAST_BLOCKS
from lockgate.evaluation.verdict_chances import (
    Asked,
    Chances,
    chances,
    distance_resolved,
    growth_needed,
    rate_gap,
    reach_of,
)
from lockgate.gates.questions import CEILING, DIFFERENCE, PARITY, RATIO, Question, Reads, Scale, question
from lockgate.gates.rules.ruling import Limits
from lockgate.gates.rules.sentences import basis, percent
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["GatePlan", "Row", "of_evidence", "of_numbers"]

COUNTED = ("enough", "same_answers", "holds")
WHERE = (
    (0.0, "no difference"),
    (0.5, "half way"),
    (1.0, "the limit"),
    (1.5, "half as far again"),
    (2.0, "twice as far"),
)
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
        needed: rows (or days, clusters) that let a truth at `needed_at` pass four times in five; None: no number does.
        unit: of `needed`.
        reads: how `true`, `resolves` and `needed_at` are written: a number, a share in per cent, so many times, or a harm: a share above zero where it is worse.
    """

    gate: str
    asks: str
    basis: str
    rows: tuple[Row, ...] = ()
    resolves: float | None = None
    needed: int | None = None
    needed_at: float | None = None
    unit: str = "rows"
    reads: Reads = "number"
    why: str = ""


def of_numbers(
    *, rows: int | None, limit: float | None, rate: float | None = None, groups: int | None = None,
    discordance: float | None = None, accuracy: float | None = None, spread: float | None = None,
) -> GatePlan:  # fmt: skip
    """A plan from what somebody states. Exactly one of `rate`, `discordance` and `spread` says what kind of number it is.

    `accuracy`: what the live release reaches, of which the champion gate's margin is a share; it goes with `discordance`.
    Raises UsageError naming what is missing, too much or impossible.
    """
    kinds = {"rate": rate, "discordance": discordance, "spread": spread}
    given = [name for name, value in kinds.items() if value is not None]
    if rows is None or limit is None or len(given) != 1:
        raise UsageError(
            "a plan from numbers needs --rows, --limit, and one of --rate, --discordance and --spread",
            value=", ".join([n for n, v in {"rows": rows, "limit": limit}.items() if v is not None] + given) or "none",
            next="lockgate gate plan --rows 2000 --rate 0.3 --groups 2 --limit 0.1",
        )  # fmt: skip
    if rows < 2:
        raise UsageError("--rows is impossible", value=str(rows), allowed="2 or more")
    if not isfinite(limit):
        raise UsageError("--limit is impossible", value=f"{limit:g}", allowed="a finite number")
    if accuracy is not None and discordance is None:
        raise UsageError(
            "an accuracy needs a discordance", value=f"{accuracy:g}", allowed="--discordance P --accuracy A"
        )
    if rate is not None:
        limit = _within("limit", limit, 1)
        return _of_shares(rows=rows, rate=_within("rate", rate, 1), limit=limit, groups=1 if groups is None else groups)
    if groups is not None:
        raise UsageError("groups need a rate", value=str(groups), allowed="--rate P --groups G")
    if discordance is not None:
        return _of_answers(rows=rows, discordance=discordance, accuracy=accuracy, limit=limit)
    return _of_spread(rows=rows, spread=_within("spread", spread or 0.0, inf), limit=limit)


def _within(name: str, value: float, high: float) -> float:
    if not 0 < value < high:
        allowed = "more than 0" + (f", less than {high:g}" if isfinite(high) else "")
        raise UsageError(f"--{name} is impossible", value=f"{value:g}", allowed=allowed)
    return value


def _of_shares(*, rows: int, rate: float, limit: float, groups: int) -> GatePlan:
    """A gap in a rate between groups of equal size, each against the rest; with one group, the rate against its limit."""
    if groups != 1:
        error, comparisons = rate_gap(rate, rows, groups)
        asked = Asked(limit=limit, error=error, both_sides=True, comparisons=comparisons)
        words = f"{rows:,} rows in {groups} groups of equal size, rate {rate:g}"
        return _plan("groups", f"gap of {limit:g} at most, either way", words, asked, DIFFERENCE, have=rows)
    asked = Asked(limit=limit, error=sqrt(rate * (1 - rate) / rows))
    easy = rate if rate < limit else None
    return _plan("rate", f"at most {limit:g}", f"{rows:,} rows, rate {rate:g}", asked, CEILING, have=rows, easy=easy)


def _of_answers(*, rows: int, discordance: float, accuracy: float | None, limit: float) -> GatePlan:
    """Accuracy against the live release, same rows; `discordance` is the share of them that only one of the two gets right.

    As the gate measures it: the difference and its limit are shares of what the live release reaches.
    """
    if accuracy is None:
        raise UsageError(
            "--discordance needs --accuracy: what may be lost is a share of what the live release reaches", value=f"{discordance:g}",
            allowed="--accuracy A, the share of rows that the live release gets right",
            next=f"lockgate gate plan --rows {rows} --discordance {discordance:g} --accuracy 0.85 --limit {limit:g}",
        )  # fmt: skip
    accuracy, discordance = _within("accuracy", accuracy, 1), _within("discordance", discordance, 1)
    most = 2 * min(accuracy, 1 - accuracy)  # of two that are as good, each is right alone on half of these
    if discordance > most:
        what = f"--discordance is impossible when two releases get {accuracy:g} right"
        raise UsageError(what, value=f"{discordance:g}", allowed=f"at most {most:g}")
    if not 0 <= limit < 1:
        raise UsageError("--limit is impossible", value=f"{limit:g}", allowed="0 or more, less than 1")
    asked = Asked(limit=limit, error=sqrt(discordance / rows) / accuracy)
    words = f"{rows:,} rows, {discordance:g} of them right in only one of the two"
    share = percent(Decimal(str(limit)))
    asks = f"accuracy at most {share} lower than the live release's {accuracy:g}" if limit else "accuracy no lower"
    return _plan("champion", asks, words, asked, DIFFERENCE, have=rows, reads="harm")


def _of_spread(*, rows: int, spread: float, limit: float) -> GatePlan:
    """A mean of independent rows whose standard deviation is `spread`, such as a difference of losses."""
    asked = Asked(limit=limit, error=spread / sqrt(rows))
    words = f"{rows:,} rows, standard deviation {spread:g}"
    return _plan("mean", f"at most {limit:g}", words, asked, DIFFERENCE, have=rows)


def of_evidence(gate: str, rule: str, limits: Limits, evidence: Evidence) -> GatePlan:
    """What the gate can tell on the holdout of its last evidence; `why` says so where nothing can be said."""
    asks = question(rule, limits, evidence)
    if asks is None:
        counts = rule in COUNTED
        why = "a count is exact" if counts else "it holds several numbers against several limits"
        return GatePlan(
            gate=gate, asks="it counts" if counts else "see its evidence", basis=basis(evidence.statistic), why=why
        )
    found = asks.found
    error = _error(asks, found)
    if error is None:
        return GatePlan(
            gate=gate,
            asks=asks.words,
            basis=basis(found),
            why=f"when it was judged last, {found.why}" if found.why else "it has no interval yet",
        )
    asked = Asked(
        limit=asks.scale.to_work(asks.limit), error=error, both_sides=asks.both_sides, comparisons=asks.comparisons,
        others=tuple(other for e in asks.others if (other := _error(asks, e)) is not None),
        passes_widened=asks.passes_widened, blocks=found.blocks, level=float(found.level),
        fails_beyond=None if asks.fails_beyond is None else asks.scale.to_work(asks.fails_beyond),
    )  # fmt: skip
    rows = int(found.extra.get("rows") or found.n) if found.block == "row" else found.n
    where = f"least certain is {asks.group}, {basis(replace(found, n=rows))}" if asks.group else basis(found)
    unit = f"{found.block}s" + (f" of {asks.group}" if asks.group and found.block == "row" else "")
    return _plan(gate, asks.words, where, asked, asks.scale, have=found.blocks or rows, unit=unit, reads=asks.reads)


def _error(asks: Question, found: Estimate) -> float | None:
    """The standard error that an interval gives away, on the working scale; of a ratio from the end away from 1."""
    if found.value is None or found.low is None or found.high is None:
        return None
    one_sided = asks.scale in (RATIO, PARITY)
    near = found.value if one_sided else found.low
    far = found.low if asks.scale is PARITY else found.high
    try:
        width = abs(asks.scale.to_work(float(far)) - asks.scale.to_work(float(near)))
    except ValueError:  # zero has no logarithm
        return None
    freedom = float(found.blocks - 1) if found.blocks > 1 else inf
    reach = reach_of(float(found.level), comparisons=asks.comparisons if asks.joint else 1, freedom=freedom)
    error = width / reach / (1 if one_sided else 2)
    return error if error > 0 and isfinite(error) else None


def _plan(
    gate: str, asks: str, words: str, asked: Asked, scale: Scale,
    *, have: int, unit: str = "rows", easy: float | None = None, reads: Reads = "number",
) -> GatePlan:  # fmt: skip
    distance = distance_resolved(asked)
    rows = tuple(
        Row(true=scale.to_read(at), where=where, chances=chances(asked, at))
        for at, where in _truths(asked, scale, distance)
    )
    easy = _easy(asked, scale, distance) if easy is None else easy
    growth = growth_needed(asked, easy)
    return GatePlan(
        gate=gate, asks=asks, basis=words, rows=rows, resolves=_apart(asked, scale, distance + asked.fails - asked.limit), unit=unit, reads=reads,
        needed=max(ceil(have * growth), 2 if unit.startswith("row") else LEAST_BLOCKS) if isfinite(growth) else None, needed_at=scale.to_read(easy),
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
