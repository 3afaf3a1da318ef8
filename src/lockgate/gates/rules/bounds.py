"""Rules with several limits, each of which may be left out: time, memory and size; ages. Without any, nothing is judged."""

from __future__ import annotations

from decimal import Decimal

from lockgate.gates.rules.findings import Finding, together
from lockgate.gates.rules.ruling import Limits, Ruling, left_out, three_way
from lockgate.gates.rules.sentences import number
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["AGES", "WORDS", "affordable", "fresh"]

WORDS = {
    "p50_ms": "half of all answers take at most", "p95_ms": "95% of all answers take at most",
    "p99_ms": "99% of all answers take at most", "cold_start_s": "the first answer comes after",
    "memory_mb": "memory of a release host is", "artifact_mb": "the release's files are",
}  # fmt: skip
AGES = {
    "data_days": "the newest data that it answers from are", "model_days": "the newest data that it was fitted on are",
    "holdout_days": "the newest data that it was judged on are",
}  # fmt: skip


def affordable(evidence: Evidence, limits: Limits) -> Ruling:
    """Three-way for each limit that is set: pass when the whole interval is within it."""
    measured = {e.name: e for e in evidence.also}
    said = [_held(measured[name], limit) for name, limit in limits.items()]
    machine = evidence.params.get("machine") or {}
    if not said:
        return Ruling(outcome="fail", reason=f"No limit is set; one of {', '.join(WORDS)} is needed.")
    decision = together(said, evidence)
    where = f" Measured on {machine.get('cores')} cores of {machine.get('cpu')}, load {machine.get('load')} before."
    few = any(e.low is None for n, e in measured.items() if n in limits)
    settles = (
        "More recorded requests would settle it."
        if few
        else "A quieter or the intended machine would settle it; or a person weighs it."
    )
    return Ruling(
        outcome=decision.outcome,
        reason=decision.reason + where,
        settles=settles if decision.outcome == "uncertain" else "",
    )


def _held(estimate: Estimate, limit: Decimal) -> Finding:
    value, unit = Decimal(estimate.value or "NaN"), estimate.unit
    demand = f"at most {number(limit)} {unit} is allowed"
    text = f"{WORDS[estimate.name]} {number(value)} {unit}"
    if estimate.low is None or estimate.high is None:
        return ("uncertain", f"{text}; {demand}; {estimate.why}")
    low, high = Decimal(estimate.low), Decimal(estimate.high)
    reach = "" if low == high else f" ({number(low)} to {number(high)}; {estimate.n:,} measured)"
    return (three_way(low, high, limit), f"{text}{reach}; {demand}")


def fresh(evidence: Evidence, limits: Limits) -> Ruling:
    """Ages are exact; one that cannot be had fails when it has a limit, and so does a day of the future."""
    ages = {e.name: e for e in evidence.also}
    if not limits:
        return Ruling(
            outcome="fail", reason=f"No limit is set; one of {', '.join(f'max_{n}' for n in AGES)} is needed."
        )
    said = [_aged(ages[name.removeprefix("max_")], limit) for name, limit in limits.items()]
    unasked = tuple(line for line in evidence.not_assessed)
    decision = together(said, evidence)
    reason = decision.reason.removesuffix(left_out(evidence)) if unasked else decision.reason
    return Ruling(
        outcome=decision.outcome,
        reason=f"{reason.removesuffix('.')}; as of {evidence.params['as_of']}.{left_out(evidence)}",
    )


def _aged(age: Estimate, limit: Decimal) -> Finding:
    if age.value is None:
        return ("fail", f"{AGES[age.name]} of an age that cannot be had: {age.why}")
    days = Decimal(age.value)
    if days <= 0:
        return ("fail", f"{AGES[age.name]} from the future, {number(-days)} days after the day before as-of")
    text = f"{AGES[age.name]} {number(days)} day{'' if days == 1 else 's'} old; at most {number(limit)} is allowed"
    return ("pass" if days <= limit else "fail", text)
