"""The page in one minute: what a reader must know before deciding, each in one sentence, and what changed in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import get_args

from lockgate.records.digest import short
from lockgate.records.evidence import Verdict
from lockgate.records.pack import Change, ChangeKind, Pack
from lockgate.release import afterwards, beside, wording
from lockgate.release.headline import headline, mark
from lockgate.release.rates import rates, worst_rate
from lockgate.release.rivals import better_for, commoner, same_answer

__all__ = [
    "Asked",
    "alike",
    "answers",
    "better",
    "by_kind",
    "certain",
    "deciding",
    "people",
    "said",
    "settled",
    "tried",
    "unsigned",
]

SHOWN = 2  # changes of a kind that the summary names
NAMED = 4  # things not assessed that the summary names
FOR_WHOM = "For whom is it better, and for whom not?"
TRIED = "Was it tried before?"
SURE = "How sure each number is stands in its ±, which is half of its 95% interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One line of the summary on top: a question, its answer in a sentence, and where the page says more."""

    question: str
    answer: str
    anchor: str
    is_command: bool = False


def answers(pack: Pack) -> tuple[Asked, ...]:
    """The page in one minute: what a reader must know before deciding, each in one sentence."""
    unsure = [v for v in pack.verdicts if v.outcome == "uncertain"]
    doubts = " ".join(wording.sentence(f"{wording.plain(v.gate)}: {v.reason}") for v in unsure) or certain(pack)
    settles = " ".join(
        wording.sentence(f"{_which(v, unsure)}{v.settles or 'No way was recorded'}") for v in unsure
    ) or settled(pack)
    waived = (
        (Asked(question="What is let through by a waiver?", answer=_waived(pack), anchor="checks"),)
        if _excused(pack)
        else ()
    )
    return (
        *waived,
        Asked(question="Which group is worst off, by how much?", answer=_worst(pack), anchor="worst"),
        Asked(question="Is it better than the live release?", answer=better(pack), anchor="better"),
        *(
            Asked(question=FOR_WHOM, answer=" ".join(told), anchor="forwhom")
            for told in [better_for(pack.rivals, pack.metric)]
            if told
        ),
        Asked(question="What is uncertain?", answer=doubts, anchor="uncertain"),
        Asked(question="What would settle it?", answer=settles, anchor="uncertain"),
        Asked(question="What changed?", answer=_changed(pack), anchor="changed"),
        Asked(question=TRIED, answer=tried(pack), anchor="tried"),
        Asked(question="What was not assessed?", answer=_missing(pack), anchor="missing"),
        Asked(question="What must it not be used for?", answer=_forbidden(pack), anchor="purpose"),
        Asked(question="Who built it?", answer=_builder(pack), anchor="built"),
        Asked(question="What does the signature bind?", answer=_bound(pack), anchor="binds"),
        Asked(question="Until when does it count?", answer=_until(pack), anchor="until"),
        _undo(pack),
        Asked(question=afterwards.WATCH, answer=afterwards.watched(pack), anchor="watch"),
        Asked(question=afterwards.REFUSE, answer=afterwards.refused(pack), anchor="refuse"),
        Asked(question=afterwards.IDLE, answer=afterwards.idle(pack), anchor="idle"),
    )


def _which(verdict: Verdict, unsure: Sequence[Verdict]) -> str:
    return f"{wording.plain(verdict.gate)}: " if len(unsure) > 1 else ""


def better(pack: Pack) -> str:
    """By the paired comparison with the live release, or while there is none with the best simple method, in its check's words."""
    if pack.live is None:
        none = f"No release is live in {pack.environment} yet; there is none to be better than."
        simple = [v for v in pack.verdicts if v.kind == "beats_baseline"]
        return " ".join([none, *(wording.sentence(v.reason) for v in simple), *alike(pack)])
    checks = deciding([v for v in pack.verdicts if v.kind == "champion"])
    return " ".join(wording.sentence(v.reason) for v in checks) or "No check compared the two."


def alike(pack: Pack) -> tuple[str, ...]:
    """What one answer for everybody would reach, where answers are yes or no."""
    found = tuple(same_answer(r, pack.metric) for r in pack.rivals if r.rival == "same" and r.by == "all")
    return found or tuple(commoner(every) for every in pack.decided[:1])


