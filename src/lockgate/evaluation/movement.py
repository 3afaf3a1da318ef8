"""Two releases answer the same requests: which answers move, how far, for whom, and what that does to the metric.

A move is |new - old| / |old|. From zero to anything is a move beyond every limit; from zero to zero is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.errors import UsageError
from lockgate.evaluation.attribution import Mix, mean_of_answers, parts_of, split
from lockgate.evaluation.comparison import compare, same_rows
from lockgate.evaluation.metrics import Metric, metric_named
from lockgate.evaluation.scored import AS_OF, Scored, plain
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, decimal
from lockgate.records.movement import LIMITS, Attribution, Effect, Moved, MovedAnswer, Movement
from lockgate.records.wire import to_json

__all__ = ["FACTORS", "attributed", "compared", "moved"]

FACTORS = ("code", "data", "parameters", "packages", "unknown")
RELATIVE = "relative_difference"
Mask = NDArray[np.bool_]


def compared(
    before: Scored, after: Scored, by: Sequence[str] = (), metric: str = "wape", number: int = 20,
    since: str | None = None,
) -> dict[str, Json]:  # fmt: skip
    """A `Movement` as JSON: a step of the engine.

    Args:
        before, after: answers of two releases to one holdout, row by row.
        by: columns whose groups are told apart; columns that the holdout lacks are ignored.
        number: how many of the largest changes are listed.
        since: rows of an earlier `as_of` are left out: one of the releases was trained on their days. None: no row.
    """
    (before, after), rows, left_out = _comparable([before, after], since)
    both = before, after
    moves = moved(*both)
    groups = [g for column in by if column in before.columns for g in _groups(*both, column, moves)]
    known = np.unique(before.column(before.day)[~before.day_is_missing()]) if before.day else np.array([])
    found = Movement(
        rows=len(before), days=len(known), first=_day(known, 0), last=_day(known, -1),
        same=int((before.role("answer") == after.role("answer")).sum()), same_bounds=int(_same_bounds(*both).sum()),
        widths=(_width(before), _width(after)),
        overall=_group("all", "all answers", *both, moves), groups=tuple(sorted(groups, key=_worst_first)),
        largest=tuple(_row(*both, int(at), int(rows[at])) for at in _largest(*both, number)),
        left_out=left_out, **_measured(*both, metric),
    )  # fmt: skip
    return to_json(found)


def attributed(
    before: Scored, after: Scored, code: Scored | None, data: Scored | None, parameters: Scored | None,
    packages: Scored | None, factors: Sequence[str], metric: str = "wape", number: int = 20,
    since: str | None = None, fair_from: str | None = None,
) -> dict[str, Json]:  # fmt: skip
    """An `Attribution` as JSON: a step of the engine.

    Args:
        code, data, parameters, packages: answers of the old release with only this one from the new; None: not built.
        factors: what differs, at least one.
        since: as for `compared`, which lists the same largest changes.
        fair_from: the same for all that were built; None: as `since`.
    """
    (left, right), kept, _ = _comparable([before, after], since)
    largest = [int(kept[at]) for at in _largest(left, right, number)]
    alone = {"code": code, "data": data, "parameters": parameters, "packages": packages}
    found = {frozenset([f]): s for f in factors if len(factors) > 1 and (s := alone.get(f)) is not None}
    mixes: dict[Mix, Scored] = {frozenset(): before, **found, frozenset(factors): after}
    cut, rows, _ = _comparable(list(mixes.values()), fair_from or since)
    common = dict(zip(mixes, cut, strict=True))
    measure = metric_named(metric, comparable=True)
    whole, parts = _change_of_metric(common, factors, measure)
    mean, means = mean_of_answers(common, factors) if len(rows) else (None, {})
    effects = [
        Effect(
            name=p.name,
            includes=p.alone,
            metric=parts.get(p.name, whole),
            answers=means[p.name].estimate(p.name) if p.name in means else _none("no rows"),
            shares=_shares(moved(common[frozenset()], common[frozenset(p.factors)])) if len(p.factors) == 1 else {},
        )
        for p in parts_of(factors, frozenset(common))
    ]
    return to_json(
        Attribution(
            factors=tuple(factors), rows=len(rows), metric=whole, effects=tuple(effects),
            answers=mean.estimate("mean_answer") if mean else _none("no rows"),
            parts={str(at): _parts_of_row(mixes, factors, at) for at in largest},
        )
    )  # fmt: skip


def moved(before: Scored, after: Scored) -> NDArray[np.float64]:
    """How far each answer moves, as a share of the old answer's size."""
    old, new = before.role("answer"), after.role("answer")
    with np.errstate(all="ignore"):
        return np.where(old == new, 0.0, np.abs(new - old) / np.abs(old))


def _comparable(answers: list[Scored], since: str | None) -> tuple[list[Scored], NDArray[np.int64], tuple[str, ...]]:
    """The tables cut to the rows that are fair to all and in which every one has a finite answer; where these were."""
    first = answers[0]
    for other in answers[1:]:
        if not same_rows(first, other):
            raise UsageError("answers were not given to the same rows", value=f"{len(first)} and {len(other)} rows")
    fair = _from(first, since)
    known: Mask = fair & np.logical_and.reduce([np.isfinite(a.role("answer")) for a in answers])
    seen, lacking = int((~fair).sum()), int((fair & ~known).sum())
    words = (
        f"{seen:,} of {len(first):,} requests ask about days that one of the releases was trained on" if seen else "",
        f"{lacking:,} of {len(first):,} requests are not answered with a number by both releases" if lacking else "",
    )
    return [a.subset(known) for a in answers], np.flatnonzero(known), tuple(w for w in words if w)


