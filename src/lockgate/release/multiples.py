"""Small multiples: the same little figure once per column, group or bin, so that the eye compares shapes, not words.

Three marks, told apart by shape and line as well as by shade: training, test, now. Each figure says in its text
alternative everything that it draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lockgate.release.plots import Format, Scale, figure, scale, text_of, upright

__all__ = ["Bin", "Range", "Series", "histogram", "marks_key", "ranges", "reliability", "shares"]

HEIGHT = 96
FLOOR = 76.0  # where bars stand
LABEL = 26  # characters
SQUARE = 168
NAMES: Mapping[str, str] = {"train": "training", "holdout": "test", "now": "now"}
"""Sets of rows as people call them. Others have no mark of their own: a name from data never becomes part of a figure's markup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One set of rows: its name (`train`, `holdout`, `now`) and its share per bin, adding up to 1."""

    name: str
    shares: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The middle of some values: quantiles 0.05, 0.25, 0.5, 0.75, 0.95."""

    name: str
    at: tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Rows with scores close together: the mean score, the share that came true, and that share's interval."""

    said: float
    happened: float
    low: float
    high: float


def marks_key(names: Sequence[str]) -> str:
    """The legend of every figure here, as a list in HTML."""
    samples = {
        "train": _sample("train", '<rect class="pl-train" x="2" y="3" width="24" height="9"/>'),
        "holdout": _sample("holdout", '<path class="pl-step pl-holdout" d="M2 11 L10 11 L10 4 L26 4"/>'),
        "now": _sample("now", '<path class="pl-step pl-now" d="M2 11 L10 11 L10 4 L26 4"/>'),
    }
    items = "".join(
        f'<li><svg class="pl" width="56" height="14" aria-hidden="true">{samples[n]}</svg> {NAMES[n]}</li>'
        for n in samples
        if n in names
    )
    return f'<ul class="pl-key">{items}</ul>'


def _sample(name: str, counted: str) -> str:
    """The three marks of one set of rows: counted in bins, as a share, as a middle."""
    share = "" if name == "train" else f'<line class="pl-mark pl-{name}" x1="34" x2="34" y1="1" y2="13"/>'
    return f'{counted}{share}<circle class="pl-{name}" cx="47" cy="7" r="3.5"/>'


def histogram(ends: tuple[str, str], series: Sequence[Series], *, title: str, desc: str) -> str:
    """Shares of rows over bins of equal width: training as filled bars, the others as outlines."""
    tallest = max((share for one in series for share in one.shares), default=0.0)
    if not tallest > 0:
        return ""
    y = scale(0.0, tallest, FLOOR, 8.0)
    inside = "".join(_filled(one, y) if one.name == "train" else _outline(one, y) for one in series)
    parts = [
        f'<svg x="0" y="0" width="100%" height="{HEIGHT}" viewBox="0 0 100 {HEIGHT}" preserveAspectRatio="none">{inside}</svg>',
        f'<line class="pl-grid" x1="0" x2="100%" y1="{FLOOR}" y2="{FLOOR}"/>',
        f'<text class="pl-tick" x="0" y="{HEIGHT - 5}">{text_of(ends[0])}</text>',
        f'<text class="pl-tick" x="100%" y="{HEIGHT - 5}" text-anchor="end">{text_of(ends[1])}</text>',
    ]
    return figure(parts, title, desc, HEIGHT)


def shares(labels: Sequence[str], series: Sequence[Series], *, title: str, desc: str) -> str:
    """Share of rows per label, of all with a value: training as a bar, the others as marks on it."""
    if not any(share > 0 for one in series for share in one.shares):
        return ""
    parts: list[str] = []
    for i, label in enumerate(labels):
        top = 30 * i
        parts.append(f'<text class="pl-tick" x="0" y="{top + 11}">{text_of(_short(label))}</text>')
        parts.append(f'<rect class="pl-track" x="0" y="{top + 16}" width="100%" height="8" rx="1"/>')
        parts += [_mark(one, one.shares[i] * 100, top + 16) for one in series]
    return figure(parts, title, desc, 30 * len(labels) + 4)


