"""How values are spread where a release learned, where it was tested, and where it is asked now.

A release is as good as its test said only where the rows look like the test's. So every column is counted in the same
bins for all three, and the share of rows that would have to move is held against what chance does with samples of this size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.scored import AS_OF, MISSING, Scored
from lockgate.records.digest import Json
from lockgate.records.evidence import decimal
from lockgate.records.findings import FEATURE, Distribution, Part, PartName, Spread
from lockgate.records.wire import to_json

__all__ = ["chance_of", "distributions", "shift_between"]

BINS = 12
LABELS = 8
NAMES = 50
COLUMNS = 24  # more small figures than this nobody reads; what is left out is said
QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")
DRAWS = 400
SEED = 20261101
OTHERS = "(others)"

Role = Literal["truth", "answer", "asked", "group", "feature"]
Columns = Mapping[str, NDArray[Any]]


def distributions(
    scored: Scored, replayed: Scored | None, now: Mapping[str, Json] | None, by: Sequence[str] = ()
) -> dict[str, Json]:
    """Count every column of the holdout in training rows, holdout and what is asked now: a step of the engine.

    Args:
        scored: the holdout, answered.
        replayed: a sample of training rows, answered; a column that it lacks has no training part.
        now: `columns`: name → list of values of recent requests and answers; None when nothing was asked yet.
        by: columns that group rows.

    Returns:
        `columns`: `Distribution`s; `spreads`: `Spread`s of truth and answer per group; and the columns that are not shown:
        `left_out` beyond `COLUMNS`, `alone` that only the holdout has, `names` that name more things than can be compared.
    """
    parts = _parts(scored, replayed, now)
    roles = _roles(scored, by)
    others = [columns for name, columns in parts.items() if name != "holdout"]
    alone = [n for n, role in roles.items() if role == "feature" and others and not any(n in o for o in others)]
    names = [n for n, role in roles.items() if role in ("asked", "feature") and _is_name(scored.columns[n])]
    shown = [name for name in roles if name not in alone and name not in names]
    found = (_distribution(column, roles[column], parts) for column in shown[:COLUMNS])
    return {
        "columns": [to_json(d) for d in found if d is not None],
        "spreads": [to_json(s) for s in _spreads(scored, parts, by)],
        "left_out": shown[COLUMNS:],
        "alone": alone,
        "names": names,
    }


def shift_between(first: Sequence[int], second: Sequence[int]) -> float:
    """Total variation distance of two counts over the same bins, 0 (alike) to 1 (nothing in common).

    >>> shift_between([50, 50], [100, 0])
    0.5
    """
    one, other = (np.asarray(side, dtype=np.float64) for side in (first, second))
    return float(np.abs(one / one.sum() - other / other.sum()).sum() / 2)


def chance_of(first: Sequence[int], second: Sequence[int], *, seed: int = SEED) -> float:
    """The 95th percentile of that distance when both are drawn from their common distribution."""
    one, other = (np.asarray(side, dtype=np.int64) for side in (first, second))
    together = (one + other) / (one.sum() + other.sum())
    random = np.random.default_rng(seed)
    drawn = [random.multinomial(int(side.sum()), together, size=DRAWS) / side.sum() for side in (one, other)]
    return float(np.quantile(np.abs(drawn[0] - drawn[1]).sum(axis=1) / 2, 0.95))


def _parts(scored: Scored, replayed: Scored | None, now: Mapping[str, Json] | None) -> dict[PartName, Columns]:
    """Set of rows → its columns, training first: what the others are held against."""
    found: dict[PartName, Columns] = {}
    if replayed is not None:
        found["train"] = replayed.columns
    found["holdout"] = scored.columns
    if now is not None and now["columns"]:
        found["now"] = {name: _array(values, scored.columns.get(name)) for name, values in now["columns"].items()}
    return found


def _array(values: Iterable[Json], like: NDArray[Any] | None) -> NDArray[Any]:
    """Values from JSON with the kind that the holdout gives them."""
    if like is not None and like.dtype.kind in "fb":
        return np.array([np.nan if v is None else float(cast("float", v)) for v in values], dtype=np.float64)
    return np.array(["" if v is None else str(v) for v in values], dtype=np.str_)


def _roles(scored: Scored, by: Sequence[str]) -> dict[str, Role]:
    """Column → what it is, in the order in which it is shown. Days differ by construction, and bounds follow the answer."""
    hidden = {scored.low, scored.high, scored.day, AS_OF}
    asked = [k for k in scored.keys if k not in hidden]
    named: list[tuple[Role, list[str]]] = [
        ("truth", [scored.truth]), ("answer", [scored.answer]), ("asked", asked), ("group", [b for b in by if b in scored.columns])
    ]  # fmt: skip
    known = {name for _, names in named for name in names}
    rest = [
        n
        for n, v in scored.columns.items()
        if n not in known and n not in hidden and v.dtype.kind in "fbU" and not _is_repeated(n, scored.columns)
    ]
    ordered: dict[str, Role] = {}
    named.append(("feature", rest))
    for role, names in named:
        for name in names:
            ordered.setdefault(name, role)
    return ordered


def _is_repeated(name: str, columns: Columns) -> bool:
    """The model sees exactly what the row says under the plain name; one figure is enough."""
    plain = columns.get(name.removeprefix(FEATURE)) if name.startswith(FEATURE) else None
    if plain is None:
        return False
    seen = columns[name]
    return bool(np.array_equal(seen, plain, equal_nan=seen.dtype.kind == plain.dtype.kind == "f"))


def _is_decision(values: NDArray[Any]) -> bool:
    """Yes or no has a share and no middle; checks of groups measure it."""
    return values.dtype.kind == "b" or len(np.unique(values)) <= 2


def _is_name(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "U" and len(np.unique(values)) > NAMES


def _distribution(column: str, role: Role, parts: Mapping[PartName, Columns]) -> Distribution | None:
    values: dict[PartName, NDArray[Any]] = {n: columns[column] for n, columns in parts.items() if column in columns}
    kinds = {v.dtype.kind for v in values.values()}
    if not kinds <= set("fbU"):
        return None
    numeric = "U" not in kinds
    if numeric and (edges := _edges(values.values())) is not None:
        counted: dict[PartName, Part] = {n: _counted(n, v.astype(np.float64), edges) for n, v in values.items()}
        return Distribution(
            column=column, role=role, edges=tuple(f"{e:.6g}" for e in edges), parts=_against_training(counted)
        )
    texts: dict[PartName, NDArray[np.str_]] = {n: _texts(v) for n, v in values.items()}
    labels = _labels(texts.values())
    if not labels:
        return None
    counts: dict[PartName, Part] = {n: _counted_labels(n, v, labels) for n, v in texts.items()}
    return Distribution(column=column, role=role, labels=labels, parts=_against_training(counts))


def _edges(values: Iterable[NDArray[Any]]) -> NDArray[np.float64] | None:
    """Bins of equal width over the middle 98 of 100 values; None for a few values that are better told by name."""
    known = np.concatenate([v.astype(np.float64) for v in values])
    known = known[np.isfinite(known)]
    if len(np.unique(known)) <= LABELS:
        return None
    low, high = np.quantile(known, [0.01, 0.99])
    if not high > low:
        low, high = known.min(), known.max()
    return np.linspace(low, high, BINS + 1)


def _counted(name: PartName, values: NDArray[np.float64], edges: NDArray[np.float64]) -> Part:
    known = values[np.isfinite(values)]
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), bins=edges)
    return Part(
        name=name, n=len(values), missing=len(values) - len(known), counts=tuple(int(c) for c in counts),
        quantiles=_quantiles(known),
    )  # fmt: skip


def _quantiles(known: NDArray[np.float64]) -> dict[str, str]:
    if not len(known):
        return {}
    found = np.quantile(known, [float(q) for q in QUANTILES])
    return {q: decimal(float(v)) or "" for q, v in zip(QUANTILES, found, strict=True)}


def _texts(values: NDArray[Any]) -> NDArray[np.str_]:
    if values.dtype.kind == "b":
        return np.where(values, "yes", "no")
    if values.dtype.kind == "f":
        return np.array([MISSING if v != v else f"{v:g}" for v in values.tolist()], dtype=np.str_)
    return np.where(values == "", MISSING, values)


def _labels(values: Iterable[NDArray[np.str_]]) -> tuple[str, ...]:
    """The most frequent labels; ties by name. What is left over is one bin of its own."""
    names, counts = np.unique(np.concatenate(list(values)), return_counts=True)
    ranked = [str(n) for _, n in sorted(zip(-counts, names, strict=True)) if n != MISSING]
    return tuple(ranked) if len(ranked) <= LABELS else (*ranked[: LABELS - 1], OTHERS)


def _counted_labels(name: PartName, values: NDArray[np.str_], labels: tuple[str, ...]) -> Part:
    missing = int((values == MISSING).sum())
    counts = [int((values == label).sum()) for label in labels]
    if labels and labels[-1] == OTHERS:
        counts[-1] = len(values) - missing - sum(counts[:-1])
    return Part(name=name, n=len(values), missing=missing, counts=tuple(counts))


def _against_training(parts: Mapping[PartName, Part]) -> tuple[Part, ...]:
    train = parts.get("train")
    return tuple(part if part is train or train is None else _shifted(train, part) for part in parts.values())


def _shifted(train: Part, part: Part) -> Part:
    if not sum(train.counts) or not sum(part.counts):
        return part
    shift, chance = shift_between(train.counts, part.counts), chance_of(train.counts, part.counts)
    return replace(part, shift=decimal(shift), chance=decimal(chance))


def _spreads(scored: Scored, parts: Mapping[PartName, Columns], by: Sequence[str]) -> Iterable[Spread]:
    """Truth and answer within each group, where a set of rows has both columns."""
    for column in (b for b in by if b in scored.columns):
        groups = np.unique(_texts(scored.columns[column]))
        for group in groups.tolist():
            for value in (v for v in (scored.truth, scored.answer) if not _is_decision(scored.columns[v])):
                found = [_within(name, columns, column, group, value) for name, columns in parts.items()]
                yield Spread(by=column, group=group, column=value, parts=tuple(p for p in found if p is not None))


def _within(name: PartName, columns: Columns, by: str, group: str, value: str) -> Part | None:
    if by not in columns or value not in columns or columns[value].dtype.kind not in "fb":
        return None
    rows = columns[value][_texts(columns[by]) == group].astype(np.float64)
    known = rows[np.isfinite(rows)]
    return Part(name=name, n=len(rows), missing=len(rows) - len(known), quantiles=_quantiles(known))
