"""The figures of the evidence page, drawn from a pack, each with its text alternative.

Pure: a pack in, SVG out. A figure whose data is missing is None, and the page says so in words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.records.evidence import Estimate, Evidence, Verdict
from lockgate.records.pack import Day, Pack
from lockgate.release import beside, plots, wording

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Figures", "draw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """SVG by place on the page. `strips` has one figure per group, in the order of `worst_first`; `doubts` one per uncertain gate."""

    scale: Markup | None
    strips: tuple[Markup, ...]
    days: Markup | None
    days_key: Markup | None
    days_words: str
    horizon: Markup | None
    coverage: Markup | None
    influences: Markup | None
    doubts: Mapping[str, Markup]


def draw(pack: Pack) -> Figures:
    """Draw everything that the pack has data for."""
    groups = beside.worst_first(pack.groups, pack.metric)
    domain = _domain([g.estimate for g in groups])
    average = _float(pack.overall.value) if pack.overall else None
    lines, words = _lines(pack.days), _days_words(pack.days)
    return Figures(
        scale=_safe(plots.axis(domain, form=_form(pack.metric.unit))) if groups else None,
        strips=tuple(
            s
            for g in groups
            if (
                s := _safe(
                    plots.strip(
                        _whisker(g.estimate, wording.group_name(g.by, g.group)),
                        domain=domain,
                        reference=average,
                        form=_form(pack.metric.unit),
                    )
                )
            )
        ),
        days=_days(pack.days, lines, words),
        days_key=_safe(plots.key(lines, band="the forecast’s interval" if _has_band(pack.days) else ""))
        if lines
        else None,
        days_words=words,
        horizon=_horizon(pack),
        coverage=_coverage(pack),
        influences=_influences(pack),
        doubts=_doubts(pack),
    )


def _lines(days: Sequence[Day]) -> list[plots.Line]:
    lines = [
        plots.Line(label="actual", values=[_finite(d.actual) for d in days], role="actual"),
        plots.Line(label="forecast of this release", values=[_finite(d.forecast) for d in days], role="forecast"),
        plots.Line(label="best simple method", values=[_finite(d.best_simple) for d in days], role="simple"),
    ]
    return [line for line in lines if any(v is not None for v in line.values)]


def _has_band(days: Sequence[Day]) -> bool:
    return any(_finite(d.low) is not None and _finite(d.high) is not None for d in days)


def _days(days: Sequence[Day], lines: Sequence[plots.Line], words: str) -> Markup | None:
    band = ([_finite(d.low) for d in days], [_finite(d.high) for d in days]) if _has_band(days) else None
    labels = [f"{d.date.day} {wording.MONTHS[d.date.month - 1][:3]}" for d in days]
    return _safe(plots.line_band(labels, lines, band=band, title="Actual and forecast, day by day", desc=words))


def _days_words(days: Sequence[Day]) -> str:
    """What the day chart shows, for a reader who cannot see it: totals, and how often the truth fell inside."""
    both = [(a, f) for d in days if (a := _finite(d.actual)) is not None and (f := _finite(d.forecast)) is not None]
    if not both:
        return ""
    actual, forecast = (math.fsum(side) for side in zip(*both, strict=True))
    text = f"Over {wording.count(len(both), 'day')}, the actual total was {actual:,.0f}, the forecast {forecast:,.0f}"
    text += f" ({_change(forecast / actual - 1)})." if actual else "."
    judged = [d for d in days if None not in (_finite(d.actual), _finite(d.low), _finite(d.high))]
    inside = sum((d.low or 0) <= (d.actual or 0) <= (d.high or 0) for d in judged)
    return text + (f" The day’s total was inside the interval on {inside} of {len(judged)} days." if judged else "")


def _change(share: float) -> str:
    return f"{abs(share):.1%} {'less' if share < 0 else 'more'}"


def _horizon(pack: Pack) -> Markup | None:
    rows = [_counted(g.estimate, g.group) for g in pack.by_horizon]
    words = "; ".join(f"{r.label}: {r.text}, {r.note}" for r in rows)
    return _safe(
        plots.dot_whisker(
            rows,
            title=f"{wording.metric_name(pack.metric)} by distance into the future",
            desc=words,
            domain=_domain([g.estimate for g in pack.by_horizon]),
            form=_form(pack.metric.unit),
        )
    )


def _coverage(pack: Pack) -> Markup | None:
    rows = [_counted(g.estimate, wording.group_name(g.by, g.group)) for g in pack.coverage]
    promised = _float(pack.promised_coverage)
    words = "; ".join(f"{r.label}: {r.text}, {r.note}" for r in rows)
    ends = [v for r in rows for v in (r.low, r.value) if v is not None] + ([promised] if promised is not None else [])
    return _safe(
        plots.dot_whisker(
            rows,
            title="Share of truths inside the forecast’s interval, by group",
            desc=words,
            reference=promised,
            reference_label=f"promised {wording.round_percent(pack.promised_coverage)}",
            domain=(min(0.5, *ends, 0.5), 1.0),
            form=_form(wording.SHARE),
        )
    )


def _influences(pack: Pack) -> Markup | None:
    rows = [(wording.plain(i.name), s, f"{s:.0%}") for i in pack.influences if (s := _finite(i.share)) is not None]
    words = "; ".join(f"{name}: {text}" for name, _, text in rows)
    return _safe(plots.bars(rows, title="What the model looks at, by share", desc=words, whole=1.0))


def _doubts(pack: Pack) -> dict[str, Markup]:
    """An uncertain gate's interval against the limit that it straddles."""
    unsure = {v.gate: v for v in pack.verdicts if v.outcome == "uncertain"}
    drawn = {e.gate: _doubt(e, unsure[e.gate]) for e in pack.evidence if e.gate in unsure}
    return {gate: figure for gate, figure in drawn.items() if figure is not None}


