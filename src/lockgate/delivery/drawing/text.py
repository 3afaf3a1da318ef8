"""The graph as text: a list for the terminal, Mermaid for a README."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from lockgate.delivery.drawing.words import ago, cost, headline, size_words
from lockgate.release.wording import day, visible

if TYPE_CHECKING:
    from lockgate.delivery.drawing.survey import Box, Survey

__all__ = ["mermaid", "rows", "title"]

HEADER = ("what", "now", "computed", "cost", "size", "made of")
SHAPES = {"source": ("[(", ")]"), "step": ("[", "]"), "predictor": ("{{", "}}"), "release": ("([", "])")}
LONGEST = 40
WIDTH = 100
CODES = str.maketrans({'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "\n": " ", "[": "#91;", "]": "#93;"})  # fmt: skip


def title(survey: Survey) -> str:
    """Project, day, and what a run would do."""
    return "\n".join([f"{survey.project} · as-of {day(survey.as_of)}", *textwrap.wrap(headline(survey.boxes), WIDTH)])


def rows(survey: Survey) -> list[list[str]]:
    """A line per box, indented by how many boxes stand above it at the longest."""
    depth: dict[str, int] = {}
    inputs: dict[str, list[str]] = {b.key: [] for b in survey.boxes}
    names = {b.key: b.name for b in survey.boxes}
    for a, b in survey.arrows:
        inputs[b].append(a)
    for box in survey.boxes:
        depth[box.key] = 1 + max((depth[i] for i in inputs[box.key]), default=-1)
    return [_row(b, depth[b.key], [names[i] for i in inputs[b.key]], survey) for b in survey.boxes]


def mermaid(survey: Survey) -> str:
    """A flowchart: structure only, so that it changes when the graph does and not from day to day."""
    place = {b.key: f"n{n}" for n, b in enumerate(survey.boxes)}
    lines = ["flowchart TD"]
    for group in ("", *survey.groups):
        inside = [b for b in survey.boxes if (b.group if b.kind != "release" else "") == group and b.kind != "release"]
        if not inside:
            continue
        lines += (
            [f'  subgraph {_text(group)}["{_text(group)}"]'.replace(_text(group), _plain(group), 1)] if group else []
        )
        lines += [f"  {'  ' * bool(group)}{place[b.key]}{_shape(b)}" for b in inside]
        lines += ["  end"] if group else []
    releases = {b.key for b in survey.boxes if b.kind == "release"}
    lines += [f"  {place[a]} --> {place[b]}" for a, b in survey.arrows if b not in releases]
    return "\n".join(lines) + "\n"


def _row(box: Box, depth: int, inputs: list[str], survey: Survey) -> list[str]:
    name = f"{'  ' * min(depth, 8)}{visible(box.name)}"
    name = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    said = box.kind if box.kind == "predictor" else box.state
    when = ago(box.computed, survey.now) if box.computed else ""
    made = ", ".join(visible(i) for i in inputs) or (box.holds if box.kind == "source" else "")
    return [name, said, when, cost(box.seconds), size_words(box.size_bytes), made]


def _shape(box: Box) -> str:
    opening, closing = SHAPES[box.kind]
    if box.published:
        opening, closing = "[[", "]]"
    return f'{opening}"{_text(box.name)}"{closing}'


def _text(text: str) -> str:
    return visible(text).translate(CODES)


def _plain(group: str) -> str:
    """An identifier of a subgraph."""
    return "p_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in group)
