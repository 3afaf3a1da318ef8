"""Figures and sentences of what stands beside the checks: how values are spread, what the release looks at, calibration.

Pure: a pack in, pairs of words and SVG out. What is drawn is said, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lockgate.records.evidence import Estimate
from lockgate.records.findings import Dependence, Importance, Reliability, ReliabilityBin
from lockgate.records.pack import Pack
from lockgate.release import multiples, plots, wording
from lockgate.release.multiples import Bin
from lockgate.release.spread_figures import (
    Portrait,
    column_portrait,
    drawn_safely,
    float_of,
    group_portraits,
    value_in_words,
)

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Portraits", "portraits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Portraits:
    """By place on the page. `lacking`: which set of rows is not there, in a sentence.

    `idle` names inputs whose shuffling changes nothing; `apart` says where views disagree; `promises` which way scores are off, and
    for whom.
    """

    key: Markup | None
    lacking: str
    columns: tuple[Portrait, ...]
    slices: tuple[Portrait, ...]
    importance: Markup | None
    idle: tuple[str, ...]
    apart: tuple[str, ...]
    compared: str
    dependences: tuple[Portrait, ...]
    reliability: tuple[Portrait, ...]
    promises: str


def portraits(pack: Pack) -> Portraits:
    """Draw everything that the pack has findings for."""
    names = list(dict.fromkeys(p.name for d in pack.distributions for p in d.parts))
    moving = [i for i in pack.importances if not _is_nothing(i.harm)]
    return Portraits(
        key=drawn_safely(multiples.marks_key(names)) if names else None,
        lacking=_lacking(names),
        columns=tuple(column_portrait(d) for d in pack.distributions),
        slices=tuple(group_portraits(pack.spreads)),
        importance=_importance(moving, pack),
        idle=tuple(_input(i.name) for i in pack.importances if _is_nothing(i.harm)),
        apart=tuple(wording.sentence(f"{_input(i.name)}: {i.disagrees}") for i in pack.importances if i.disagrees),
        compared=_compared(pack),
        dependences=tuple(_dependence(d) for d in pack.dependences),
        reliability=tuple(_reliability(r) for r in pack.reliability),
        promises=_promises(pack.reliability),
    )


def _lacking(names: Sequence[str]) -> str:
    said = {"train": "No training rows were kept.", "now": "Nothing was asked lately, so today is missing."}
    return " ".join(words for name, words in said.items() if name not in names)


def _is_nothing(harm: Estimate) -> bool:
    """No answer changed: the metric is the same to the last digit, on every day."""
    return all(wording.decimal_of(v) == 0 for v in (harm.value, harm.low, harm.high))


# ── what the release looks at ───────────────────────────────────────────────


def _importance(importances: Sequence[Importance], pack: Pack) -> Markup | None:
    rows = [_harm(i) for i in importances]
    ends = [v for r in rows for v in (r.value, r.low, r.high) if v is not None]
    if not ends:
        return None
    return drawn_safely(
        plots.dot_whisker(
            rows,
            title=f"How much worse {wording.metric_name(pack.metric)} gets when an input is shuffled",
            desc="; ".join(f"{r.label}: {r.text}{', ' + r.note if r.note else ''}" for r in rows),
            reference=0.0,
            reference_label="no harm",
            domain=(min(0.0, *ends), max(0.0, *ends)),
            form=lambda v: wording.number(str(round(v, 9)), pack.metric.unit) if v else "0",
        )
    )


def _harm(importance: Importance) -> plots.Whisker:
    e = importance.harm
    value, low, high = (float_of(v) for v in (e.value, e.low, e.high))
    own = float_of(importance.own)
    side = "better" if value is not None and value < 0 else "worse"
    size = wording.points(replace(e, value=(e.value or "").removeprefix("-")))
    text = f"{size} {side} {wording.spread(e)}" if value is not None else f"not measured: {e.why}"
    note = "" if own is None else f"by the model’s own word {own:.0%} of what it looks at"
    return plots.Whisker(label=_input(importance.name), value=value, low=low, high=high, text=text, note=note)


def _input(name: str) -> str:
    """`history.units` as people say it.

    >>> _input("history.units"), _input("loan_amount")
    ('units of history', 'loan amount')
    """
    table, dot, column = name.partition(".")
    return f"{wording.plain(column)} of {wording.plain(table)}" if dot else wording.plain(table)


def _compared(pack: Pack) -> str:
    """Whether the two views could be held against each other at all."""
    named = [i for i in pack.importances if i.own is not None]
    if not pack.importances or not pack.influences:
        return ""
    if len(named) > 3:
        return "" if any(i.disagrees for i in named) else "Both views rank the inputs alike where both name them."
    return (
        "Shuffling speaks of what goes into the release, the model of causes that it makes of it; "
        "the names differ, so their ranks cannot be compared."
    )


def _dependence(dependence: Dependence) -> Portrait:
    points = dependence.points
    mean, low, high = ([float_of(getattr(p, side)) for p in points] for side in ("mean", "low", "high"))
    words = "; ".join(
        f"{value_in_words(p.value)}: {value_in_words(p.mean)} ({value_in_words(p.low)} to {value_in_words(p.high)})"
        for p in points
    )
    title = wording.plain(dependence.name)
    drawn = plots.line_band(
        [value_in_words(p.value) for p in points], [plots.Line(label="mean answer", values=mean, role="forecast")],
        band=(low, high), title=f"Mean answer by {title}", desc=words, height_px=150, form=lambda v: value_in_words(f"{v:.6g}"),
    )  # fmt: skip
    return Portrait(title=title, kicker="mean answer", words=words, figure=drawn_safely(drawn))


# ── calibration ─────────────────────────────────────────────────────────────


FAR_APART = 0.05
CHANCE = " With so few rows, chance alone may do that."


def _reliability(one: Reliability) -> Portrait:
    title = wording.group_name(one.by, one.group)
    rows, gap = wording.count(one.n, "row"), float_of(one.gap)
    if gap is None:
        return Portrait(
            title=title, kicker=rows, words=f"Not assessed: {one.why or 'no reason recorded'}.", figure=None
        )
    bins = [b for b in map(_bin, one.bins) if b is not None]
    off = sum(not b.low <= b.said <= b.high for b in bins)
    words = f"{_on_the_whole(one)}Bin by bin they are {gap:.1%} apart on average; {off} of {len(bins)} bins lie off the line with their whole interval."
    words += CHANCE if off <= 1 and gap > FAR_APART and not _way(one) else ""
    desc = "; ".join(f"said {b.said:.0%}, happened {b.happened:.0%} ({b.low:.0%} to {b.high:.0%})" for b in bins)
    drawn = multiples.reliability(bins, title=f"Said and happened: {title}", desc=f"{words} {desc}")
    return Portrait(
        title=title, kicker=rows, words=words, figure=drawn_safely(drawn), flagged=off > 1 or bool(_way(one))
    )


Way = Literal["too much", "too little", ""]


def _way(one: Reliability) -> Way:
    """Whether the scores of all rows say too much or too little: more or less came true, and the whole interval is on one side."""
    said, e = float_of(one.said), one.happened
    low, high = (float_of(e.low), float_of(e.high)) if e else (None, None)
    if said is None or low is None or high is None or low <= said <= high:
        return ""
    return "too much" if said > high else "too little"


def _on_the_whole(one: Reliability) -> str:
    said, e = float_of(one.said), one.happened
    if said is None or e is None:
        return ""
    surely = f": scores say {way}" if (way := _way(one)) else ""
    return (
        f"{said:.1%} was said on average and {wording.number(e.value, e.unit)} happened, {wording.between(e)}{surely}. "
    )


def _promises(found: Sequence[Reliability]) -> str:
    """For whom scores say too much or too little: the figures in a sentence."""
    names: dict[Way, list[str]] = {"too much": [], "too little": [], "": []}
    for one in (r for r in found if r.said is not None):
        names[_way(one)].append(wording.group_name(one.by, one.group))
    off = [f"they say {way} for {', '.join(some)}" for way, some in names.items() if way and some]
    right = f"for {', '.join(names[''])} neither is shown" if names[""] else ""
    said = "; ".join(filter(None, [*off, right]))
    return (
        f"On average over all scores, {said}. Each by its own 95% interval, rows taken as independent: at most one in twenty whose scores are right looks so by chance."
        if said
        else ""
    )


def _bin(one: ReliabilityBin) -> Bin | None:
    e = one.happened
    said, happened, low, high = (float_of(v) for v in (one.said, e.value, e.low, e.high))
    if said is None or happened is None or low is None or high is None:
        return None
    return Bin(said=said, happened=happened, low=low, high=high)
