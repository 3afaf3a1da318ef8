"""What each rule asks of a number, as a limit on a scale: the half of a plan that depends on the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import exp, log
from typing import Any, Literal

from lockgate.gates.rules.groups import points
from lockgate.gates.rules.history import allowed_behind
from lockgate.gates.rules.ruling import Limits
from lockgate.gates.rules.sentences import group, number, percent, times
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["CEILING", "DIFFERENCE", "PARITY", "RATIO", "Question", "Reads", "Scale", "question"]

Reads = Literal["number", "percent", "times", "harm"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How a limit is written, and the scale on which the estimate is normal.

    Attributes:
        neutral: the value that means no harm, as it is written; None: there is none (an error of 0.6 against at most 0.7).
    """

    to_work: Callable[[float], float]
    to_read: Callable[[float], float]
    neutral: float | None = 0.0


def _same(value: float) -> float:
    return value


def _mirrored(value: float) -> float:
    return -value


def _parity_to_work(value: float) -> float:
    return -log(value)


def _parity_to_read(value: float) -> float:
    return exp(-value)


DIFFERENCE = Scale(_same, _same)
RATIO = Scale(log, exp, 1.0)
PARITY = Scale(_parity_to_work, _parity_to_read, 1.0)
CEILING = Scale(_same, _same, None)
FLOOR = Scale(_mirrored, _mirrored, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a rule asks, in words and as a limit; `both_sides`, `comparisons` and `passes_widened` as in `Asked`.

    Attributes:
        found: the estimate whose interval says how well the holdout can tell: the number that decides or, of groups, that of
            `group`, which has the widest interval; `others` are those of the other groups.
        joint: whether that interval was widened for the comparisons already.
        reads: how values are written: `harm` is a share above zero where the release is worse.
        fails_beyond: as in `Asked`.
    """

    found: Estimate
    group: str = ""
    others: tuple[Estimate, ...] = ()
    limit: float
    words: str
    scale: Scale = DIFFERENCE
    both_sides: bool = False
    comparisons: int = 1
    passes_widened: bool = True
    joint: bool = True
    reads: Reads = "number"
    fails_beyond: float | None = None


def question(rule: str, limits: Limits, evidence: Evidence) -> Question | None:
    """What the rule asks of this evidence; None for rules on counts, which have no interval."""
    return ASKED[rule](limits, evidence) if rule in ASKED else None


def _better(limits: Limits, evidence: Evidence) -> Question:
    margin = limits["margin"]
    side = f"{_side(evidence, good=True)} than the baseline"
    words = f"more than {percent(margin)} {side}" if margin else side
    return Question(found=evidence.statistic, limit=-float(margin), words=words, reads="harm")


def _not_worse(limits: Limits, evidence: Evidence) -> Question:
    margin = limits["margin"]
    side = _side(evidence, good=False)
    words = f"at most {percent(margin)} {side} than the live release" if margin else f"no {side} than the live release"
    return Question(found=evidence.statistic, limit=float(margin), words=words, reads="harm")


def _no_slice_worse(limits: Limits, evidence: Evidence) -> Question:
    asked = _not_worse(limits, evidence)
    words = f"{asked.words} in each of {len(evidence.groups)} groups"
    return Question(
        **_of_groups(evidence), limit=asked.limit, words=words, reads="harm", joint=False, passes_widened=False,
        comparisons=max(1, len(evidence.groups)),
    )  # fmt: skip


def _side(evidence: Evidence, *, good: bool) -> str:
    return "higher" if (evidence.params.get("better") == "higher") == good else "lower"


def _no_step_back(limits: Limits, evidence: Evidence) -> Question:
    """Against the best approved value as it was signed; it fails beyond that number's own interval only, as the rule has it."""
    tolerance = limits["tolerance"]
    signed = next((e for e in evidence.also if e.name == "best_approved" and e.value), None)
    is_up = evidence.params.get("better") == "higher"
    words = f"at most {percent(tolerance)} {_side(evidence, good=False)} than the best approved"
    share = evidence.statistic.unit == "share"
    if signed is None:
        return Question(
            found=Estimate(name="none", value=None, why="no release is approved yet"), limit=0.0, words=words
        )
    limit, beyond = allowed_behind(signed, tolerance, flip=is_up)
    return Question(
        found=evidence.statistic, limit=float(limit), fails_beyond=float(beyond), words=words,
        scale=FLOOR if is_up else CEILING, reads="percent" if share else "number",
    )  # fmt: skip


def _alike(limits: Limits, evidence: Evidence) -> Question:
    """Every two groups of one column are compared."""
    limit, groups = limits["worst_over_best"], [g.by for g in evidence.groups]
    pairs = sum(groups.count(by) * (groups.count(by) - 1) // 2 for by in set(groups))
    return Question(
        found=evidence.statistic, limit=float(limit), words=f"worst of {len(groups)} groups at most {times(limit)} the best",
        scale=RATIO, both_sides=True, comparisons=max(1, pairs), reads="times",
    )  # fmt: skip


def _nominal(limits: Limits, evidence: Evidence) -> Question:
    tolerance = limits["tolerance"]
    words = f"within {percent(tolerance)} of {percent(limits['nominal'])}"
    return Question(found=evidence.statistic, limit=float(tolerance), words=words, both_sides=True, reads="percent")


def _within(limits: Limits, evidence: Evidence) -> Question:
    """A floor, a ceiling; of both the one that is nearer."""
    ends = {name: limits[name] for name in ("at_least", "at_most") if name in limits}
    value = Decimal(evidence.statistic.value or 0)
    name = min(ends, key=lambda end: abs(ends[end] - value))
    return _held(name, ends[name], evidence)


def _at_most(limits: Limits, evidence: Evidence) -> Question:
    return _held("at_most", limits["at_most"], evidence)


def _at_least(limits: Limits, evidence: Evidence) -> Question:
    return _held("at_least", limits["at_least"], evidence)


def _held(name: str, limit: Decimal, evidence: Evidence) -> Question:
    share = evidence.statistic.unit == "share"
    words = f"{name.replace('_', ' ')} {percent(limit) if share else number(limit)}"
    scale = CEILING if name == "at_most" else FLOOR
    return Question(
        found=evidence.statistic, limit=float(limit), words=words, scale=scale, reads="percent" if share else "number"
    )


def _gap(limit: str, words: str) -> Callable[[Limits, Evidence], Question]:
    """Differences of groups that must lie inside ± the limit, all at once."""

    def asked(limits: Limits, evidence: Evidence) -> Question:
        share = evidence.statistic.unit == "share"
        shown = points(limits[limit]) if share else number(limits[limit])
        return Question(
            **_of_groups(evidence), limit=float(limits[limit]), both_sides=True, comparisons=_compared(evidence),
            words=f"{words} at most {shown} either way, {len(evidence.groups)} groups", reads="percent" if share else "number",
        )  # fmt: skip

    return asked


def _ratio_within(limits: Limits, evidence: Evidence) -> Question:
    """The smaller rate over the larger; 1 is no difference. Its inverse is what must stay small."""
    limit = limits["min_ratio"]
    return Question(
        **_of_groups(evidence), limit=float(limit), words=f"ratio at least {number(limit)}, {len(evidence.groups)} groups",
        scale=PARITY, both_sides=True, comparisons=_compared(evidence), reads="times",
    )  # fmt: skip


def _bounded(limits: Limits, evidence: Evidence) -> Question:
    share = evidence.statistic.unit == "share"
    shown = percent(limits["at_most"]) if share else number(limits["at_most"])
    return Question(
        **_of_groups(evidence), limit=float(limits["at_most"]), words=f"at most {shown} in each of {len(evidence.groups)} groups",
        scale=CEILING, comparisons=max(1, len(evidence.groups)),
        reads="percent" if share else "number",
    )  # fmt: skip


def _of_groups(evidence: Evidence) -> dict[str, Any]:
    """The group that can be told least about, and the others."""
    known = [g for g in evidence.groups if g.estimate.low is not None and g.estimate.high is not None]
    if not known:
        return {"found": evidence.statistic}
    widest = max(known, key=lambda g: Decimal(g.estimate.high or 0) - Decimal(g.estimate.low or 0))
    others = tuple(g.estimate for g in known if g is not widest) if _compared(evidence) > 1 else ()
    return {"found": widest.estimate, "group": group(widest.by, widest.group), "others": others}


def _compared(evidence: Evidence) -> int:
    """Comparisons that are made: of two groups held against each other there is one."""
    number_of = len(evidence.groups)
    return 1 if number_of == 2 and evidence.params.get("against") == "the rest" else max(1, number_of)


ASKED: Mapping[str, Callable[[Limits, Evidence], Question]] = {
    "better": _better,
    "superior": _better,
    "not_worse": _not_worse,
    "no_slice_worse": _no_slice_worse,
    "no_step_back": _no_step_back,
    "alike": _alike,
    "parity_of_errors": _alike,
    "nominal": _nominal,
    "within": _within,
    "at_most": _at_most,
    "at_least": _at_least,
    "gap_within": _gap("max_difference", "gap"),
    "ratio_within": _ratio_within,
    "bounded": _bounded,
    "unbiased": _gap("max_bias", "bias"),
    "represented": _gap("tolerance", "share off by"),
}
