"""The page of `data_versioning.py`: one row per piece of work, one column per tool; rows that Lockgate loses first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from peers.places import Cost

__all__ = ["Row", "page"]

OURS = "Lockgate"


@dataclass(frozen=True)
class Row:
    """One piece of work; goals are limits of CPU seconds, or of the store's growth as a share of the table."""

    key: str
    title: str
    cpu_s: float | None = None
    share: float | None = None
    floor_s: float | None = None


def page(rows: list[Row], found: Mapping[str, Mapping[str, Cost]], tools: list[str], *, judged: bool) -> str:
    """`found`: tool → row → least cost. A tool that is not in it was not installed, a row that is not: it failed."""
    asked = [row for row in rows if any(row.key in costs for costs in found.values())]
    ordered = sorted(asked, key=lambda row: _rank(row, found, judged=judged))
    head = ["CPU s (wall s)", "goal", "floor", *tools]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in ordered:
        ours = found.get(OURS, {}).get(row.key)
        lost = _lost(row, found)
        cells = [
            row.title + (f" **(lost: {' and '.join(lost)})**" if lost else ""), _goal(row, ours, judged=judged),
            f"{row.floor_s:.2f}" if row.floor_s is not None else "", *(_cell(found.get(t), row) for t in tools),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(of_tool: Mapping[str, Cost] | None, row: Row) -> str:
    if of_tool is None:
        return "not installed"
    if (cost := of_tool.get(row.key)) is None:
        return "failed"
    times = f"{cost.cpu_s:.2f} ({cost.wall_s:.1f})"
    return times if cost.share is None else f"{cost.share * 100:+.2f} % · {times}"


def _lost(row: Row, found: Mapping[str, Mapping[str, Cost]]) -> dict[str, float]:
    """In what a peer is better, and by how much ours is more; as printed, so that no row is lost by noise behind the last digit."""
    ours = found.get(OURS, {}).get(row.key)
    peers = [costs[row.key] for tool, costs in found.items() if tool != OURS and row.key in costs]
    if ours is None or not peers:
        return {}
    pairs = {"CPU": (round(ours.cpu_s, 2), min(round(p.cpu_s, 2) for p in peers))}
    if ours.share is not None:
        pairs["bytes"] = (round(ours.share, 4), min(round(p.share or 0, 4) for p in peers))
    return {what: mine / max(best, 1e-4) for what, (mine, best) in pairs.items() if mine > best}


def _missed(row: Row, ours: Cost) -> bool:
    return (row.cpu_s is not None and ours.cpu_s > row.cpu_s) or (
        row.share is not None and ours.share is not None and ours.share > row.share
    )


def _goal(row: Row, ours: Cost | None, *, judged: bool) -> str:
    goal = f"≤ {row.cpu_s}" if row.cpu_s is not None else f"≤ {row.share * 100:g} %" if row.share is not None else ""
    if not goal or ours is None or not judged:
        return goal
    return f"{goal}: {'**missed**' if _missed(row, ours) else 'met'}"


def _rank(row: Row, found: Mapping[str, Mapping[str, Cost]], *, judged: bool) -> tuple[bool, float, bool]:
    """Lost rows, the worst first; then those whose goal is missed; then the others as they are."""
    lost, ours = _lost(row, found), found.get(OURS, {}).get(row.key)
    return not lost, -max(lost.values(), default=0.0), not (judged and ours and _missed(row, ours))
