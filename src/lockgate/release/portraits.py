"""Figures and sentences of what stands beside the checks: how values are spread, what the release looks at, calibration.

Pure: a pack in, pairs of words and SVG out. What is drawn is said, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.records.evidence import Estimate
from lockgate.records.findings import (
    FEATURE,
    Dependence,
    Distribution,
    Importance,
    Part,
    Reliability,
    ReliabilityBin,
    Spread,
)
from lockgate.records.pack import Pack
from lockgate.release import multiples, plots, wording
from lockgate.release.multiples import Bin, Range, Series

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Portrait", "Portraits", "portraits"]

QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")
FAR = 0.1  # of the rows, beyond chance
SEEN = "what the model sees"
ROLES = {
    "truth": "what happened", "answer": "what is answered", "asked": "field of the request", "group": "group of rows",
    "feature": SEEN, "beside": "beside the request",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """One small figure: what it shows, in which words, and whether a reader should look twice."""

    title: str
    kicker: str
    words: str
    figure: Markup | None
    flagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Portraits:
    """By place on the page. `idle` names inputs whose shuffling changes nothing; `apart` says where views disagree."""

    key: Markup | None
    columns: tuple[Portrait, ...]
    slices: tuple[Portrait, ...]
    importance: Markup | None
    idle: tuple[str, ...]
    apart: tuple[str, ...]
    compared: str
    dependences: tuple[Portrait, ...]
    reliability: tuple[Portrait, ...]


def portraits(pack: Pack) -> Portraits:
    """Draw everything that the pack has findings for."""
    names = list(dict.fromkeys(p.name for d in pack.distributions for p in d.parts))
    moving = [i for i in pack.importances if not _is_nothing(i.harm)]
    return Portraits(
        key=_safe(multiples.marks_key(names)) if names else None,
        columns=tuple(_column(d) for d in pack.distributions),
        slices=tuple(_slices(pack.spreads)),
        importance=_importance(moving, pack),
        idle=tuple(_input(i.name) for i in pack.importances if _is_nothing(i.harm)),
        apart=tuple(wording.sentence(f"{_input(i.name)}: {i.disagrees}") for i in pack.importances if i.disagrees),
        compared=_compared(pack),
        dependences=tuple(_dependence(d) for d in pack.dependences),
        reliability=tuple(_reliability(r) for r in pack.reliability),
    )


def _is_nothing(harm: Estimate) -> bool:
    """No answer changed: the metric is the same to the last digit, on every day."""
    return all(wording.decimal_of(v) == 0 for v in (harm.value, harm.low, harm.high))


# ── how values are spread ───────────────────────────────────────────────────


def _column(distribution: Distribution) -> Portrait:
    words = " ".join(_of_part(distribution, part) for part in distribution.parts)
    series = [Series(name=p.name, shares=_shares(p)) for p in distribution.parts if sum(p.counts)]
    title = wording.plain(distribution.column.removeprefix(FEATURE))
    if distribution.edges:
        ends = (_value(distribution.edges[0]), _value(distribution.edges[-1]))
        drawn = multiples.histogram(ends, series, title=f"How {title} is spread", desc=words)
    else:
        drawn = multiples.shares(distribution.labels, series, title=f"How {title} is spread", desc=words)
    flagged = any(_beyond_chance(p) for p in distribution.parts)
    return Portrait(
        title=title,
        kicker=ROLES.get(distribution.role, distribution.role),
        words=words,
        figure=_safe(drawn),
        flagged=flagged,
    )


def _of_part(distribution: Distribution, part: Part) -> str:
    missing = f", {part.missing:,} without a value" if part.missing else ""
    head = f"{wording.capitalized(_rows(part.name))}: {wording.count(part.n, 'row')}{missing}"
    return f"{head}{_middle(part)}{_most(distribution, part)}{_moved(part)}."


def _rows(name: str) -> str:
    return multiples.NAMES.get(name, name)


def _middle(part: Part) -> str:
    q = [part.quantiles.get(name) for name in ("0.5", "0.25", "0.75")]
    middle, low, high = (_value(v) if v is not None else "" for v in q)
    return f", middle {middle}, half of them {low} to {high}" if middle and low and high else ""


def _most(distribution: Distribution, part: Part) -> str:
    """The largest label with its share."""
    if not sum(part.counts) or len(distribution.labels) != len(part.counts):
        return ""
    most = max(range(len(part.counts)), key=lambda i: part.counts[i])
    return f", {part.counts[most] / sum(part.counts):.0%} {distribution.labels[most]}"


def _moved(part: Part) -> str:
    shift, chance = _float(part.shift), _float(part.chance)
    if shift is None or chance is None:
        return ""
    return f", {shift:.0%} lie in other places than in training (chance alone: up to {chance:.0%})"


def _beyond_chance(part: Part) -> bool:
    """So far beyond what chance does that somebody should look; with many rows chance does nearly nothing."""
    shift, chance = _float(part.shift), _float(part.chance)
    return shift is not None and chance is not None and shift - chance > FAR


def _shares(part: Part) -> list[float]:
    whole = sum(part.counts)
    return [count / whole for count in part.counts]


def _slices(spreads: Sequence[Spread]) -> list[Portrait]:
    """One figure per column that groups rows and per kind of value, with its groups as rows."""
    found: list[Portrait] = []
    for by, column in dict.fromkeys((s.by, s.column) for s in spreads):
        group = [s for s in spreads if (s.by, s.column) == (by, column)]
        named = wording.plain(column.removeprefix(FEATURE))
        title = f"{named}{f': {group[0].labels[0]}' if group[0].labels else ''} by {wording.plain(by)}"
        drawn, words = _labels_within(group, title) if group[0].labels else _middles_within(group, title)
        if drawn:
            kicker = SEEN if column.startswith(FEATURE) else "within groups"
            found.append(Portrait(title=title, kicker=kicker, words=words, figure=_safe(drawn)))
    return found


def _middles_within(spreads: Sequence[Spread], title: str) -> tuple[str, str]:
    """Figure and words of a number: a row of ranges per group."""
    rows = [(wording.group_name(s.by, s.group), _ranges(s.parts)) for s in spreads]
    words = " ".join(wording.sentence(f"{label}: {_range_words(ranges)}") for label, ranges in rows)
    return multiples.ranges(rows, title=f"The middle of {title}", desc=words, form=lambda v: _value(f"{v:.6g}")), words


def _labels_within(spreads: Sequence[Spread], title: str) -> tuple[str, str]:
    """Figure and words of a label: per group how many of 100 rows carry the one that is most frequent altogether."""
    first = spreads[0].labels[0]
    named = [p.name for p in spreads[0].parts]
    counts = {(s.group, p.name): p.counts for s in spreads for p in s.parts}
    series = [Series(name=n, shares=[_first_share(counts[s.group, n]) for s in spreads]) for n in named]
    labels = [wording.group_name(s.by, s.group) for s in spreads]
    words = " ".join(
        wording.sentence(f"{label}: {_share_words(s, first)}") for label, s in zip(labels, spreads, strict=True)
    )
    return multiples.shares(labels, series, title=f"Share of {title}", desc=words, most=1.0), words


def _first_share(counts: Sequence[int]) -> float:
    return counts[0] / sum(counts) if sum(counts) else 0.0


def _share_words(spread: Spread, label: str) -> str:
    each = (
        f"{_rows(p.name)} {_first_share(p.counts):.0%} {label} of {wording.count(sum(p.counts), 'row')}"
        for p in spread.parts
        if sum(p.counts)
    )
    return "; ".join(each) or "no values"


def _ranges(parts: Sequence[Part]) -> list[Range]:
    found: list[Range] = []
    for part in parts:
        q = [v for name in QUANTILES if (v := _float(part.quantiles.get(name))) is not None]
        if len(q) == len(QUANTILES):
            found.append(Range(name=part.name, at=(q[0], q[1], q[2], q[3], q[4])))
    return found


def _range_words(ranges: Sequence[Range]) -> str:
    each = (
        f"{_rows(r.name)} {_value(str(r.at[2]))}, half {_value(str(r.at[1]))} to {_value(str(r.at[3]))}" for r in ranges
    )
    return "; ".join(each) or "no values"


# ── what the release looks at ───────────────────────────────────────────────


def _importance(importances: Sequence[Importance], pack: Pack) -> Markup | None:
    rows = [_harm(i) for i in importances]
    ends = [v for r in rows for v in (r.value, r.low, r.high) if v is not None]
    if not ends:
        return None
    return _safe(
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
    value, low, high = (_float(v) for v in (e.value, e.low, e.high))
    own = _float(importance.own)
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
    mean, low, high = ([_float(getattr(p, side)) for p in points] for side in ("mean", "low", "high"))
    words = "; ".join(f"{_value(p.value)}: {_value(p.mean)} ({_value(p.low)} to {_value(p.high)})" for p in points)
    title = wording.plain(dependence.name)
    drawn = plots.line_band(
        [_value(p.value) for p in points], [plots.Line(label="mean answer", values=mean, role="forecast")],
        band=(low, high), title=f"Mean answer by {title}", desc=words, height_px=150, form=lambda v: _value(f"{v:.6g}"),
    )  # fmt: skip
    return Portrait(title=title, kicker="mean answer", words=words, figure=_safe(drawn))


# ── calibration ─────────────────────────────────────────────────────────────


FAR_APART = 0.05
CHANCE = " With so few rows, chance alone may do that."


def _reliability(one: Reliability) -> Portrait:
    title = wording.group_name(one.by, one.group)
    rows, gap = wording.count(one.n, "row"), _float(one.gap)
    if gap is None:
        return Portrait(
            title=title, kicker=rows, words=f"Not assessed: {one.why or 'no reason recorded'}.", figure=None
        )
    bins = [b for b in map(_bin, one.bins) if b is not None]
    off = sum(not b.low <= b.said <= b.high for b in bins)
    words = f"Said and happened are {gap:.1%} apart on average; {off} of {len(bins)} bins lie off the line with their whole interval."
    words += CHANCE if off <= 1 and gap > FAR_APART else ""
    desc = "; ".join(f"said {b.said:.0%}, happened {b.happened:.0%} ({b.low:.0%} to {b.high:.0%})" for b in bins)
    drawn = multiples.reliability(bins, title=f"Said and happened: {title}", desc=f"{words} {desc}")
    return Portrait(title=title, kicker=rows, words=words, figure=_safe(drawn), flagged=off > 1)


def _bin(one: ReliabilityBin) -> Bin | None:
    e = one.happened
    said, happened, low, high = (_float(v) for v in (one.said, e.value, e.low, e.high))
    if said is None or happened is None or low is None or high is None:
        return None
    return Bin(said=said, happened=happened, low=low, high=high)


def _float(text: str | None) -> float | None:
    value = wording.decimal_of(text)
    return None if value is None else float(value)


def _value(text: str) -> str:
    return text if wording.decimal_of(text) is None else wording.number(text)


def _safe(svg: str) -> Markup | None:
    from markupsafe import Markup

    return Markup(svg) if svg else None  # noqa: S704 (plots escapes every text it is given)
