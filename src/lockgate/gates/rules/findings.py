"""Rules on what was found in a release, its card, its data and its schema: counts that must be zero, or within a limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from lockgate.gates.rules.ruling import Limits, Ruling, left_out, level, three_way, worst
from lockgate.gates.rules.sentences import capitalized, number, percent
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, Outcome

__all__ = ["apart", "clean", "compatible", "documented", "equivalent", "nothing_refused", "same_features"]

Finding = tuple[Outcome, str]
NAMED = 3  # so many are named in the sentence; the evidence lists all


def together(said: Sequence[Finding], evidence: Evidence) -> Ruling:
    """The worst outcome, with the sentences that led to it first; what a person must weigh settles what is uncertain."""
    outcome = worst(o for o, _ in said)
    reasons = [text for o, text in said if o == outcome] if outcome != "pass" else [text for _, text in said]
    if outcome == "fail":
        reasons += [text for o, text in said if o == "uncertain"]
    settles = (
        "A person must look at it; no more data of the same kind would settle it." if outcome == "uncertain" else ""
    )
    return Ruling(outcome=outcome, reason=f"{capitalized('; '.join(reasons))}.{left_out(evidence)}", settles=settles)


def nothing_refused(evidence: Evidence, _limits: Limits) -> Ruling:
    refused, of = _value(evidence.statistic), evidence.statistic.n
    kinds = ", ".join(evidence.params.get("kinds") or ())
    if not of:
        return Ruling(outcome="fail", reason="The release holds no file.")
    if refused == 0:
        return Ruling(
            outcome="pass", reason=f"All {of:,} files are what their names say, of allowed formats ({kinds})."
        )
    named = [f"{row['file']}: {row['why']}" for row in evidence.rows[:NAMED]]
    reason = f"{number(refused)} of {of:,} files must not be in a release: {_listed(named, int(refused))}."
    return Ruling(outcome="fail", reason=reason)


def documented(evidence: Evidence, _limits: Limits) -> Ruling:
    missing, of = _value(evidence.statistic), evidence.statistic.n
    if missing == 0 and of:
        card: Mapping[str, Json] = evidence.params.get("card") or {}
        until = f"; to be reviewed by {card['review_by']}" if "review_by" in card else ""
        return Ruling(outcome="pass", reason=f"All {of} required fields of the model card are written{until}.")
    named = [f"{row['field']} ({row['fault']})" for row in evidence.rows]
    reason = (
        f"The model card lacks {number(missing)} of {of} required fields: {', '.join(named)}. "
        f"Write them in {evidence.params['place']}."
    )
    return Ruling(outcome="fail", reason=reason)


def compatible(evidence: Evidence, limits: Limits) -> Ruling:
    also = {e.name: e for e in evidence.also}
    breaks, consumers = _value(evidence.statistic), also["consumers_that_break"]
    said: list[Finding] = []
    if evidence.params.get("live"):
        good = breaks <= limits["max_breaking"]
        text = f"{_times(breaks, 'change')} breaks who uses the live release{_changed(evidence, 'breaks')}" if breaks else (
            "nothing that the live release promises is gone or asks for more"
        )  # fmt: skip
        said.append(("pass" if good else "fail", text))
        if _value(also["weaker_promises"]) != 0:
            said.append(("uncertain", f"the data promise less than before{_changed(evidence, 'weakens')}"))
        elif fits := _value(also["other_changes"]):
            said.append(("pass", f"{_times(fits, 'change')} that nobody notices"))
    broken = _value(consumers)
    names = [str(n) for n in evidence.params.get("consumers") or ()]
    if broken != 0:
        said.append(("fail", f"{number(broken)} of {consumers.n} consumers' contracts break{_broken(evidence)}"))
    elif names:
        said.append(
            ("pass", f"the contract{'s' * (len(names) > 1)} of {', '.join(names)} fit{'s' * (len(names) == 1)}")
        )
    elif evidence.params.get("folder"):
        said.append(("fail", f"no consumer contract was found in '{evidence.params['folder']}'"))
    return together(said, evidence)


def _changed(evidence: Evidence, effect: str) -> str:
    named = [f"{row['where']} {row['what']}" for row in evidence.rows if row.get("effect") == effect]
    return f": {_listed(named[:NAMED], len(named))}" if named else ""


def _broken(evidence: Evidence) -> str:
    named = [f"{row['consumer']} {' and '.join(row['problems'])}" for row in evidence.rows if "consumer" in row]
    return f": {_listed(named[:NAMED], len(named))}" if named else ""


def clean(evidence: Evidence, limits: Limits) -> Ruling:
    also = {e.name: e for e in evidence.also}
    keys = " and ".join(str(k).replace("_", " ") for k in evidence.params["keys"])
    shared, of = _value(evidence.statistic), evidence.statistic.n
    near, future = _value(also["near_share"]), _value(also["future_rows"])
    said: list[Finding] = [
        (
            "pass" if shared <= limits["max_shared_keys"] else "fail",
            f"{number(shared)} of {of:,} holdout rows are in the training table, too, by {keys}{_example(evidence)}"
            if shared else f"no holdout row is in the training table by {keys} ({evidence.params['training_rows']:,} rows)",
        ),
        (
            "pass" if future <= limits["max_future_rows"] else "fail",
            f"{number(future)} training rows hold a day on or after {evidence.params['as_of']}, which nobody can know yet{_columns(evidence)}"
            if future else f"no training row holds a day on or after {evidence.params['as_of']}",
        ),
    ]  # fmt: skip
    if near > limits["max_near_share"]:
        rows = _value(also["near_rows"])
        said.append(
            ("uncertain", f"{number(rows)} holdout rows ({percent(near)}) are nearly the same as a training row")
        )
    said += _too_good(evidence, limits["max_skill_share"])
    return together(said, evidence)


def _too_good(evidence: Evidence, limit: Decimal) -> list[Finding]:
    """A feature that is as good as the model: the answer in disguise, or a problem that needs no model."""
    tried = [(g.group, Decimal(g.estimate.value)) for g in evidence.groups if g.estimate.value is not None]
    best = [
        f"the feature {name} alone has {percent(share)} of the model's skill" for name, share in tried if share >= limit
    ]
    if best:
        return [
            (
                "uncertain",
                f"{_listed(best[:NAMED], len(best))}: is it the answer in disguise? Below {percent(limit)} is usual",
            )
        ]
    unknown = [g.group for g in evidence.groups if g.estimate.value is None]
    if unknown:
        return [("uncertain", f"features that cannot be tried alone: {_listed(unknown[:NAMED], len(unknown))}")]
    return (
        [
            (
                "pass",
                f"the best single feature ({tried[0][0]}) has {percent(max(Decimal(0), tried[0][1]))} of the model's skill",
            )
        ]
        if tried
        else []
    )


def _columns(evidence: Evidence) -> str:
    named = [f"{name} {count:,}" for name, count in (evidence.params.get("future") or {}).items()]
    return f" ({', '.join(named)})" if named else ""


def _example(evidence: Evidence) -> str:
    if not evidence.rows:
        return ""
    named = [f"{n.replace('_', ' ')} {v}" for n, v in evidence.rows[0].items() if n != "why"]
    return f" (first: {', '.join(named)})"


def apart(evidence: Evidence, limits: Limits) -> Ruling:
    said: list[Finding] = []
    if evidence.params.get("day"):
        gap, needed = _value(evidence.statistic), limits["min_gap_days"]
        label = int(evidence.params.get("label_days") or 0)
        known = f"the last truth of training was known {_times(gap, 'day')} before the first question of the holdout"
        if gap <= 0:
            known = (
                f"training knows truths up to {_times(-gap, 'day')} after the first question of the holdout was asked"
            )
        known += f", with {label} days from a row to its truth" * bool(label)
        said.append(
            ("pass" if gap >= needed else "fail", f"{known}; at least {_times(needed, 'day')} must lie between")
        )
    for estimate in evidence.also:
        column = estimate.name.partition(".")[2]
        shared = _value(estimate)
        what = column.replace("_", " ")
        text = f"no {what} is on both sides" if not shared else (
            f"{number(shared)} of {estimate.n:,} values of {what} are in training and holdout{_such_as(evidence, column)}"
        )  # fmt: skip
        said.append(("pass" if shared <= limits["max_shared_groups"] else "fail", text))
    return together(said, evidence)


def _such_as(evidence: Evidence, column: str) -> str:
    named = [str(row["value"]) for row in evidence.rows if row.get("column") == column]
    return f" (such as {', '.join(named[:NAMED])})" if named else ""


def same_features(evidence: Evidence, limits: Limits) -> Ruling:
    """None may differ, unless a share is allowed: then its interval decides."""
    e, limit = evidence.statistic, limits["max_share"]
    value, low, high = (Decimal(text or "NaN") for text in (e.value, e.low, e.high))
    names = [g.group for g in evidence.groups]
    what = "the answer" if names == ["prediction"] else f"{_times(Decimal(len(names) - 1), 'feature')} and the answer"
    if value == 0:
        reason = f"Training and the release host have the same for {what} in {e.n:,} rows; {level(e)} of the share that differs: up to {percent(high)}."
        return Ruling(outcome="pass", reason=reason + left_out(evidence))
    outcome = three_way(low, high, limit) if limit > 0 else "fail"
    differ = evidence.params["differ"]
    named = [f"{n} in {int(differ[n]):,}" for n in names if differ[n] != "0"]
    reason = (
        f"Training and the release host differ in {_listed(named[:NAMED], len(named))} of {e.n:,} rows{_both(evidence)}; "
        f"{level(e)} of the worst {percent(low)} to {percent(high)}; {'none may' if limit == 0 else f'at most {percent(limit)} may'} differ."
    )
    settles = "More training rows to replay would settle it." if outcome == "uncertain" else ""
    return Ruling(outcome=outcome, reason=reason + left_out(evidence), settles=settles)


def _both(evidence: Evidence) -> str:
    if not evidence.rows:
        return ""
    row = evidence.rows[0]
    return f" (first: {row.get('trained')} in training, {row.get('served')} in the release host)"


def equivalent(evidence: Evidence, _limits: Limits) -> Ruling:
    recorded = {e.name: e for e in evidence.also}["recorded_answers_that_differ"]
    again, of = _value(recorded), recorded.n
    forms = evidence.params["differ"]
    rows = evidence.statistic.n // max(1, len(forms))
    said: list[Finding] = [
        ("pass" if count == "0" else "fail",
         f"{name} answers {rows:,} training rows as the trained model did" if count == "0"
         else f"{name} answers {int(count):,} of {rows:,} training rows otherwise than the trained model did{_answered(evidence, name)}")
        for name, count in forms.items()
    ]  # fmt: skip
    text = (
        f"{number(again)} of {of:,} recorded answers are other bits now"
        if again
        else f"{of:,} recorded answers are the same to the bit"
    )
    said.append(
        (
            "pass" if again == 0 and of else "fail",
            text if of else "the release recorded no answer that could be repeated",
        )
    )
    return together(said, evidence)


def _answered(evidence: Evidence, form: str) -> str:
    row = next((r for r in evidence.rows if r.get("form") == form), None)
    return f" (first: {row['trained']} trained, {row['answered']} now)" if row else ""


def _value(estimate: Estimate) -> Decimal:
    return Decimal(estimate.value or "NaN")


def _listed(named: Sequence[str], total: int) -> str:
    more = total - len(named)
    return "; ".join(named) + (f"; and {more:,} more" if more > 0 else "")


def _times(count: Decimal, noun: str) -> str:
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"
