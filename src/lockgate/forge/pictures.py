"""Figures of the evidence page as pictures of their own, for a note: SVG that needs no page around it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockgate.release import beside, figures, plots, wording

if TYPE_CHECKING:
    from lockgate.records.evidence import GroupEstimate
    from lockgate.records.pack import Pack

__all__ = ["pictures"]

WIDTH: Final = 760
EDGE: Final = 16
GROUPS: Final = 10
SIZED: Final = re.compile(r'<svg class="pl"([^>]*?) width="100%" height="(\d+)">')
LINES: Final = "dots: what happened; line: this release{interval}; dashed: the best simple method"


def pictures(pack: Pack) -> dict[str, tuple[str, str]]:
    """Name → its words and its SVG, of what there is: the metric per group, the days of the test."""
    drawn = figures.draw(pack)
    made = {
        "groups": (f"{wording.metric_name(pack.metric)} per group, worst first, with 95% intervals", _groups(pack)),
        "days": (f"The days of the test; {LINES.format(interval=_interval(pack))}", str(drawn.days or "")),
    }
    return {name: (words, _alone(svg)) for name, (words, svg) in made.items() if svg}


def _interval(pack: Pack) -> str:
    """Sums over products have none."""
    return ", with its interval" if any(day.low is not None for day in pack.days) else ""


def _groups(pack: Pack) -> str:
    known = [
        g for g in beside.worst_first(pack.groups, pack.metric) if wording.decimal_of(g.estimate.value) is not None
    ]
    average = wording.decimal_of(pack.overall.value) if pack.overall else None
    return plots.dot_whisker(
        [_whisker(g) for g in known[:GROUPS]], title="The metric per group", desc="",
        reference=float(average) if average is not None else None, reference_label="all rows",
        form="{:.0%}".format if pack.metric.unit == wording.SHARE else "{:g}".format,
    )  # fmt: skip


def _whisker(group: GroupEstimate) -> plots.Whisker:
    ends = [wording.decimal_of(t) for t in (group.estimate.value, group.estimate.low, group.estimate.high)]
    value, low, high = (None if e is None else float(e) for e in ends)
    told = f"{wording.number(group.estimate.value, group.estimate.unit)} {wording.spread(group.estimate)}, n {group.estimate.n:,}"
    return plots.Whisker(label=wording.group_name(group.by, group.group), value=value, low=low, high=high, text=told)


def _alone(svg: str) -> str:
    """The page's style sheet, a background that suits light and dark, and a size."""
    found = SIZED.match(svg)
    if found is None:
        return ""
    height, inner = int(found[2]), WIDTH - 2 * EDGE
    sized = SIZED.sub(rf'<svg class="pl"\1 x="{EDGE}" y="{EDGE}" width="{inner}" height="{height}">', svg, count=1)
    tall = height + 2 * EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{tall}" viewBox="0 0 {WIDTH} {tall}">'
        f"<style>{plots.css()}</style>"
        f'<rect width="{WIDTH}" height="{tall}" rx="6" fill="#fdfcf9"/>{sized}</svg>\n'
    )
