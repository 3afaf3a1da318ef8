"""The graph as one file of HTML: what is made of what, what is up to date, what would run and what it cost.

`render` is pure: the same survey gives the same bytes. Nothing is loaded from anywhere: the style sheet and the one
script stand in the page, and its content policy allows these two by their digests and nothing else. Every text comes
from a project's names and docstrings, so every text is escaped. Without the script the page still says everything.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from lockgate.delivery.drawing.svg import LARGE, SYMBOLS, draw, escaped, tone
from lockgate.delivery.drawing.words import age, cost, headline, size_words, state_words
from lockgate.release.wording import count, day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.delivery.drawing.survey import Box, Survey

__all__ = ["render"]

COSTS_SHOWN = 12
KINDS = {"source": "source", "step": "step", "predictor": "predictor", "release": "release"}
HEADINGS = (
    ("source", "Sources"),
    ("step", "Steps and what they make"),
    ("predictor", "Predictors"),
    ("release", "Releases"),
)


def render(survey: Survey) -> str:
    """Render the page. Deterministic; no I/O but reading the package's own style sheets and script."""
    style, script = _style(), _resource("graph.js")
    policy = f"default-src 'none'; style-src '{_allowed(style)}'; script-src '{_allowed(script)}'; base-uri 'none'; form-action 'none'"
    title = f"{escaped(survey.project)}: the graph"
    banner = f'<p class="banner">{escaped(survey.banner)}</p>\n' if survey.banner else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n{banner}"
        f'<main class="wide">\n{_head(survey)}{_graph(survey)}{_costs(survey)}{_things(survey)}</main>\n'
        f"<footer><p>Drawn by lockgate graph on {day(survey.now.date())}, {survey.now:%H:%M} UTC. This page is a picture of that moment; "
        "what is true now says <code>lockgate plan</code>.</p></footer>\n"
        '<aside id="panel" aria-live="polite" aria-label="The chosen box" hidden><div></div></aside>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _head(survey: Survey) -> str:
    steps = [b for b in survey.boxes if b.kind == "step"]
    facts = [("as-of", day(survey.as_of)), ("pipelines", ", ".join(f"{n} ({k})" for n, k in survey.groups.items())),
             ("steps", count(len(steps))), ("last cost of all steps", cost(sum(b.seconds or 0.0 for b in steps))),
             ("results kept", size_words(sum(b.size_bytes or 0 for b in steps)))]  # fmt: skip
    listed = "".join(f"<div><dt>{escaped(n)}</dt><dd>{escaped(v)}</dd></div>" for n, v in facts)
    return (
        f'<header>\n<p class="kicker">Graph</p>\n<h1>{escaped(survey.project)}</h1>\n'
        f'<p class="lead">{escaped(headline(survey.boxes))}</p>\n<dl class="facts">{listed}</dl>\n</header>\n'
    )


def _graph(survey: Survey) -> str:
    key = "".join(
        f'<li class="{tone(state)}"><b>{SYMBOLS[state]}</b> <span>{escaped(text)}</span></li>'
        for state, text in _states(survey.boxes)
    )
    drawings = f'<div class="drawing wide">{draw(survey, narrow=False)}</div>'
    if len(survey.boxes) <= LARGE:  # a larger one is looked at by scrolling, on every screen
        drawings += f'\n<div class="drawing narrow">{draw(survey, narrow=True)}</div>'
    else:
        drawings = drawings.replace("drawing wide", "drawing", 1)
    return (
        f'<section class="graph" aria-label="Graph">\n<ul class="key">{key}</ul>\n'
        '<p class="hint quiet small">Choose a box to see what it is made of and what depends on it. '
        "Tab, Enter and the arrow keys work too; Esc lets go.</p>\n"
        f"{drawings}\n</section>\n"
    )


def _states(boxes: Sequence[Box]) -> list[tuple[str, str]]:
    """The states that occur, in a fixed order, with how many boxes each has."""
    steps = [b.state for b in boxes if b.kind == "step"]
    texts = {"reuse": "up to date", "run": "would run", "maybe": "runs only if an input changes", "blocked": "blocked"}
    return [(s, f"{t} ({steps.count(s)})") for s, t in texts.items() if s in steps]


