"""How values are spread where a release learned, where it was tested, and where it is asked now.

A release is as good as its test said only where the rows look like the test's. So every column is counted in the same
bins for all three, and the share of rows that would have to move is held against what chance does with samples of this size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.binning import bins_of, chance_of, shift_between
from lockgate.evaluation.scored import AS_OF, Scored
from lockgate.evaluation.within_groups import within_groups
from lockgate.records.digest import Json
from lockgate.records.evidence import decimal
from lockgate.records.findings import FEATURE, Distribution, Part, PartName, Role
from lockgate.records.wire import to_json

__all__ = ["distributions"]

NAMES = 50
COLUMNS = 24  # more small figures than this nobody reads; what is left out is said

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
        `columns`: `Distribution`s; `spreads`: `Spread`s of these per group; and the columns that are not shown:
        `left_out` beyond `COLUMNS`, `alone` that only the holdout has, `names` that name more things than can be compared.
    """
    parts = _parts(scored, replayed, now)
    roles = _roles(scored, by)
    others = [columns for name, columns in parts.items() if name != "holdout"]
    alone = [
        n for n, role in roles.items() if role in ("feature", "beside") and others and not any(n in o for o in others)
    ]
    names = [n for n, role in roles.items() if role in ("asked", "feature", "beside") and _is_name(scored.columns[n])]
    shown = [name for name in roles if name not in alone and name not in names]
    found = (_distribution(column, roles[column], parts) for column in shown[:COLUMNS])
    compared = {column: roles[column] for column in shown[:COLUMNS]}
    return {
        "columns": [to_json(d) for d in found if d is not None],
        "spreads": [to_json(s) for s in within_groups(compared, parts, by)],
        "left_out": shown[COLUMNS:],
        "alone": alone,
        "names": names,
    }


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
    if like is not None and like.dtype.kind == "b":
        return np.array(["" if v is None else "yes" if v else "no" for v in values], dtype=np.str_)
    if like is not None and like.dtype.kind == "f":
        return np.array([np.nan if v is None else float(cast("float", v)) for v in values], dtype=np.float64)
    return np.array(["" if v is None else str(v) for v in values], dtype=np.str_)


def _roles(scored: Scored, by: Sequence[str]) -> dict[str, Role]:
    """Column → what it is, in the order in which it is shown. Days differ by construction, and bounds follow the answer."""
    hidden = {scored.low, scored.high, scored.day, AS_OF}
    asked = [k for k in scored.keys if k not in hidden]
    named: list[tuple[Role, Sequence[str]]] = [
        ("truth", [scored.truth]), ("answer", [scored.answer, *([scored.score] if scored.score else [])]), ("asked", asked), ("group", [b for b in by if b in scored.columns])
    ]  # fmt: skip
    known = {name for _, names in named for name in names}
    rest = [
        n
        for n, v in scored.columns.items()
        if n not in known and n not in hidden and v.dtype.kind in "fbU" and not _is_repeated(n, scored.columns)
    ]
    alike = {n for n in rest if f"{FEATURE}{n}" in scored.columns and f"{FEATURE}{n}" not in rest}
    seen = [n for n in rest if n.startswith(FEATURE) or n in alike]
    named.extend([("feature", seen), ("beside", [n for n in rest if n not in seen])])
    ordered: dict[str, Role] = {}
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


def _is_name(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "U" and len(np.unique(values)) > NAMES


def _distribution(column: str, role: Role, parts: Mapping[PartName, Columns]) -> Distribution | None:
    values: dict[PartName, NDArray[Any]] = {
        name: columns[column] for name, columns in parts.items() if column in columns
    }
    bins = bins_of(list(values.values()))
    if bins is None:
        return None
    counted: dict[PartName, Part] = {name: bins.counted(name, some) for name, some in values.items()}
    return Distribution(
        column=column, role=role, edges=tuple(f"{e:.6g}" for e in bins.edges), labels=bins.labels,
        parts=_against_training(counted),
    )  # fmt: skip


def _against_training(parts: Mapping[PartName, Part]) -> tuple[Part, ...]:
    train = parts.get("train")
    return tuple(part if part is train or train is None else _shifted(train, part) for part in parts.values())


def _shifted(train: Part, part: Part) -> Part:
    if not sum(train.counts) or not sum(part.counts):
        return part
    shift, chance = shift_between(train.counts, part.counts), chance_of(train.counts, part.counts)
    return replace(part, shift=decimal(shift), chance=decimal(chance))