def deciding(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Checks that apply; all of them only when none does. What another environment asks would contradict the answer."""
    return tuple(v for v in verdicts if v.outcome != "not_applicable") or tuple(verdicts)


def _excused(pack: Pack) -> list[Verdict]:
    return [v for v in pack.verdicts if v.gate in pack.waived and mark(v.outcome).tone == "fail"]


def _waived(pack: Pack) -> str:
    """Each failed check that people let pass: its name, by whom, until when and why."""
    return " ".join(
        wording.sentence(f"{wording.plain(v.gate)} fails and {pack.waived[v.gate]}") for v in _excused(pack)
    )


def _missing(pack: Pack) -> str:
    found = [*pack.missing, *(line for e in pack.evidence for line in e.not_assessed)]
    if not found:
        return "Nothing was left out that this page knows how to assess."
    names = list(dict.fromkeys(wording.plain(line.partition(":")[0]) for line in found))
    more = f"; and {wording.count(len(names) - NAMED, 'more thing')}" if len(names) > NAMED else ""
    return wording.sentence(f"{'; '.join(names[:NAMED])}{more}")


def _forbidden(pack: Pack) -> str:
    forbidden = pack.purpose.forbidden if pack.purpose else ()
    return " ".join(wording.sentence(f) for f in forbidden) or "Nobody wrote it down; ask the owner before you sign."


def _builder(pack: Pack) -> str:
    built = pack.builder
    if built is None or not built.started_by:
        return "It was not recorded."
    names = people(built.authors)
    authors = f"; code by {', '.join(names)}" if names else ""
    return f"{wording.capitalized(built.started_by)} started the run{authors}."


def people(authors: Sequence[str]) -> tuple[str, ...]:
    """Authors by name; addresses only when no name was recorded."""
    return tuple(a for a in authors if "@" not in a) or tuple(authors)


def unsigned(pack: Pack) -> str:
    """Why there is nothing to sign; empty when there is."""
    if not headline(pack.verdicts, pack.waived).may_approve:
        return "Nothing can be approved here. Do not sign."
    return "" if pack.rule else f"No signature is asked for before {pack.environment}."


def _until(pack: Pack) -> str:
    if unsigned(pack):
        return unsigned(pack)
    if pack.rule is None or not pack.rule.valid_for:
        return "No end was declared."
    return f"For {wording.duration(pack.rule.valid_for)} from the moment it is signed, unless something that it binds changes."


def certain(pack: Pack) -> str:
    """What can be said when no check is uncertain: the checks decided; the numbers still have their ±."""
    if not pack.verdicts:
        return "Everything: no check has run."
    applies = " that applies" if any(v.outcome == "not_applicable" for v in pack.verdicts) else ""
    return f"Every check{applies} came to a decision. {SURE}."


def settled(pack: Pack) -> str:
    """What would make certain numbers more certain."""
    return (
        "No check is undecided. More rows would narrow the ± of each number."
        if pack.verdicts
        else "Running the checks."
    )


def tried(pack: Pack) -> str:
    """How many releases were stopped before this one, and why the last was."""
    if not pack.attempts:
        return (
            "None was stopped since the live one was proposed."
            if pack.live
            else "No release was stopped before this one."
        )
    last, many = pack.attempts[0], len(pack.attempts)
    first = f"{wording.count(many, 'release')} before this one {'was' if many == 1 else 'were'} stopped"
    gates = "; ".join(why.partition(":")[0] for why in last.why)
    more = len(pack.since_stopped) - SHOWN
    since = " ".join(wording.sentence(sentence) for _, sentence in pack.since_stopped[:SHOWN])
    since += f" And {wording.count(more, 'more change')}." if more > 0 else ""
    return (
        f"{first}. {'It' if many == 1 else 'The last'}, {short(last.release)} of {wording.day(last.proposed)}: {gates}."
        + f" What is different now: {since}" * bool(since)
    )


def _worst(pack: Pack) -> str:
    known = [
        g for g in beside.worst_first(pack.groups, pack.metric) if wording.decimal_of(g.estimate.value) is not None
    ]
    people = " ".join(worst_rate(one) for one in rates(pack))
    if not known:
        return people or "No group was measured."
    worst, e = known[0], known[0].estimate
    if people:
        of = f"{wording.group_name(worst.by, worst.group)} with {wording.number(e.value, e.unit)} {wording.spread(e)}, {wording.size(e)}"
        return f"{people} By {wording.plain(pack.metric.name)} it is {of}."
    return (
        f"Group “{wording.group_name(worst.by, worst.group)}”: {wording.plain(pack.metric.name)} "
        f"{wording.number(e.value, e.unit)} {wording.spread(e)}, {wording.size(e)}. "
        + wording.sentence(beside.compared(worst, pack.groups, pack.overall, pack.metric))
    )


def _changed(pack: Pack) -> str:
    if pack.live is None:
        return f"No release is live in {pack.environment} yet; this would be the first.{_why(pack)}"
    kinds = [
        f"{kind}: {wording.sentence(text) if text[:1].isupper() else text.rstrip('.') + '.'}"
        for kind, text in said(pack, SHOWN)
    ]
    told = any(c.kind == "answers" for c in pack.changes)
    kinds += [f"Answers: {_differ(pack)}"] if pack.moved and not told else []
    return f"Since {short(pack.live)}: {' '.join(kinds) or 'nothing that was recorded.'}{_why(pack)}"


def _why(pack: Pack) -> str:
    """Why it was made, after what changed; nothing where nobody said so."""
    return f" {said}" if (said := afterwards.why(pack)) else ""


def _differ(pack: Pack) -> str:
    moved = pack.moved
    if moved is None or not moved.rows:
        return "no request is answered by both."
    differ = moved.rows - moved.same
    before, after = (wording.number(w) for w in moved.widths)
    widths = f" The intervals around them: mean width {before} → {after}." if any(moved.widths) else ""
    return f"{differ / moved.rows:.0%} differ, {wording.number(moved.overall.share, wording.SHARE)} by more than a tenth.{widths}"


def said(pack: Pack, most: int) -> tuple[tuple[str, str], ...]:
    """Each kind of change in one sentence, at most so many by name."""
    rows = by_kind([c for c in pack.changes if c.kind != "metrics"])
    return tuple((wording.capitalized(kind), _in_words(changes, most)) for kind, changes in rows)


def _in_words(rows: Sequence[Change], most: int) -> str:
    told = _named([_from_to(c) for c in rows if not c.is_digest], most)
    return "; ".join([told] * bool(told) + _fates([c for c in rows if c.is_digest], most))


def _fates(rows: Sequence[Change], most: int) -> list[str]:
    """What became of things that only digests tell apart."""
    fates = {
        "changed": [c.what for c in rows if c.before is not None and c.after is not None],
        "new": [c.what for c in rows if c.before is None],
        "gone": [c.what for c in rows if c.before is not None and c.after is None],
    }
    return [
        f"{_named(names, most)} {'' if fate == 'changed' else 'is ' if len(names) == 1 else 'are '}{fate}"
        for fate, names in fates.items()
        if names
    ]


def _from_to(change: Change) -> str:
    """Numbers and days are worth saying; what else changed is only named."""
    if change.kind == "answers" and not change.words and change.after is not None:
        return f"{change.what}: {change.after}"
    if change.words or change.kind not in ("data", "features", "metrics", "parameters", "packages"):
        return change.words or change.what
    if change.before is None or change.after is None:
        return f"{change.what} {change.after or change.before or ''} {'is new' if change.before is None else 'is gone'}"
    return f"{change.what} {change.before} → {change.after}"


def _named(things: Sequence[str], most: int) -> str:
    """The first few by name, the others by count."""
    more = len(things) - most
    return "; ".join(things[:most]) + (f"; and {more} more" if more > 0 else "")


def _bound(pack: Pack) -> str:
    if unsigned(pack):
        return unsigned(pack)
    names = ", ".join(wording.plain(b.name) for b in pack.bound)
    return f"Exactly {names}. A change in any of them voids it." if names else "Nothing was listed; do not sign."


def _undo(pack: Pack) -> Asked:
    if pack.undo and pack.live:
        return Asked(question=afterwards.UNDO, answer=pack.undo, anchor="undo", is_command=True)
    nothing = (
        f"No earlier release was live; there is none to go back to. The server of {pack.environment} can be stopped."
    )
    return Asked(question=afterwards.UNDO, answer=nothing, anchor="undo")


def by_kind(changes: Sequence[Change]) -> tuple[tuple[str, tuple[Change, ...]], ...]:
    """Changes in the order in which they are told."""
    order = {kind: i for i, kind in enumerate(get_args(ChangeKind))}
    ranked = sorted(changes, key=lambda c: order.get(c.kind, len(order)))
    return tuple((kind, tuple(rows)) for kind, rows in groupby(ranked, key=lambda c: c.kind))
