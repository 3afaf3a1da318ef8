"""Does the training table hold what the holdout is judged on, what nobody could know yet, or the answer in disguise?

Four looks at the rows that the model was fitted on: rows of the holdout by their key, rows that are the same but for
spelling or rounding, days on or after the release's as-of day, and single features that do nearly all of the model's work.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite

import numpy as np

from lockgate.errors import NotFound, UsageError
from lockgate.evaluation.matching import is_among, numbered
from lockgate.evaluation.scored import Scored, plain
from lockgate.gates.evidence import EXAMPLES, unmeasured
from lockgate.gates.rows import FEATURE, Column, Rows
from lockgate.gates.skill import alone, skill
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, decimal

__all__ = ["evidence"]

KIND = "leakage"
NAME = "shared_keys"
DIGITS = 3  # significant digits by which numbers of near duplicates agree
EXPONENTS, SMALLEST = 400, 300  # added, so that every exponent is positive; below 1e-300 all is one exponent
MOST_TEXTS = 1 << 18  # texts whose plain form is kept, as most come again

NO_TABLE = "the training pipeline names no training_table, so nobody can look at what the model was fitted on"


def evidence(
    scored: Scored, training_table: Rows | None, release: Mapping[str, Json], *, keys: Sequence[str] = (),
    content: Sequence[str] = (), target: str | None = None, features: Sequence[str] = (), times: Sequence[str] = (),
) -> Evidence:  # fmt: skip
    """Count shared keys, near duplicates, days of the future, and features that are too good.

    Args:
        keys: columns that name a row, in both tables (default: those of the request and `as_of`, where training has them).
        content: columns that make two rows the same whatever their key; compared without case, accents and spaces, and
            by three significant digits. None: near duplicates are not looked for.
        target: the training table's column with the truth; with it, each of `features` is tried alone (default: every
            column that the holdout has, too).
        times: columns of days that must lie before the release's as-of day (default: every column of dates).
    """
    if training_table is None or not len(training_table):
        return unmeasured(KIND, NAME, NO_TABLE if training_table is None else "the training table has no rows")
    named = tuple(keys) or tuple(k for k in scored.identity if k in training_table.columns)
    if not named:
        raise UsageError(
            "no column names a row in both tables", value=", ".join(training_table.columns), allowed='keys=["…"]'
        )
    shared = _shared(scored, training_table, named)
    near = _near(scored, training_table, content) & ~shared if content else np.zeros(len(scored), bool)
    future = _future(training_table, times, str(release["as_of"]))
    groups, left_out, whole = _features(scored, training_table, target, features)
    rows = [{**_row(scored, int(at), named), "why": "in training, too"} for at in np.flatnonzero(shared)[:EXAMPLES]]
    rows += [
        {**_row(scored, int(at), content), "why": "nearly the same row in training"}
        for at in np.flatnonzero(near)[:EXAMPLES]
    ]
    return Evidence(
        gate=KIND, kind=KIND, rows=tuple(rows[:EXAMPLES]), groups=groups,
        statistic=_count(NAME, int(shared.sum()), len(scored)),
        also=(
            Estimate(name="near_share", value=decimal(float(near.mean())) if len(scored) else "0", n=len(scored), unit="share"),
            _count("near_rows", int(near.sum()), len(scored)),
            _count("future_rows", sum(future.values()), len(training_table)), whole,
        ),
        not_assessed=(*(() if content else ("near duplicates: the gate names no `content` columns",)), *left_out),
        params={"keys": list(named), "content": list(content), "target": target, "future": {n: c for n, c in future.items() if c},
                "as_of": str(release["as_of"]), "training_rows": len(training_table)},
    )  # fmt: skip


def _shared(scored: Scored, table: Rows, keys: Sequence[str]) -> np.ndarray:
    return is_among(*numbered([scored.column(k) for k in keys], [table.column(k) for k in keys]))


def _near(scored: Scored, table: Rows, content: Sequence[str]) -> np.ndarray:
    asked, trained = [_of(scored, c) for c in content], [table.column(c) for c in content]
    return is_among(*numbered([_rounded(c) for c in asked], [_rounded(c) for c in trained], cells=_blurred))


def _rounded(column: Column) -> Column:
    """Numbers as one whole number of sign, exponent and first three digits; everything else as it is.

    >>> _rounded(np.array([0.09996, 0.1, -1234.0, -1230.0, 0.0, 5])).tolist()
    [399100.0, 399100.0, -403123.0, -403123.0, 0.0, 400500.0]
    """
    if column.dtype.kind not in "fiu":
        return column
    size = np.abs(column.astype(np.float64))
    known = np.isfinite(size) & (size > 0)
    exponent = np.floor(np.log10(size, where=known, out=np.zeros(len(size)))).clip(-SMALLEST)
    digits = np.rint(np.where(known, size, 0) / 10.0 ** (exponent - DIGITS + 1))
    code = (exponent + EXPONENTS) * 10**DIGITS + digits
    next_one = (exponent + EXPONENTS + 1) * 10**DIGITS + 10 ** (DIGITS - 1)
    code = np.where(digits == 10**DIGITS, next_one, code)  # 1000 of one exponent is 100 of the next
    return np.where(known, np.copysign(code, column), np.where(size == 0, 0.0, np.nan))


def _blurred(column: Column) -> Sequence[object]:
    """Texts without case, accents and spaces; days as ISO text."""
    if column.dtype.kind == "U":
        return [_plain(text) for text in column.tolist()]
    return np.datetime_as_string(column).tolist() if column.dtype.kind == "M" else column.tolist()


@lru_cache(maxsize=MOST_TEXTS)
def _plain(text: str) -> str:
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join("".join(letters).casefold().split())


def _of(scored: Scored, name: str) -> Column:
    """A column of the holdout, as the release host computed it where it did."""
    return scored.columns[FEATURE + name] if FEATURE + name in scored.columns else scored.column(name)


def _future(table: Rows, times: Sequence[str], as_of: str) -> dict[str, int]:
    """Column → rows with a day on or after as-of: known means strictly before it."""
    names = tuple(times) or tuple(n for n, c in table.columns.items() if c.dtype.kind == "M")
    found: dict[str, int] = {}
    for name in names:
        column = table.column(name)
        if column.dtype.kind != "M":
            raise UsageError("a column of times holds no dates", value=name, allowed="a column of dates")
        found[name] = int((column >= np.datetime64(as_of)).sum())
    return found


def _features(
    scored: Scored, table: Rows, target: str | None, features: Sequence[str]
) -> tuple[tuple[GroupEstimate, ...], tuple[str, ...], Estimate]:
    """Each feature's skill beside the model's, best first."""
    nothing = Estimate(name="model_skill", value=None, why="no target is named")
    if target is None:
        return (), ("single features: the gate names no `target` column",), nothing
    truth = scored.role("truth")
    model = skill(truth, scored.role("answer"))
    whole = Estimate(
        name="model_skill", value=decimal(model), n=len(scored), unit="share",
        why="" if isfinite(model) else "the holdout's truths are all the same, or its answers are missing",
    )  # fmt: skip
    if not model > 0:
        return (), ("single features: the model itself has no skill on the holdout",), whole
    wanted = tuple(features) or tuple(n for n in table.columns if _is_feature(n, scored, target))
    if not wanted:
        return (), ("single features: training table and holdout have none in common",), whole
    learned = table.column(target).astype(np.float64)
    tried = {n: skill(truth, alone(table.column(n), learned, _found(scored, n))) / model for n in wanted}
    order = sorted(wanted, key=lambda n: (-tried[n] if isfinite(tried[n]) else 0.0, n))
    groups = tuple(
        GroupEstimate(by="feature", group=n, estimate=Estimate(
            name="share_of_skill", value=decimal(tried[n]), n=len(scored), unit="share",
            why="" if isfinite(tried[n]) else "it cannot be tried",
        ))
        for n in order
    )  # fmt: skip
    return groups, (), whole


def _is_feature(name: str, scored: Scored, target: str) -> bool:
    if FEATURE + name in scored.columns:
        return True
    return name in scored.columns and name not in (*scored.identity, target, scored.truth, scored.answer, scored.day)


def _found(scored: Scored, name: str) -> Column:
    try:
        return _of(scored, name)
    except NotFound as error:
        raise NotFound(
            "the holdout has no such feature", value=name, allowed=error.allowed,
            next="put the column into the holdout table, or declare @predictor(features=…)",
        ) from error  # fmt: skip


def _row(scored: Scored, at: int, names: Sequence[str]) -> dict[str, Json]:
    return {n: plain(_of(scored, n)[at]) for n in names}


def _count(name: str, value: int, n: int) -> Estimate:
    return Estimate(name=name, value=str(value), n=n, method="every row compared", unit="rows")
