"""Where the boxes of a drawn graph stand: rows from top to bottom, few crossings, nothing overlaps. Pure.

The steps are Sugiyama's: rows, lanes for arrows that pass a row, an order within each row by the mean place of the
neighbours, and at last places, each row by least squares under "at least this far apart" (isotonic regression).
All arrows of one box share one lane, so that a much-used table is one line with branches and not a bundle of lines.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Drawing", "Size", "arrange"]

SWEEPS = 12
STRAIGHT = 8.0  # how much more a lane wants to run straight than a box wants to stand under its inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """In pixels: a box, the gaps between boxes and rows, and the width of the lane of a passing arrow."""

    width: float
    height: float
    gap: float = 16.0
    row_gap: float = 58.0
    lane: float = 6.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes by their upper left corner, and arrows by the points they pass: (x, y above, y below) in each row."""

    width: float
    height: float
    boxes: Mapping[str, tuple[float, float]]
    arrows: Mapping[tuple[str, str], tuple[tuple[float, float, float], ...]]


Item = tuple[str, int]
"""A box, or its lane in a later row: (name, row)."""


def arrange(names: Sequence[str], arrows: Sequence[tuple[str, str]], *, columns: int, size: Size) -> Drawing:
    """Place boxes, given in topological order, with at most `columns` of them side by side."""
    row_of = _rows(names, arrows, columns)
    links = _links(arrows, row_of)
    rows = _ordered(_items(names, links, row_of), links)
    x = _places(rows, links, row_of, size)
    left = min((x[i] - _width(i, row_of, size) / 2 for row in rows for i in row), default=0.0)
    right = max((x[i] + _width(i, row_of, size) / 2 for row in rows for i in row), default=0.0)
    pitch = size.height + size.row_gap

    def point(item: Item) -> tuple[float, float, float]:
        top = item[1] * pitch
        return round(x[item] - left, 1), top, top + size.height

    boxes = {n: (round(x[n, row_of[n]] - left - size.width / 2, 1), row_of[n] * pitch) for n in names}
    paths = {(a, b): tuple(point(i) for i in _path(a, b, row_of)) for a, b in arrows}
    return Drawing(round(right - left, 1), len(rows) * pitch - size.row_gap if rows else 0.0, boxes, paths)


def _rows(names: Sequence[str], arrows: Sequence[tuple[str, str]], columns: int) -> dict[str, int]:
    """Row by row the boxes whose inputs stand above, those with most to come first; starts sink to their first user."""
    above: dict[str, list[str]] = {n: [] for n in names}
    below: dict[str, list[str]] = {n: [] for n in names}
    for a, b in arrows:
        above[b].append(a)
        below[a].append(b)
    depth: dict[str, int] = {}
    for name in reversed(names):
        depth[name] = 1 + max((depth[b] for b in below[name]), default=0)
    row_of: dict[str, int] = {}
    waiting, row = list(names), 0
    while waiting:
        ready = [n for n in waiting if all(row_of.get(a, row) < row for a in above[n])]
        for name in sorted(ready, key=lambda n: -depth[n])[:columns]:
            row_of[name] = row
        waiting = [n for n in waiting if n not in row_of]
        row += 1
    _sink(names, above, below, row_of, columns)
    return row_of


def _sink(
    names: Sequence[str], above: Mapping[str, list[str]], below: Mapping[str, list[str]], row_of: dict[str, int],
    columns: int,
) -> None:  # fmt: skip
    filled = [0] * (max(row_of.values(), default=0) + 1)
    for row in row_of.values():
        filled[row] += 1
    for name in reversed(names):
        if above[name] or not below[name]:
            continue
        latest = min(row_of[b] for b in below[name]) - 1
        free = [r for r in range(latest, row_of[name], -1) if filled[r] < columns]
        if free:
            filled[row_of[name]] -= 1
            row_of[name] = free[0]
            filled[free[0]] += 1


def _path(a: str, b: str, row_of: Mapping[str, int]) -> list[Item]:
    return [*((a, row) for row in range(row_of[a], row_of[b])), (b, row_of[b])]


def _links(arrows: Sequence[tuple[str, str]], row_of: Mapping[str, int]) -> list[tuple[Item, Item]]:
    """Pieces of arrows from each row to the next; shared pieces once."""
    pieces = {p: None for a, b in arrows for p in pairwise(_path(a, b, row_of))}
    return list(pieces)