def _doubt(evidence: Evidence, verdict: Verdict) -> Markup | None:
    e = evidence.statistic
    row = _whisker(e, wording.plain(e.name))
    if row.value is None or row.low is None or row.high is None:
        return None
    inside = [v for v in _limits(verdict, evidence) if row.low <= v <= row.high]
    limit = inside[0] if len(inside) == 1 else None
    words = "" if limit is None else "limit " + wording.valued(replace(e, value=str(limit), low=None, high=None))
    return _safe(
        plots.dot_whisker(
            [row],
            title=f"{verdict.gate}: the interval and the limit",
            desc=f"{row.label}: {row.text}, {wording.between(e)}" + (f"; {words}" if words else ""),
            reference=limit,
            reference_label=words,
            form=_form(e.unit),
        )
    )


def _limits(verdict: Verdict, evidence: Evidence) -> list[float]:
    """Where the rule's limits lie on the scale of the number that decides."""
    of = {name: v for name, text in verdict.threshold.items() if (v := _float(str(text))) is not None}
    if {"nominal", "tolerance"} <= set(of):
        return [round(of["nominal"] + sign * of["tolerance"], 9) for sign in (-1, 1)]
    if "margin" in of:  # the better and the not-worse rule look from different sides, and so do errors and scores
        sides = (verdict.kind == "beats_baseline", evidence.params.get("better") == "higher")
        return [-of["margin"] if sides[0] != sides[1] else of["margin"]]
    return list(of.values())


def _whisker(e: Estimate, label: str) -> plots.Whisker:
    known = _float(e.value) is not None
    return plots.Whisker(
        label=label,
        value=_float(e.value),
        low=_float(e.low),
        high=_float(e.high),
        text=f"{wording.valued(e)} {wording.spread(e)}" if known else "not measured",
    )


def _counted(e: Estimate, label: str) -> plots.Whisker:
    """With the number of rows below; an interval that is missing says why there, where there is room."""
    row, n = _whisker(e, label), f"n = {e.n:,}"
    if row.value is None:
        return replace(row, note=f"{n}; {e.why}" if e.why else n)
    if row.low is None or row.high is None:
        return replace(row, text=wording.valued(e), note=f"{n}; {e.why or 'no interval'}")
    return replace(row, note=f"{wording.size(e)}")


def _domain(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """From zero, so that a dot twice as far out is an error twice as large."""
    known = [v for e in estimates for v in (_float(e.value), _float(e.low), _float(e.high)) if v is not None]
    ticks = plots.nice_ticks(min(0.0, *known, 0.0), max(0.0, *known, 0.0), 4)
    return ticks[0], ticks[-1]


def _form(unit: str) -> plots.Format:
    """A tick of the scale; ticks are round, so nothing is cut off, and there is no minus zero."""
    scale, sign = (100, "%") if unit == wording.SHARE else (1, "")
    return lambda value: f"{round(value * scale, 9) + 0.0:g}{sign}".replace("-", wording.MINUS)


def _float(text: str | None) -> float | None:
    value = wording.decimal_of(text)
    return None if value is None else float(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _safe(svg: str) -> Markup | None:
    from markupsafe import Markup

    return Markup(svg) if svg else None  # noqa: S704 (plots escapes every text it is given)
