"""The graph as SVG: boxes with a bar of their state's colour, and smooth arrows between the rows. Pure."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.delivery.drawing.layers import Drawing, Size, arrange
from lockgate.delivery.drawing.words import cost, size_words, state_words
from lockgate.release.wording import visible

if TYPE_CHECKING:
    from lockgate.delivery.drawing.survey import Box, Survey

__all__ = ["LARGE", "SYMBOLS", "draw", "escaped", "tone"]

WIDE = Size(width=212.0, height=76.0)
NARROW = Size(width=160.0, height=76.0, gap=10.0, lane=3.0, row_gap=48.0)
SCREEN = 372.0
LEAST = 122.0
SYMBOLS = {"reuse": "✓", "run": "↻", "maybe": "?", "blocked": "✕", "here": "✓", "missing": "✕",
           "live": "●", "approved": "✓", "proposed": "○", "retired": "○", "rejected": "✕"}  # fmt: skip
LARGE = 60  # boxes, from which on a drawing may be wider than the screen
STATE = {"reuse": "up to date", "run": "would run", "maybe": "may run", "blocked": "blocked", "missing": "missing"}


def draw(survey: Survey, *, narrow: bool) -> str:
    """One `svg` element; every box links to the text about it."""
    found, size = _arranged(survey, narrow=narrow)
    place = {b.key: n for n, b in enumerate(survey.boxes)}
    wires = "".join(
        f'<path class="wire" data-from="b{place[a]}" data-to="b{place[b]}" d="{_curve(points)}"/>\n'
        for (a, b), points in found.arrows.items()
    )
    boxes = "".join(_box(b, place[b.key], found.boxes[b.key], size) for b in survey.boxes)
    width, height = found.width + 2, found.height + 6
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" viewBox="-1 -1 {width:.0f} {height:.0f}" role="group" '
        f'aria-label="What is made of what, from top to bottom">\n<g>\n{wires}</g>\n{boxes}</svg>'
    )


def tone(state: str) -> str:
    """The class that colours a state; a state of another version has none."""
    return state if state in SYMBOLS else "none"


def escaped(text: str) -> str:
    """Text for HTML: markup loses its meaning, hidden characters are shown."""
    return html.escape(visible(text), quote=True)


def _arranged(survey: Survey, *, narrow: bool) -> tuple[Drawing, Size]:
    """On a telephone two boxes side by side, as wide as its screen allows beside the lanes."""
    names = [b.key for b in survey.boxes]
    if not narrow:
        return arrange(names, survey.arrows, columns=5 if len(names) <= LARGE else 8, size=WIDE), WIDE
    found = arrange(names, survey.arrows, columns=2, size=NARROW)
    spare = min(max((SCREEN - found.width) / 2, LEAST - NARROW.width), 0.0)
    size = replace(NARROW, width=NARROW.width + spare)
    return (arrange(names, survey.arrows, columns=2, size=size) if spare else found), size


def _curve(points: tuple[tuple[float, float, float], ...]) -> str:
    """From the foot of the first box through its lane to the head of the last one."""
    x, _, bottom = points[0]
    parts = [f"M{x:g} {bottom:g}"]
    for to_x, top, foot in points[1:]:
        middle = (bottom + top) / 2
        parts.append(f"C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {top:g}")
        if (to_x, top, foot) != points[-1]:
            parts.append(f"V{foot:g}")
        x, bottom = to_x, foot
    return "".join(parts)


def _box(box: Box, number: int, at: tuple[float, float], size: Size) -> str:
    left, top = at
    w, h = size.width, size.height
    under = (
        f'<rect class="under" x="{left + 4:g}" y="{top + 4:g}" width="{w:g}" height="{h:g}" rx="7"/>'
        if box.published
        else ""
    )
    label = f"{box.name}, {box.kind}: {state_words(box)}"
    lines = (("name", 26.0, _cut(box.name, (w - 30) / 8.1)), ("sub", 45.0, _fitting(_holds(box), (w - 30) / 6.4)),
             ("said", 63.0, _fitting(_said(box), (w - 30) / 6.4)))  # fmt: skip
    texts = "".join(f'<text class="{c}" x="{left + 17:g}" y="{top + y:g}">{escaped(t)}</text>' for c, y, t in lines)
    return (
        f'<a class="box {box.kind} {tone(box.state)}" data-id="b{number}" href="#b{number}" aria-label="{escaped(label)}">{under}'
        f'<rect class="face" x="{left:g}" y="{top:g}" width="{w:g}" height="{h:g}" rx="7"/>'
        f'<rect class="bar" x="{left + 6:g}" y="{top + 12:g}" width="3.5" height="{h - 24:g}" rx="1.75"/>{texts}</a>\n'
    )


def _holds(box: Box) -> list[str]:
    """The second line: what it is and how large."""
    kind = "" if box.kind == "step" else box.kind
    what = box.holds if box.kind in ("source", "step") else ""
    size = size_words(box.size_bytes) if box.size_bytes is not None else ""
    return [p for p in (kind, what, size, "published" if box.published else "") if p]


def _said(box: Box) -> list[str]:
    """The third line: the state, and what the last run cost."""
    symbol = SYMBOLS.get(box.state, "")
    if box.kind == "predictor":
        return [f"{symbol} {'ready' if box.state == 'reuse' else 'waits for its inputs'}"]
    if box.kind == "release" or box.state == "run":
        return [f"{symbol} {box.why}"]
    accepted = ["accepted"] if box.state == "reuse" and box.why else []
    spent = [cost(box.seconds)] if box.seconds is not None and box.state == "reuse" else []
    return [f"{symbol} {STATE.get(box.state, box.state)}", *accepted, *spent]


def _fitting(parts: list[str], room: float) -> str:
    """As many parts as there is room for, the first one cut if need be."""
    while len(parts) > 1 and len(" · ".join(parts)) > room:
        parts = parts[:-1]
    return _cut(" · ".join(parts), room)


def _cut(text: str, room: float) -> str:
    shown = visible(text)
    return shown if len(shown) <= room else shown[: int(room) - 1] + "…"