def _items(names: Sequence[str], links: Sequence[tuple[Item, Item]], row_of: Mapping[str, int]) -> list[list[Item]]:
    rows: list[list[Item]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    every = {**{(n, row_of[n]): None for n in names}, **{i: None for link in links for i in link}}
    for item in every:
        rows[item[1]].append(item)
    return rows


def _ordered(rows: list[list[Item]], links: Sequence[tuple[Item, Item]]) -> list[list[Item]]:
    """Down and up, each row by the mean place of its neighbours; the order with the fewest crossings is kept."""
    up, down = _neighbours(links)
    best, fewest = rows, _crossings(rows, down)
    for sweep in range(SWEEPS):
        order = list(rows)
        for row in range(len(order)) if sweep % 2 == 0 else reversed(range(len(order))):
            beside = row - 1 if sweep % 2 == 0 else row + 1
            place = {i: k for k, i in enumerate(order[beside])} if 0 <= beside < len(order) else {}
            near = up if sweep % 2 == 0 else down
            order[row] = _by_mean(order[row], place, near)
        rows = order
        if (crossings := _crossings(rows, down)) < fewest:
            best, fewest = rows, crossings
    return best


def _by_mean(row: list[Item], place: Mapping[Item, int], near: Mapping[Item, list[Item]]) -> list[Item]:
    """Sorted by where the neighbours are; an item without any stays where it is, as a share of its row."""
    share = max(len(place), 1) / max(len(row), 1)
    means: dict[Item, float] = {}
    for index, item in enumerate(row):
        known = [place[n] for n in near.get(item, ()) if n in place]
        means[item] = sum(known) / len(known) if known else index * share
    return sorted(row, key=means.__getitem__)


def _neighbours(links: Sequence[tuple[Item, Item]]) -> tuple[dict[Item, list[Item]], dict[Item, list[Item]]]:
    up: dict[Item, list[Item]] = {}
    down: dict[Item, list[Item]] = {}
    for a, b in links:
        down.setdefault(a, []).append(b)
        up.setdefault(b, []).append(a)
    return up, down


def _crossings(rows: Sequence[Sequence[Item]], down: Mapping[Item, list[Item]]) -> int:
    found = 0
    for upper, lower in pairwise(rows):
        place = {i: k for k, i in enumerate(lower)}
        seen: list[int] = []
        for item in upper:
            ends = sorted(place[b] for b in down.get(item, ()))
            found += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return found


def _width(item: Item, row_of: Mapping[str, int], size: Size) -> float:
    return size.width if row_of[item[0]] == item[1] else size.lane


def _places(
    rows: Sequence[Sequence[Item]], links: Sequence[tuple[Item, Item]], row_of: Mapping[str, int], size: Size
) -> dict[Item, float]:
    """Centres. Every row keeps its order and its distances, and stays within the widest row's width."""
    up, down = _neighbours(links)
    apart = {
        id(row): [(_width(a, row_of, size) + _width(b, row_of, size)) / 2 + size.gap for a, b in pairwise(row)]
        for row in rows
    }
    widest = max(
        (sum(apart[id(r)]) + (_width(r[0], row_of, size) + _width(r[-1], row_of, size)) / 2 for r in rows if r),
        default=0.0,
    )
    x: dict[Item, float] = {i: widest / 2 for row in rows for i in row}
    for sweep in range(SWEEPS):
        near = (up, down)[sweep % 2]
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wishes = [_wish(i, x, near, row_of) for i in row]
            ends = (_width(row[0], row_of, size) / 2, widest - _width(row[-1], row_of, size) / 2)
            x.update(zip(row, _spaced(wishes, apart[id(row)], ends), strict=True))
    return x


def _wish(
    item: Item, x: Mapping[Item, float], near: Mapping[Item, list[Item]], row_of: Mapping[str, int]
) -> tuple[float, float]:
    """(where to, how much): the mean of the neighbours; a lane follows its own line, and a box itself a little."""
    beside = near.get(item, [])
    weights = [STRAIGHT if n[0] == item[0] and row_of[n[0]] != n[1] else 1.0 for n in beside]
    if not beside:
        return x[item], 0.1
    return sum(x[n] * w for n, w in zip(beside, weights, strict=True)) / sum(weights), sum(weights)


def _spaced(wishes: Sequence[tuple[float, float]], apart: Sequence[float], ends: tuple[float, float]) -> list[float]:
    """The nearest places to the wishes, in order and apart: pool adjacent violators, then cut at the ends."""
    offset, pools = 0.0, list[tuple[float, float, int]]()
    offsets: list[float] = []
    for k, (wish, much) in enumerate(wishes):
        offset += apart[k - 1] if k else 0.0
        offsets.append(offset)
        value, weight, many = wish - offset, much, 1
        while pools and pools[-1][0] > value:
            other, heavy, count = pools.pop()
            value, weight, many = (other * heavy + value * weight) / (heavy + weight), heavy + weight, many + count
        pools.append((value, weight, many))
    flat = [v for v, _, many in pools for _ in range(many)]
    low, high = ends[0], ends[1] - offset
    return [min(max(v, low), high) + o for v, o in zip(flat, offsets, strict=True)]