def _costs(survey: Survey) -> str:
    """The dearest steps of the last runs, dearest first."""
    known = sorted((b for b in survey.boxes if b.seconds), key=lambda b: (-(b.seconds or 0.0), b.key))
    if not known:
        return ""
    dearest = known[0].seconds or 1.0
    rows = "".join(
        f'<tr><th scope="row">{escaped(b.name)}</th><td class="bar" aria-hidden="true">{_bar((b.seconds or 0.0) / dearest)}</td>'
        f"<td>{escaped(cost(b.seconds or 0.0))}</td><td>{escaped(size_words(b.size_bytes))}</td></tr>\n"
        for b in known[:COSTS_SHOWN]
    )
    more = f" The {COSTS_SHOWN} dearest of {len(known)}." if len(known) > COSTS_SHOWN else ""
    return (
        '<section aria-labelledby="cost">\n<h2 id="cost">What the last run of each step cost</h2>\n'
        f'<table class="costs"><caption>Time of the run that made the result, and the size of the result.{more}</caption>'
        '<thead><tr><th scope="col">step</th><th class="bar" aria-hidden="true"></th><th scope="col">time</th><th scope="col">size</th></tr></thead>'
        f"\n<tbody>\n{rows}</tbody></table>\n</section>\n"
    )


def _bar(share: float) -> str:
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none"><rect class="track" width="100" height="10"/>'
        f'<rect class="fill" width="{max(share * 100, 0.6):.1f}" height="10"/></svg>'
    )


def _things(survey: Survey) -> str:
    """Everything that can be chosen, in words; what the script shows in its panel stands here for everybody."""
    inputs: dict[str, list[str]] = {b.key: [] for b in survey.boxes}
    users: dict[str, list[str]] = {b.key: [] for b in survey.boxes}
    for a, b in survey.arrows:
        inputs[b].append(a)
        users[a].append(b)
    place = {b.key: n for n, b in enumerate(survey.boxes)}
    names = {b.key: b.name for b in survey.boxes}

    def links(keys: list[str]) -> str:
        return ", ".join(f'<a href="#b{place[k]}">{escaped(names[k])}</a>' for k in keys)

    parts: list[str] = []
    for kind, heading in HEADINGS:
        of_kind = [b for b in survey.boxes if b.kind == kind]
        if not of_kind:
            continue
        cards = "".join(_thing(survey, b, place[b.key], links(inputs[b.key]), links(users[b.key])) for b in of_kind)
        parts.append(
            f'<section aria-labelledby="{kind}s">\n<h2 id="{kind}s">{heading}</h2>\n<div class="things">\n{cards}</div>\n</section>\n'
        )
    return "".join(parts)


def _thing(survey: Survey, box: Box, number: int, inputs: str, users: str) -> str:
    facts = [
        ("kind", escaped(_kind(box))),
        ("made of" if box.kind != "release" else "from", inputs),
        ("used by", users),
        ({"source": "changed", "release": "proposed"}.get(box.kind, "computed"), escaped(age(box, survey))),
        ("cost", escaped(cost(box.seconds)) if box.seconds is not None else ""),
        ("size", escaped(size_words(box.size_bytes)) if box.size_bytes is not None else ""),
        ("digest", f"<code>{escaped(box.digest.rpartition(':')[2][:12])}</code>" if box.digest else ""),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value)
    doc = f'<p class="doc">{escaped(box.doc)}</p>' if box.doc else ""
    return (
        f'<article class="thing" id="b{number}"><h3>{escaped(box.name)}</h3>'
        f'<p class="state {tone(box.state)}">{SYMBOLS.get(box.state, "")} {escaped(state_words(box))}</p>{doc}<dl>{listed}</dl></article>\n'
    )


def _kind(box: Box) -> str:
    said = KINDS[box.kind] + (f" of {box.group}" if box.group else "")
    said += (
        f"; makes: {box.holds}"
        if box.kind == "step"
        else f"; {box.holds}"
        if box.kind == "source" and box.holds
        else ""
    )
    return said + ("; published" if box.published else "") + ("; reads the project's day" if box.reads_day else "")


@functools.cache
def _style() -> str:
    """The pages' common look, and what only this page has."""
    common = resources.files("lockgate.release").joinpath("page.css").read_text("utf-8")
    return common + _resource("graph.css")


def _allowed(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _resource(name: str) -> str:
    return resources.files("lockgate.delivery.drawing").joinpath(name).read_text("utf-8")
