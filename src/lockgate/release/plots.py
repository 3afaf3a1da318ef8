"""Small figures as SVG text: lines with a band, dots with whiskers, bars. Sequences in, one string out.

Every figure stretches to the width it is given while its lettering keeps its size: horizontal positions are
per cent, vertical ones pixels. Each carries a text alternative. Colours come from `plots.css` (see `css()`),
which a page includes once; without it the shapes are still black on white.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Literal

from lockgate.release.wording import visible

__all__ = [
    "Format", "Line", "Scale", "Whisker", "axis", "bars", "css", "dot_whisker", "figure", "key", "line_band", "nice_ticks",
    "scale", "strip", "text_of", "upright",
]  # fmt: skip

Role = Literal["actual", "forecast", "simple"]
Format = Callable[[float], str]
Scale = Callable[[float], float]

EDGE = 1.5  # per cent kept free left and right, so that a dot at the end is whole
LABEL = 32  # characters
TINY = 1e-9  # a range this narrow, relative to its ends, is one point
TICK = 8  # pixels of a scale line above and below a dot
GUTTER = 11.0  # per cent kept free for the numbers of an upright axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart. None interrupts it. `role` picks its look: dots, solid, or dashed."""

    label: str
    values: Sequence[float | None]
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisker:
    """One dot with its interval. `text` is what stands beside it, `note` what stands below."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    text: str = ""
    note: str = ""


def css() -> str:
    """The figures' style sheet, light and dark."""
    return resources.files("lockgate.release").joinpath("plots.css").read_text("utf-8")


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about `count` of them.

    >>> nice_ticks(0, 0.83), nice_ticks(3, 3)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [3.0, 4.0])
    """
    if not high - low > TINY * max(1.0, abs(low), abs(high)):
        return [float(low), float(low) + 1.0]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def line_band(
    labels: Sequence[str],
    lines: Sequence[Line],
    *,
    title: str,
    desc: str,
    band: tuple[Sequence[float | None], Sequence[float | None]] | None = None,
    height_px: int = 260,
    form: Format = "{:,.0f}".format,
) -> str:
    """Lines over equally spaced points, with a shaded band behind them. `labels`: one per point, some are written."""
    known = [v for line in lines for v in line.values if v is not None]
    known += [v for side in band or () for v in side if v is not None]
    if not known:
        return ""
    ticks = nice_ticks(min(0.0, *known), max(0.0, *known), 4)
    top, bottom = 18.0, height_px - 24.0
    y = scale(ticks[0], ticks[-1], bottom, top)
    x = scale(0, max(1, len(labels) - 1), GUTTER, 100 - EDGE)
    parts = [_gridline(y(t), form(t)) for t in ticks]
    inside = _band(band, x, y) if band else ""
    inside += "".join(_path(line, x, y) for line in lines)
    parts.append(
        f'<svg x="0" y="0" width="100%" height="{height_px}" viewBox="0 0 100 {height_px}" '
        f'preserveAspectRatio="none">{inside}</svg>'
    )
    parts += [
        f'<circle class="pl-dot" cx="{x(i):.2f}%" cy="{y(v):.1f}" r="2.5"/>'
        for line in lines
        if line.role == "actual"
        for i, v in enumerate(line.values)
        if v is not None
    ]
    parts += _x_labels(labels, x, height_px - 6)
    return figure(parts, title, desc, height_px)


def key(lines: Sequence[Line], *, band: str = "") -> str:
    """The legend of `line_band`, as a list in HTML with a sample of each line."""
    samples = [(_sample(line.role), line.label) for line in lines]
    if band:
        samples.append(('<rect class="pl-band" x="0" y="2" width="28" height="10"/>', band))
    items = "".join(
        f'<li><svg class="pl" width="28" height="14" aria-hidden="true">{shape}</svg> {text_of(label)}</li>'
        for shape, label in samples
    )
    return f'<ul class="pl-key">{items}</ul>'


def dot_whisker(
    rows: Sequence[Whisker],
    *,
    title: str,
    desc: str,
    reference: float | None = None,
    reference_label: str = "",
    domain: tuple[float, float] | None = None,
    form: Format = "{:g}".format,
) -> str:
    """One row per estimate: its name and number above, dot and whisker below, all on one scale.

    The lines of the scale stand at the dots only, so that none runs through a word.
    """
    if not rows:
        return ""
    ticks = nice_ticks(*(domain or _domain(rows, reference)))
    x = scale(ticks[0], ticks[-1], EDGE, 100 - EDGE)
    top, tall = 22 if reference is not None else 4, 60 if any(r.note for r in rows) else 44
    height = top + tall * len(rows) + 20
    parts = [_tick(x(t), form(t), height - 5, edge=_edge(i, len(ticks))) for i, t in enumerate(ticks)]
    if reference is not None:
        parts.append(_reference(x(reference), top - 10, reference_label))
    for i, row in enumerate(rows):
        y = top + tall * i + 14
        dot = top + tall * (i + 1) - 16
        parts.append(f'<text class="pl-label" x="0" y="{y}">{text_of(_cut(row.label))}</text>')
        parts.append(f'<text class="pl-value" x="100%" y="{y}" text-anchor="end">{text_of(row.text)}</text>')
        if row.note:
            parts.append(f'<text class="pl-tick" x="0" y="{y + 15}">{text_of(row.note)}</text>')
        parts += [upright("pl-grid", x(t), dot - TICK, dot + TICK) for t in ticks]
        if reference is not None:
            parts.append(upright("pl-ref", x(reference), dot - TICK, dot + TICK))
        parts.append(whisker_marks(row, x, dot))
    return figure(parts, title, desc, height)


def strip(
    row: Whisker, *, domain: tuple[float, float], reference: float | None = None, form: Format = "{:g}".format
) -> str:
    """A single dot and whisker for a table cell; all rows of the table share `domain`.

    The ends of the scale are written below; the style sheet shows them where the table has no `axis`.
    """
    x = scale(*domain, EDGE, 100 - EDGE)
    parts = [f'<line class="pl-grid" x1="{EDGE}%" x2="{100 - EDGE}%" y1="12" y2="12"/>']
    if reference is not None:
        parts.append(upright("pl-ref", x(reference), 0, 24))
    parts.append(whisker_marks(row, x, 12))
    parts += [
        f'<text class="pl-tick pl-end" x="{at}%" y="36" text-anchor="{anchor}">{text_of(form(value))}</text>'
        for at, anchor, value in ((EDGE, "start", domain[0]), (100 - EDGE, "end", domain[1]))
    ]
    return figure(parts, row.label, row.text, 24)


def axis(domain: tuple[float, float], *, form: Format) -> str:
    """The scale above a column of strips: its two ends and its middle. Hidden from readers of text."""
    marks = ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    low, high = domain
    texts = [
        f'<text class="pl-tick" x="{EDGE + share * (100 - 2 * EDGE):.2f}%" y="12" text-anchor="{anchor}">'
        f"{text_of(form(low + share * (high - low)))}</text>"
        for share, anchor in marks
    ]
    return f'<svg class="pl" width="100%" height="16" aria-hidden="true">{"".join(texts)}</svg>'


def bars(rows: Sequence[tuple[str, float, str]], *, title: str, desc: str, whole: float | None = None) -> str:
    """Horizontal bars from zero, one per (label, value, text), in the order given. Negative values draw no bar.

    `whole` is the value of a full bar; None takes the largest.
    """
    largest = max((value for _, value, _ in rows), default=0.0) if whole is None else whole
    if largest <= 0:
        return ""
    parts: list[str] = []
    for i, (label, value, text) in enumerate(rows):
        y = 34 * i + 14
        parts.append(f'<text class="pl-label" x="0" y="{y}">{text_of(_cut(label))}</text>')
        parts.append(f'<text class="pl-value" x="100%" y="{y}" text-anchor="end">{text_of(text)}</text>')
        parts.append(f'<rect class="pl-track" x="0" y="{y + 6}" width="100%" height="6" rx="1"/>')
        width = min(1.0, max(0.0, value) / largest) * 100
        parts.append(f'<rect class="pl-bar" x="0" y="{y + 6}" width="{width:.2f}%" height="6" rx="1"/>')
    return figure(parts, title, desc, 34 * len(rows) + 4)


def figure(parts: Sequence[str], title: str, desc: str, height_px: int) -> str:
    """Parts as one figure with its text alternative."""
    label = escape(visible(f"{title}. {desc}" if desc else title), quote=True)
    words = f"<title>{text_of(title)}</title>" + (f"<desc>{text_of(desc)}</desc>" if desc else "")
    return f'<svg class="pl" role="img" aria-label="{label}" width="100%" height="{height_px}">{words}{"".join(parts)}</svg>'


def text_of(text: str) -> str:
    """Text as it may stand in a figure."""
    return escape(visible(text), quote=True)


def _cut(label: str) -> str:
    """A label that leaves room for its number on a phone; the whole of it stands in the text alternative."""
    return label if len(label) <= LABEL else label[: LABEL - 1].rstrip() + "…"


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """From low..high to start..end; what lies outside stands at the end."""
    span = (high - low) or 1.0
    return lambda value: start + (min(max(value, low), high) - low) / span * (end - start)


def _domain(rows: Sequence[Whisker], reference: float | None) -> tuple[float, float]:
    known = [v for r in rows for v in (r.value, r.low, r.high) if v is not None]
    known += [reference] if reference is not None else []
    return (min(known, default=0.0), max(known, default=1.0))


def _gridline(y: float, label: str) -> str:
    return (
        f'<line class="pl-grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="pl-tick" x="0" y="{y - 4:.1f}">{text_of(label)}</text>'
    )


def _band(band: tuple[Sequence[float | None], Sequence[float | None]], x: Scale, y: Scale) -> str:
    both = [(i, lo, hi) for i, (lo, hi) in enumerate(zip(*band, strict=True)) if lo is not None and hi is not None]
    if not both:
        return ""
    upper = [f"{x(i):.2f},{y(hi):.1f}" for i, _, hi in both]
    lower = [f"{x(i):.2f},{y(lo):.1f}" for i, lo, _ in reversed(both)]
    return f'<polygon class="pl-band" points="{" ".join(upper + lower)}"/>'


def _path(line: Line, x: Scale, y: Scale) -> str:
    steps: list[str] = []
    pen_down = False
    for i, value in enumerate(line.values):
        if value is not None:
            steps.append(f"{'L' if pen_down else 'M'}{x(i):.2f} {y(value):.1f}")
        pen_down = value is not None
    return f'<path class="pl-line pl-{line.role}" d="{" ".join(steps)}" vector-effect="non-scaling-stroke"/>'


def _x_labels(labels: Sequence[str], x: Scale, y: float) -> list[str]:
    """The first, the last, and up to two between at even distances, so that they never touch on a phone."""
    last = len(labels) - 1
    gaps = 3 if last > 8 or (last and last % 3 == 0) else min(2, last)  # a few points must divide evenly
    shown = [round(last * i / gaps) for i in range(gaps + 1)] if gaps else [0]
    return [
        f'<text class="pl-tick" x="{x(i):.2f}%" y="{y}" text-anchor="{_edge(i, last + 1)}">{text_of(labels[i])}</text>'
        for i in shown
    ]


def _edge(i: int, count: int) -> str:
    return "start" if i == 0 else "end" if i == count - 1 else "middle"


def _tick(x: float, label: str, y: float, *, edge: str) -> str:
    return f'<text class="pl-tick" x="{x:.2f}%" y="{y}" text-anchor="{edge}">{text_of(label)}</text>'


def upright(look: str, x: float, top: float, bottom: float) -> str:
    """A vertical line; `x` in per cent, the others in pixels."""
    return f'<line class="{look}" x1="{x:.2f}%" x2="{x:.2f}%" y1="{top}" y2="{bottom}"/>'


def _reference(x: float, y: float, label: str) -> str:
    anchor = "start" if x < 30 else "end" if x > 70 else "middle"
    return f'<text class="pl-tick" x="{x:.2f}%" y="{y}" text-anchor="{anchor}">{text_of(label)}</text>'


def whisker_marks(row: Whisker, x: Scale, y: float) -> str:
    parts = ""
    if row.low is not None and row.high is not None:
        left, right = x(row.low), x(row.high)
        parts += f'<line class="pl-whisker" x1="{left:.2f}%" x2="{right:.2f}%" y1="{y}" y2="{y}"/>'
        parts += "".join(
            f'<line class="pl-whisker" x1="{end:.2f}%" x2="{end:.2f}%" y1="{y - 4}" y2="{y + 4}"/>'
            for end in (left, right)
        )
    if row.value is not None:
        parts += f'<circle class="pl-dot" cx="{x(row.value):.2f}%" cy="{y}" r="4.5"/>'
    return parts


def _sample(role: Role) -> str:
    dot = '<circle class="pl-dot" cx="14" cy="7" r="2.5"/>' if role == "actual" else ""
    return f'<path class="pl-line pl-{role}" d="M0 7 L28 7"/>{dot}'
