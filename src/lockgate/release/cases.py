"""Twenty answers of the test in words: some at random, the worst, those that changed, and those that hang in the balance.

The random ones are no choice of anybody's: a reader who sees only the worst or only the best learns nothing of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lockgate.errors import LockgateError
from lockgate.evaluation.scored import AS_OF, Scored, plain
from lockgate.records.digest import Json
from lockgate.release.client import ReleaseHost
from lockgate.release.explaining import ask_why
from lockgate.release.layout import MANIFEST, read_manifest

__all__ = ["cases", "choose"]

SEED = 20261101
KINDS = 12
SORTS = 4  # of reasons to show a row
RANDOM = "drawn at random"
WORST = "the largest misses"
CHANGED = "the answers that changed most against the live release"
CLOSE = "closest to the limit of the decision"
WIDE = "the widest intervals"

Rows = NDArray[np.int64]


def cases(
    release: Path, scored: Scored, champion: Scored | None, live: Path | None, number: int = 5
) -> list[dict[str, Json]]:
    """Four times `number` answers, `number` of each sort, with reasons in words: a step of the engine.

    Each is {"request", "as_of", "answer", "before", "actual", "reasons", "reasons_before", "chosen"}; numbers as text, None
    where there is none. `champion` are the answers of the release `live`, which says why for those that are others.
    """
    picked = choose(scored, champion, number)
    manifest = read_manifest((release / MANIFEST).read_bytes())
    asked = [f.name for f in manifest.predictor.request if f.name in scored.columns]  # not `keys`: two may ask the same
    rows = [at for at, _ in picked]
    said = _own_reasons(release, scored, rows)
    theirs = champion if champion is not None and _same(scored, champion) else None
    moved = [at for at in rows if theirs and _answer(theirs, at) != _answer(scored, at)]
    before = _other_reasons(live, scored, moved) if live and moved else {}
    return [
        {
            "request": {k: _text(scored.columns[k][at]) for k in asked},
            "as_of": _text(scored.columns[AS_OF][at]) if AS_OF in scored.columns else "",
            "answer": _answer(scored, at), "before": _answer(theirs, at) if theirs else None,
            "actual": _value(scored, "truth", at), "reasons": list(why), "reasons_before": list(before.get(at, ())), "chosen": chosen,
        }
        for (at, chosen), why in zip(picked, said, strict=True)
    ]  # fmt: skip


def choose(scored: Scored, champion: Scored | None, number: int) -> list[tuple[int, str]]:
    """Four times `number` rows and why each was chosen, `number` for each reason; no row twice. What a reason lacks is drawn.

    Ties go to the earlier row, so that the same table gives the same rows.
    """
    random = np.random.default_rng(SEED).permutation(len(scored))
    kinds: list[tuple[str, Iterable[int]]] = [(RANDOM, random.tolist()), (WORST, _worst(scored).tolist())]
    if champion is not None and _same(scored, champion):
        kinds.append((CHANGED, _changed(scored, champion).tolist()))
    kinds.append(_undecided(scored))
    names = _names(scored)
    picked: dict[int, str] = {}
    for why, rows in kinds:
        fresh = (row for row in rows if row not in picked)
        apart = fresh if why == RANDOM else _of_different_things(fresh, names)
        picked |= dict.fromkeys([row for row, _ in zip(apart, range(number), strict=False)], why)
    more = (row for row in random.tolist() if row not in picked)  # without a live release, say, a kind has none
    picked |= dict.fromkeys([row for row, _ in zip(more, range(SORTS * number - len(picked)), strict=False)], RANDOM)
    return list(picked.items())


def _names(scored: Scored) -> list[tuple[object, ...]]:
    """What each row is about: its keys that are names of many things, such as products; none in a table of attributes."""
    texts = [scored.columns[k] for k in scored.keys if scored.columns[k].dtype.kind == "U"]
    many = [column.tolist() for column in texts if len(np.unique(column)) > KINDS]
    return list(zip(*many, strict=True)) if many else []


def _of_different_things(rows: Iterable[int], names: list[tuple[object, ...]]) -> Iterable[int]:
    """Five misses of one product are one story: each thing once."""
    told: set[tuple[object, ...]] = set()
    for row in rows:
        if not names or names[row] not in told:
            told |= {names[row]} if names else set()
            yield row


def _worst(scored: Scored) -> Rows:
    """By the score where there is one: sure and wrong is worse than wrong."""
    said = scored.role("score") if scored.score else scored.role("answer")
    return _largest(np.abs(said - scored.role("truth")))


def _changed(scored: Scored, champion: Scored) -> Rows:
    """Decisions that changed first, then the largest moves; none that stayed."""
    move = np.abs(scored.role("answer") - champion.role("answer"))
    if scored.score and champion.score:
        move = move + np.abs(scored.role("score") - champion.role("score"))
    return _largest(move)[: int((move > 0).sum())]


def _undecided(scored: Scored) -> tuple[str, Iterable[int]]:
    """Where a little would have made another answer: the nearest to the decision, or the widest interval."""
    if scored.score:
        return CLOSE, _largest(-_distance(scored.role("score"), scored.role("answer"))).tolist()
    if scored.low and scored.high:
        return WIDE, _largest(scored.role("high") - scored.role("low")).tolist()
    return WIDE, ()


def _distance(score: NDArray[np.float64], answer: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each row's score to the nearest score that was answered otherwise: the limit need not be one number for all."""
    found = np.full(len(score), np.inf)
    for side in np.unique(answer):
        mine, others = answer == side, np.sort(score[answer != side])
        if len(others):
            at = (
                np.clip(np.searchsorted(others, score[mine]), 1, len(others) - 1)
                if len(others) > 1
                else np.zeros(mine.sum(), int)
            )
            near = np.abs(score[mine] - others[at])
            found[mine] = np.minimum(near, np.abs(score[mine] - others[np.maximum(at - 1, 0)]))
    return found


