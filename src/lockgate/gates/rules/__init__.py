"""Evidence to verdict. Pure: the same evidence and limits give the same verdict, and nothing else is looked at.

Three-way by interval: for a harm with interval [L, U] and limit d, pass if U <= d, fail if L > d, else
uncertain. A number that cannot be had fails, and so does one without an interval, unless only days, clusters or rows are
too few to have one: then it is uncertain. Each rule names its limits and their defaults in
`LIMITS`; None means that the declaration or `policy.toml` must set it, `OPTIONAL` that it may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from lockgate.errors import UsageError, did_you_mean
from lockgate.gates.rules import bounds, calibrated, counted, findings, groups, history, measured
from lockgate.gates.rules.ruling import (
    Limits,
    Ruling,
    finite,
    left_out,
    three_way,
    too_few,
)
from lockgate.gates.rules.sentences import capitalized
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, Verdict
from lockgate.records.wire import to_json

__all__ = ["LIMITS", "OPTIONAL", "judge", "limits_of", "three_way"]

OPTIONAL: Final = ""
COMPARING: Final = ("superior", "not_worse", "no_step_back", "no_slice_worse", "compatible")
"""Rules that compare with something that need not exist yet: a live release, an approved one."""
LIMITS: Mapping[str, Mapping[str, str | None]] = {
    "better": {"margin": "0"},
    "superior": {"margin": "0"},
    "within": {"at_least": OPTIONAL, "at_most": OPTIONAL},
    "no_step_back": {"tolerance": "0.05"},
    "no_slice_worse": {"margin": "0"},
    "gap_within": {"max_difference": "0.10"},
    "ratio_within": {"min_ratio": "0.8"},
    "bounded": {"at_most": None},
    "unbiased": {"max_bias": None},
    "parity_of_errors": {"worst_over_best": "1.25"},
    "calibrated": {"max_error": "0.05", "min_slope": "0.8", "max_slope": "1.25"},
    "represented": {"tolerance": "0.05"},
    "not_worse": {"margin": "0"},
    "alike": {"worst_over_best": "1.5"},
    "enough": {"min_rows": "1", "min_days": "1", "max_bad_share": "0"},
    "same_answers": {"max_rows": "0"},
    "nominal": {"nominal": "0.8", "tolerance": "0.05"},
    "holds": {},
    "at_most": {"at_most": None},
    "at_least": {"at_least": None},
    "nothing_refused": {},
    "documented": {},
    "compatible": {"max_breaking": "0"},
    "clean": {"max_shared_keys": "0", "max_near_share": "0.01", "max_future_rows": "0", "max_skill_share": "0.98"},
    "apart": {"min_gap_days": "1", "max_shared_groups": "0"},
    "same_features": {"max_share": "0"},
    "equivalent": {},
    "affordable": dict.fromkeys(bounds.WORDS, OPTIONAL),
    "fresh": dict.fromkeys((f"max_{name}" for name in bounds.AGES), OPTIONAL),
}
JUDGED: Mapping[str, int] = {
    **dict.fromkeys(("gap_within", "ratio_within", "bounded", "unbiased", "no_slice_worse", "calibrated", "nominal"), 1),
    "represented": 1, "alike": 2, "parity_of_errors": 2,
}  # fmt: skip
"""How many groups of a column must have been judged before a pass speaks for it: two where groups are held against each other."""
RULES: Mapping[str, Callable[[Evidence, Limits], Ruling]] = {
    "better": measured.better,
    "superior": measured.better,
    "within": measured.within,
    "no_step_back": history.no_step_back,
    "no_slice_worse": groups.no_slice_worse,
    "gap_within": groups.gap_within,
    "ratio_within": groups.ratio_within,
    "bounded": groups.bounded,
    "unbiased": groups.unbiased,
    "parity_of_errors": measured.alike,
    "calibrated": calibrated.calibrated,
    "represented": groups.represented,
    "not_worse": measured.not_worse,
    "alike": measured.alike,
    "enough": counted.enough,
    "same_answers": counted.same_answers,
    "nominal": measured.nominal,
    "holds": counted.holds,
    "at_most": measured.at_most,
    "at_least": measured.at_least,
    "nothing_refused": findings.nothing_refused,
    "documented": findings.documented,
    "compatible": findings.compatible,
    "clean": findings.clean,
    "apart": findings.apart,
    "same_features": findings.same_features,
    "equivalent": findings.equivalent,
    "affordable": bounds.affordable,
    "fresh": bounds.fresh,
}


def judge(evidence: Evidence, rule: str, limits: Mapping[str, Json]) -> Verdict:
    """Judge one gate's evidence. Never raises: what cannot be judged fails, and the reason says what is wrong.

    The number that decided travels with the verdict (`extra["statistic"]`), so that it is signed with it.

    >>> from lockgate.records.evidence import Estimate
    >>> share = Estimate(name="late", value="0.03", low="0.02", high="0.04", n=900, blocks=30)
    >>> found = Evidence(gate="late", kind="late", statistic=share, params={"words": "Share of late answers"})
    >>> judge(found, "at_most", {"at_most": "0.05"}).reason
    'Share of late answers is 0.03; 95% interval 0.02 to 0.04; at most 0.05 is allowed; 900 rows over 30 days.'
    """
    threshold: dict[str, Json] = {}
    try:
        bounds = limits_of(rule, limits)
        threshold = {name: format(value, "f") for name, value in bounds.items()}
        decision = _inapplicable(evidence, rule) or _unknown(evidence) or too_few(evidence)
        decision = decision or _whole(RULES[rule](evidence, bounds), evidence, rule)
    except UsageError as error:
        allowed = f" (allowed: {error.allowed})" if error.allowed else ""
        decision = Ruling(outcome="fail", reason=f"{capitalized(error.what)}: {error.value}{allowed}.")
    except (InvalidOperation, ArithmeticError, KeyError, TypeError, ValueError) as error:
        reason = f"The evidence cannot be read ({type(error).__name__}: {error})."
        decision = Ruling(outcome="fail", reason=reason)
    return Verdict(
        gate=evidence.gate, kind=evidence.kind, outcome=decision.outcome, reason=decision.reason,
        threshold=threshold, settles=decision.settles, extra=_signed(evidence),
    )  # fmt: skip


def _whole(decision: Ruling, evidence: Evidence, rule: str) -> Ruling:
    """A pass says something of every column that was asked for; one that could not be judged leaves it open.

    A crossing of two columns does not speak for either of them: all women may be too few, and still `man & white` is not.
    """
    asked, least = evidence.params.get("by"), JUDGED.get(rule, 0)
    if decision.outcome != "pass" or not isinstance(asked, list | tuple):
        return decision
    judged = Counter(by for by, _ in {(g.by, g.group) for g in evidence.groups})
    open_ = [str(column) for column in asked if judged[str(column)] < least]
    if not open_:
        return decision
    named = " and ".join(open_)
    fewer = "No group of" if least == 1 else "Fewer than two groups of"
    return Ruling(
        outcome="uncertain", reason=f"{fewer} {named} could be judged. {decision.reason}",
        settles=f"More rows of the groups of {named} would let it be judged; why each was not is listed as not judged.",
    )  # fmt: skip


def _signed(evidence: Evidence) -> dict[str, Json]:
    """What travels with the verdict: the number that decided and, of a metric, which definition it has."""
    definition = evidence.params.get("definition")
    return {"statistic": to_json(evidence.statistic)} | ({"definition": definition} if definition else {})


def limits_of(rule: str, given: Mapping[str, Json]) -> dict[str, Decimal]:
    """All limits of a rule as numbers: those given, else its defaults. Raises UsageError for an unknown or unset one."""
    if rule not in RULES:
        raise UsageError("no such rule", value=rule, allowed=did_you_mean(rule, RULES))
    for name in given:
        if name not in LIMITS[rule]:
            raise UsageError(f"rule '{rule}' has no such limit", value=name, allowed=did_you_mean(name, LIMITS[rule]))
    merged = {**LIMITS[rule], **given}
    return {name: finite(f"limit '{name}'", value) for name, value in merged.items() if value != OPTIONAL}


def _inapplicable(evidence: Evidence, rule: str) -> Ruling | None:
    """Only a comparison with another release may have nothing to compare with."""
    if rule in COMPARING and evidence.params.get("applicable") is False:
        why = evidence.params.get("why") or evidence.statistic.why
        reason = f"Nothing to compare with: {why}."
        return Ruling(outcome="not_applicable", reason=reason)
    return None


def _unknown(evidence: Evidence) -> Ruling | None:
    why = evidence.statistic.why or "no reason recorded"
    value = evidence.statistic.value
    if value is None or not Decimal(value).is_finite():
        return Ruling(outcome="fail", reason=f"This could not be measured: {why}.{left_out(evidence)}")
    return None