def _from(scored: Scored, since: str | None) -> Mask:
    """Rows asked on a day from `since` on."""
    if not since or AS_OF not in scored.columns:
        return np.ones(len(scored), dtype=np.bool_)
    return scored.column(AS_OF).astype("datetime64[D]") >= np.datetime64(since)


def _same_bounds(before: Scored, after: Scored) -> Mask:
    """Rows in which low and high are equal to the last bit, or both releases answer none."""
    found: Mask = np.ones(len(before), dtype=np.bool_)
    for name in ("low", "high"):
        sides = [s.role(name) if getattr(s, name) else np.full(len(s), np.nan) for s in (before, after)]
        found &= (sides[0] == sides[1]) | (np.isnan(sides[0]) & np.isnan(sides[1]))
    return found


def _width(scored: Scored) -> str | None:
    return (
        decimal(float((scored.role("high") - scored.role("low")).mean()))
        if scored.low and scored.high and len(scored)
        else None
    )


def _groups(before: Scored, after: Scored, column: str, moves: NDArray[np.float64]) -> list[Moved]:
    labels = before.labels(column)
    return [
        _group(column, str(name), before.subset(labels == name), after.subset(labels == name), moves[labels == name])
        for name in np.unique(labels)
    ]


def _group(by: str, name: str, before: Scored, after: Scored, moves: NDArray[np.float64]) -> Moved:
    means = [decimal(float(s.role("answer").mean())) if len(s) else None for s in (before, after)]
    return Moved(by=by, group=name, rows=len(before), shares=_shares(moves), before=means[0], after=means[1])


def _shares(moves: NDArray[np.float64]) -> dict[str, str]:
    beyond = {limit: float((moves > float(limit)).mean()) if len(moves) else 0.0 for limit in LIMITS}
    return {limit: decimal(share) or "0" for limit, share in beyond.items()}


def _worst_first(group: Moved) -> tuple[float, float, float, str, str]:
    middle, far, near = (-float(group.shares[limit]) for limit in (LIMITS[1], LIMITS[2], LIMITS[0]))
    return middle, far, near, group.by, group.group


def _largest(before: Scored, after: Scored, number: int) -> NDArray[np.int64]:
    """Rows with the largest change in the unit of the answer, none that did not change; ties in the order of rows."""
    change = np.abs(after.role("answer") - before.role("answer"))
    order = np.argsort(-change, kind="stable")[:number]
    return order[change[order] > 0]


def _row(before: Scored, after: Scored, at: int, position: int) -> MovedAnswer:
    old, new = (float(s.role("answer")[at]) for s in (before, after))
    asked = {k: _text(before.columns[k][at]) for k in before.keys}
    return MovedAnswer(
        position=position, request=asked, as_of=_text(before.columns[AS_OF][at]) if AS_OF in before.columns else "",
        before=decimal(old), after=decimal(new), change=decimal(new - old), relative=decimal(new / old - 1) if old else None,
        actual=decimal(float(before.role("truth")[at])),
    )  # fmt: skip


def _measured(before: Scored, after: Scored, name: str) -> dict[str, Any]:
    """The metric of both on the rows whose truth is known."""
    measure = metric_named(name, comparable=True)
    words = {n: getattr(measure, n) for n in ("name", "words", "unit", "better")}
    sides = [_with_truth(side) for side in (before, after)]
    if why := next((w for side in sides if (w := measure.complaint(side))), ""):
        return {"metric": words} | dict.fromkeys(("before", "after", "relative", "difference"), _none(why))
    found = compare(sides[1], sides[0], metric=measure)
    mixes: dict[Mix, Scored] = {frozenset(): sides[0], frozenset(FACTORS[:1]): sides[1]}
    total, _ = split(mixes, FACTORS[:1], metric=measure)
    return {
        "metric": words, "before": found.second.estimate(name, measure.unit), "after": found.first.estimate(name, measure.unit),
        "relative": found.relative.estimate(RELATIVE, "share"), "difference": total.estimate("difference", measure.unit),
    }  # fmt: skip


def _change_of_metric(
    mixes: Mapping[Mix, Scored], factors: Sequence[str], measure: Metric
) -> tuple[Estimate, dict[str, Estimate]]:
    sides = {mix: _with_truth(side) for mix, side in mixes.items()}
    if why := next((w for side in sides.values() if (w := measure.complaint(side))), ""):
        return _none(why), {}
    total, parts = split(sides, factors, metric=measure)
    return total.estimate("difference", measure.unit), {n: i.estimate(n, measure.unit) for n, i in parts.items()}


def _with_truth(scored: Scored) -> Scored:
    return scored.subset(np.isfinite(scored.role("truth")) & ~scored.day_is_missing() & ~scored.block_is_missing())


def _parts_of_row(mixes: Mapping[Mix, Scored], factors: Sequence[str], at: int) -> dict[str, str | None]:
    answers = {mix: float(s.role("answer")[at]) for mix, s in mixes.items()}
    return {
        part.name: decimal(sum(weight * answers[mix] for mix, weight in part.weights.items() if weight))
        for part in parts_of(factors, frozenset(mixes))
    }


def _none(why: str) -> Estimate:
    return Estimate(name="difference", value=None, why=why)


def _text(value: Any) -> str:
    found = plain(value)
    return "" if found is None else str(found)


def _day(days: NDArray[Any], at: int) -> str:
    return _text(days[at]) if len(days) else ""