def _largest(values: NDArray[np.float64]) -> Rows:
    """Rows by falling value; what is no number comes last."""
    return np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")


def _same(scored: Scored, champion: Scored) -> bool:
    """Whether both answer the same rows, one by one."""
    return len(scored) == len(champion) and np.array_equal(scored.role("truth"), champion.role("truth"), equal_nan=True)


def _own_reasons(release: Path, scored: Scored, rows: list[int]) -> list[list[str]]:
    """A release whose explanation breaks still has cases; the reason says what broke."""
    try:
        return _reasons(release, scored, rows)
    except LockgateError as error:
        return [[f"No reasons: {error.what}" + (f" ({error.value})" if error.value else "") + "."] for _ in rows]


def _other_reasons(live: Path, scored: Scored, rows: list[int]) -> dict[int, list[str]]:
    """Row → why the live release answers otherwise. One that cannot say it any more is not what is decided on."""
    try:
        return dict(zip(rows, _reasons(live, scored, rows), strict=True))
    except LockgateError:
        return {}


def _reasons(release: Path, scored: Scored, rows: list[int]) -> list[list[str]]:
    manifest = read_manifest((release / MANIFEST).read_bytes())
    names = [f.name for f in manifest.predictor.request if f.name in scored.columns]
    asked = [
        {"request": {k: _text(scored.columns[k][at]) for k in names}, "as_of": _text(scored.columns[AS_OF][at]) if AS_OF in scored.columns else ""}
        for at in rows
    ]  # fmt: skip
    with ReleaseHost(release, f"sha256:{release.name}") as host:
        return ask_why(host, manifest, {"largest": asked})


def _answer(scored: Scored, at: int) -> str:
    text = _value(scored, "answer", at)
    if scored.score:
        text += f" (score {scored.role('score')[at]:.2f})"
    if scored.low and scored.high:
        text += f" ({_number(scored.role('low')[at])} to {_number(scored.role('high')[at])})"
    return text


def _value(scored: Scored, role: str, at: int) -> str:
    """A decision is yes or no, and so is what should have been decided."""
    value = scored.role(role)[at]
    if scored.columns[scored.answer].dtype.kind == "b" and value in (0.0, 1.0):
        return "yes" if value else "no"
    return _number(value)


def _number(value: float) -> str:
    return f"{value:g}"


def _text(value: object) -> str:
    found: Mapping[str, object] | object = plain(value)
    return "" if found is None else str(found)
