"""Groups of rows, each with those it is held against, as sums that can be resampled together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.blocks import LEAST_BLOCKS, Blocks, blocks_of
from lockgate.evaluation.folding import Folded, folded
from lockgate.evaluation.metrics import SHARE, Metric
from lockgate.evaluation.scored import Scored

__all__ = ["AND", "REST", "Side", "sides_of"]

Floats = NDArray[np.float64]
AND = " & "
REST = "the rest"
TOP, BOTTOM, ROWS = range(3)
FLAT = 1e-12  # what varies by less than this share of the metric is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A group, and the others, as sums per block: columns top, bottom and rows, shape (blocks, 3)."""

    by: str
    name: str
    against: str
    blocks: Blocks
    own: Floats
    others: Floats

    def __str__(self) -> str:
        return f"{self.by} = {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grouping:
    """One column, or several crossed: the names of its groups and which one each row has."""

    by: str
    names: tuple[str, ...]
    group: NDArray[np.int64]
    reference: str | None


def sides_of(
    scored: Scored, by: Sequence[str], metric: Metric, *, reference: Mapping[str, str], crossed: int, min_n: int,
    alone: bool = False,
) -> tuple[list[Side], list[str]]:  # fmt: skip
    """Every group that can be judged, with those it is held against; and what cannot be judged, with the reason.

    `alone`: each group by itself, so that it does not matter how few the others are, or that there are none.
    """
    terms = metric.rows(scored)
    groupings = list(_groupings(scored, by, reference, crossed))
    folds = [folded(g.names, g.group, min_n=min_n, always={g.reference} if g.reference else ()) for g in groupings]
    blocks = blocks_of(scored, *terms, *(fold.group for fold in folds))
    rows = np.ones_like(terms[0])
    sides, not_assessed = list[Side](), list[str]()
    for grouping, fold in zip(groupings, folds, strict=True):
        if len(grouping.names) < 2 and not alone:
            not_assessed.append(f"{grouping.by}: only one group, nothing to compare")
            continue
        if grouping.reference and grouping.reference not in grouping.names:
            there = ", ".join(grouping.names[:6])
            not_assessed.append(
                f"{grouping.by}: no group '{grouping.reference}' to hold others against (there: {there})"
            )
            continue
        found = list(_against(grouping, fold, blocks, blocks.sums([*terms, rows], fold.group, fold.cells)))
        whys = {
            **fold.left_out,
            **{side.name: why for side in found if (why := _too_small(side, metric, min_n, alone=alone))},
        }
        not_assessed += [f"{grouping.by} = {name}: {whys[name]}" for name in grouping.names if name in whys]
        sides += [side for side in found if side.name not in whys]
    return sides, not_assessed


def _groupings(scored: Scored, by: Sequence[str], reference: Mapping[str, str], crossed: int) -> Iterator[_Grouping]:
    single = {column: scored.groups(column) for column in dict.fromkeys(by)}
    for depth in range(1, max(1, crossed) + 1):
        for columns in combinations(single, depth):
            names, group = _cross([single[c] for c in columns])
            named = all(c in reference for c in columns)
            yield _Grouping(
                by=AND.join(columns), names=names, group=group,
                reference=AND.join(reference[c] for c in columns) if named else None,
            )  # fmt: skip


def _cross(parts: Sequence[tuple[NDArray[np.str_], NDArray[np.int64]]]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The combinations that occur."""
    names, group = parts[0]
    found = [str(name) for name in names]
    for more, which in parts[1:]:
        pairs, group = np.unique(group * len(more) + which, return_inverse=True)
        found = [f"{found[pair // len(more)]}{AND}{more[pair % len(more)]}" for pair in pairs.tolist()]
    return tuple(found), group


def _against(grouping: _Grouping, fold: Folded, blocks: Blocks, sums: Floats) -> Iterator[Side]:
    everybody = sums.sum(1)
    for at, name in enumerate(fold.names):
        if name == grouping.reference:
            continue
        others = sums[:, fold.names.index(grouping.reference)] if grouping.reference else everybody - sums[:, at]
        yield Side(
            by=grouping.by, name=name, against=grouping.reference or REST, blocks=blocks, own=sums[:, at], others=others
        )  # fmt: skip


def _too_small(side: Side, metric: Metric, min_n: int, *, alone: bool) -> str:
    why = _lacking(side.own, side, metric, min_n)
    if why or alone:
        return why
    why = _lacking(side.others, side, metric, min_n)
    return f"{side.against} has {why}" if why else ""


def _lacking(sums: Floats, side: Side, metric: Metric, min_n: int) -> str:
    """Why these sums, of the group or of the others, say too little; empty when they do not."""
    _, bottom, rows = side.blocks.total(sums).tolist()
    if rows < min_n:
        return f"{rows:,.0f} row{'s' * (rows != 1)}, fewer than {min_n:,}"
    if metric.bounds == SHARE and bottom < min_n:
        return f"{bottom:,.0f} of {rows:,.0f} rows to count among, fewer than {min_n:,}"
    seen = int((sums[:, ROWS] > 0).sum())
    if side.blocks.unit != "row" and seen < LEAST_BLOCKS:
        return f"rows on {seen} {side.blocks.unit}{'s' * (seen != 1)}, fewer than {LEAST_BLOCKS}"
    if not bottom > 0:
        return f"no value on {rows:,.0f} rows, as nothing happened there"
    if metric.bounds != SHARE and _is_flat(sums):
        return f"the same on each of {rows:,.0f} rows, so how sure that is cannot be said"
    return ""


def _is_flat(sums: Floats) -> bool:
    top, bottom = sums[:, TOP].sum(), sums[:, BOTTOM].sum()
    apart = np.abs(sums[:, TOP] - top / bottom * sums[:, BOTTOM])
    return bool(apart.max(initial=0.0) <= FLAT * max(1.0, float(np.abs(sums[:, TOP]).max())))
