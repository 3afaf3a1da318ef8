"""Rules on exact counts: enough rows, the same answers, promises that hold. A count has no interval."""

from __future__ import annotations

from decimal import Decimal

from lockgate.gates.rules.ruling import Limits, Ruling, left_out
from lockgate.gates.rules.sentences import number, percent
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, Outcome

__all__ = ["enough", "holds", "same_answers"]


def enough(evidence: Evidence, limits: Limits) -> Ruling:
    also = {estimate.name: Decimal(estimate.value or "NaN") for estimate in evidence.also}
    rows = Decimal(evidence.statistic.value or "NaN")
    per, smallest = evidence.params.get("per"), evidence.params.get("smallest")
    where = f" in the smallest group of {_column(str(per))} ({smallest})" if per and smallest is not None else ""
    days = also.get("days", Decimal(limits["min_days"] <= 1))  # rows without a day: any demand for several is not met
    short = [
        f"{number(limits['min_rows'])} rows{' in each group' if per else ''} are needed" * (rows < limits["min_rows"]),
        f"{number(limits['min_days'])} days are needed" * (days < limits["min_days"]),
        f"{percent(also['bad_share'])} of all rows are not good ({number(also['bad_rows'])}), "
        f"at most {percent(limits['max_bad_share'])} may be" * (also["bad_share"] > limits["max_bad_share"]),
    ]
    lacking = "; ".join(text for text in short if text)
    unit = next((name for name in ("days", "clusters") if name in also), "")
    reason = f"Good rows{where}: {number(rows)}" + (f"; different {unit}: {number(also[unit])}" if unit else "")
    # not `<`: a number that is not one must fail too
    good = rows >= limits["min_rows"] and days >= limits["min_days"]
    good = good and also["bad_share"] <= limits["max_bad_share"]
    outcome: Outcome = "pass" if good else "fail"
    return Ruling(outcome=outcome, reason=f"{reason}{'; ' + lacking if lacking else ''}.{left_out(evidence)}")


def _column(name: str) -> str:
    return name.replace("_", " ")


def same_answers(evidence: Evidence, limits: Limits) -> Ruling:
    differ, of = Decimal(evidence.statistic.value or "NaN"), evidence.statistic.n
    if not of:
        return Ruling(outcome="fail", reason="No training answer was replayed.")
    if differ <= limits["max_rows"]:
        some = f" but {number(differ)} (at most {number(limits['max_rows'])} allowed)" if differ else ""
        reason = f"All {of:,} training answers{some} can be had from {_what_was_known(evidence)}."
        return Ruling(outcome="pass", reason=reason)
    reason = (
        f"{number(differ)} of {of:,} training answers cannot be had from {_what_was_known(evidence)}: "
        f"training saw something that the release will not see.{_example(evidence)}"
    )
    return Ruling(outcome="fail", reason=reason)


def _what_was_known(evidence: Evidence) -> str:
    """Where answers depend on the day only the rows before it were known; elsewhere there is nothing but the request."""
    return "what was known on their day" if evidence.params.get("dated", True) else "what a request says"


def _example(evidence: Evidence) -> str:
    if not evidence.rows:
        return ""
    row = dict(evidence.rows[0])
    trained, replayed = row.pop("trained", None), row.pop("replayed", None)
    shown = [_short(trained), _short(replayed)]
    if shown[0] == shown[1] and trained is not None:  # rounding would hide the difference
        shown = [str(trained), str(replayed)]
    named = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items())
    return f" Worst: {named or 'one row'}: {shown[0]} in training, {shown[1]} replayed."


def _short(value: Json) -> str:
    return "no answer" if value is None else number(Decimal(str(value)))


def holds(evidence: Evidence, _limits: Limits) -> Ruling:
    differ, of = Decimal(evidence.statistic.value or "NaN"), evidence.statistic.n
    broken = {e.name: e for e in evidence.also}["consumer_examples_that_break"]
    breaks = Decimal(broken.value or "NaN")
    names = [str(name) for name in evidence.params.get("consumers") or ()]
    folder = evidence.params.get("folder")
    rows = (
        f"All {of:,} answers over HTTP equal evaluation's" if differ == 0
        else f"{number(differ)} of {of:,} answers over HTTP differ from evaluation's"
    )  # fmt: skip
    if folder and not names:
        return Ruling(outcome="fail", reason=f"{rows}; no consumer contract was found in '{folder}'.")
    kept = f"the contract{'s' if len(names) > 1 else ''} of {', '.join(names)} hold{'s' * (len(names) == 1)}"
    if breaks != 0:
        kept = f"{number(breaks)} of {broken.n:,} consumer examples break their contract{_first_break(evidence)}"
    outcome: Outcome = "pass" if differ == 0 and breaks == 0 and of > 0 else "fail"
    return Ruling(outcome=outcome, reason=f"{rows}; {kept if names else 'nobody consumes this release'}.")


def _first_break(evidence: Evidence) -> str:
    for row in evidence.rows:
        if "consumer" in row:
            why = "; ".join(map(str, row.get("problems") or [])) or f"HTTP status {row.get('status')}"
            return f" ({row['consumer']}: {why})"
    return ""