def ranges(rows: Sequence[tuple[str, Sequence[Range]]], *, title: str, desc: str, form: Format = "{:g}".format) -> str:
    """Per group and set of rows: a thin line for 90 of 100 values, a thick one for the middle half, a dot for the middle."""
    known = [v for _, group in rows for one in group for v in (one.at[0], one.at[-1])]
    if not known:
        return ""
    low, high = min(known), max(known)
    x = scale(low, high if high > low else low + 1, 1.5, 98.5)
    parts: list[str] = []
    y = 0.0
    for label, group in rows:
        parts.append(f'<text class="pl-tick" x="0" y="{y + 11:.0f}">{text_of(_short(label))}</text>')
        y += 18
        for one in group:
            parts += _range(one, x(one.at[0]), x(one.at[4]), "pl-thin", y)
            parts += _range(one, x(one.at[1]), x(one.at[3]), "pl-thick", y)
            parts.append(f'<circle class="{_look(one.name)}" cx="{x(one.at[2]):.2f}%" cy="{y:.0f}" r="3.5"/>')
            y += 10
        y += 6
    parts.append(f'<text class="pl-tick" x="0" y="{y + 10:.0f}">{text_of(form(low))}</text>')
    parts.append(f'<text class="pl-tick" x="100%" y="{y + 10:.0f}" text-anchor="end">{text_of(form(high))}</text>')
    return figure(parts, title, desc, round(y) + 14)


def reliability(bins: Sequence[Bin], *, title: str, desc: str) -> str:
    """What was said (across) against what happened (up); on the dotted diagonal both are equal."""
    if not bins:
        return ""
    x, y = scale(0.0, 1.0, 3.0, 97.0), scale(0.0, 1.0, SQUARE - 22.0, 8.0)
    parts = [
        f'<line class="pl-ref" x1="{x(0)}%" x2="{x(1)}%" y1="{y(0):.1f}" y2="{y(1):.1f}"/>',
        f'<line class="pl-grid" x1="0" x2="100%" y1="{y(0):.1f}" y2="{y(0):.1f}"/>',
        f'<text class="pl-tick" x="0" y="{SQUARE - 6}">said 0%</text>',
        f'<text class="pl-tick" x="100%" y="{SQUARE - 6}" text-anchor="end">100%</text>',
    ]
    for one in bins:
        parts.append(upright("pl-whisker", x(one.said), round(y(one.high), 1), round(y(one.low), 1)))
        parts.append(f'<circle class="pl-dot" cx="{x(one.said):.2f}%" cy="{y(one.happened):.1f}" r="3.5"/>')
    return figure(parts, title, desc, SQUARE)


def _look(name: str) -> str:
    return f"pl-{name}" if name in NAMES else "pl-other"


def _short(label: str) -> str:
    return label if len(label) <= LABEL else label[: LABEL - 1].rstrip() + "…"


def _filled(one: Series, y: Scale) -> str:
    width = 100 / max(1, len(one.shares))
    top = _heights(one, y)
    return "".join(
        f'<rect class="pl-train" x="{i * width:.2f}" y="{h:.1f}" width="{width:.2f}" height="{FLOOR - h:.1f}"/>'
        for i, h in enumerate(top)
    )


def _outline(one: Series, y: Scale) -> str:
    width = 100 / max(1, len(one.shares))
    steps = [f"M0 {FLOOR}"]
    for i, h in enumerate(_heights(one, y)):
        steps.append(f"L{i * width:.2f} {h:.1f} L{(i + 1) * width:.2f} {h:.1f}")
    path = " ".join([*steps, f"L100 {FLOOR}"])
    return f'<path class="pl-step {_look(one.name)}" d="{path}" vector-effect="non-scaling-stroke"/>'


def _heights(one: Series, y: Scale) -> list[float]:
    return [y(share) for share in one.shares]


def _mark(one: Series, width: float, top: float) -> str:
    if one.name == "train":
        return f'<rect class="pl-train" x="0" y="{top}" width="{max(0.0, width):.2f}%" height="8" rx="1"/>'
    return upright(f"pl-mark {_look(one.name)}", min(99.5, max(0.5, width)), top - 3, top + 11)


def _range(one: Range, left: float, right: float, look: str, y: float) -> list[str]:
    return [f'<line class="{look} {_look(one.name)}" x1="{left:.2f}%" x2="{right:.2f}%" y1="{y:.0f}" y2="{y:.0f}"/>']
