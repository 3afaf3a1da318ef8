"""The table that everything here reads: each row a request, what was answered and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from lockgate.errors import NotFound, UsageError, did_you_mean
from lockgate.evaluation.matching import told_apart

__all__ = ["Column", "Scored", "Unit", "plain"]

Column = NDArray[Any]
Unit = Literal["day", "cluster", "row"]
"""What is drawn again when we ask how sure a number is: whole days, whole clusters, or single rows."""

MISSING = "(missing)"
LACKS = {
    "low": "a predictor that answers an interval",
    "high": "a predictor that answers an interval",
    "score": "a predictor that answers the probability of a yes",
    "scale": "a holdout with the naive error of each row's series in training",
}
AS_OF = "as_of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Answers beside truths, one row per request.

    Attributes:
        columns: name → 1-D array, all of one length. Dates are `datetime64[D]`, texts unicode arrays, numbers float64.
        truth: the column of what happened.
        answer: the column of the point answer.
        day: the column of the target date; whole days are resampled, because rows of one day err together. None: no
            day is known, and rows are independent unless `cluster` is given.
        cluster: the column of the entity (a customer, a shop) whose rows err together; whole clusters are resampled,
            and `day`, if there is one, only dates the rows.
        low, high: the columns of the answered interval, if there is one.
        score: the column of the probability of the positive answer, for classifiers; `answer` is then the decision.
        scale: the column of each row's own naive error in training, for MASE and RMSSE.
        keys: the columns of the request; with `as_of`, where there is one, they name a row. Empty: rows are told
            apart by their position.

    Nulls are NaN and NaT. Nothing here drops them: `complaint` names them and a gate fails.

    >>> rows = {"day": np.array(["2011-10-16", "2011-10-17"], "datetime64[D]"), "y": np.array([4.0, 2.0]),
    ...         "yhat": np.array([3.0, np.nan])}
    >>> scored = Scored(columns=rows, truth="y", answer="yhat", day="day")
    >>> scored.complaint("truth", "answer")
    "1 of 2 rows has no number in 'yhat' (first: day 2011-10-17)"
    >>> scored.unit, Scored(columns=rows, truth="y", answer="yhat").unit
    ('day', 'row')
    """

    __lockgate_columns__: ClassVar[str] = "columns"

    columns: Mapping[str, Column]
    truth: str
    answer: str
    day: str | None = None
    low: str | None = None
    high: str | None = None
    keys: tuple[str, ...] = ()
    cluster: str | None = None
    score: str | None = None
    scale: str | None = None

    def __post_init__(self) -> None:
        named = (self.truth, self.answer, self.day, self.low, self.high, self.cluster, self.score, self.scale)
        for name in (*named, *self.keys):
            if name is not None:
                self.column(name)
        shapes = {name: np.shape(values) for name, values in self.columns.items()}
        if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
            raise UsageError("columns of a scored table differ in length", value=str(shapes), allowed="1-D, one length")

    def __len__(self) -> int:
        return len(self.columns[self.truth])

    @property
    def unit(self) -> Unit:
        """What is resampled: whole clusters where there are some, else whole days, else single rows."""
        return "cluster" if self.cluster else "day" if self.day else "row"

    @property
    def blocks(self) -> str:
        """The column whose values are resampled whole. Raises NotFound where rows are independent."""
        if (name := self.cluster or self.day) is None:
            raise NotFound("the scored table has neither day nor cluster", allowed="independent rows are drawn singly")
        return name

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that together name a row; empty when only the position does."""
        also = AS_OF in self.columns and AS_OF not in self.keys
        return (*self.keys, AS_OF) if self.keys and also else self.keys

    def named_by(self) -> tuple[Column, ...]:
        """The columns of `identity`, in order."""
        return tuple(self.column(name) for name in self.identity)

    def column(self, name: str) -> Column:
        """One column as it is. Raises NotFound with the names there are."""
        if name not in self.columns:
            raise NotFound("no such column in the scored table", value=name, allowed=did_you_mean(name, self.columns))
        return self.columns[name]

    def role(self, role: str) -> NDArray[np.float64]:
        """The numbers of `truth`, `answer`, `low`, `high`, `score` or `scale`.

        Raises NotFound when this table has no such column.
        """
        name: str | None = getattr(self, role)
        if name is None:
            raise NotFound(f"the scored table has no {role} column", allowed=LACKS.get(role, "a column of that role"))
        return self.numbers(name)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """One column as float64; booleans become 0 and 1. Raises UsageError when it holds texts or dates."""
        values = self.column(name)
        if values.dtype.kind in "Mm":
            raise UsageError("a column of dates is not numeric", value=name)
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise UsageError("a column is not numeric", value=name) from error

    def labels(self, name: str) -> NDArray[np.str_]:
        """One column as group names; nulls are a group of their own, so that no row is lost."""
        names, group = self.groups(name)
        return names[group]

    def groups(self, name: str) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
        """The group names of one column, sorted, and which of them each row has."""
        values = self.column(name)
        if values.dtype.kind in "bfiuM":
            known, which = np.unique(values, return_inverse=True)
            distinct: list[Any] = known.tolist()
        else:
            distinct, which = told_apart([values])
        names, group = np.unique(np.array([_label(v) for v in distinct], np.str_), return_inverse=True)
        return names, group[which]

    def subset(self, mask: Column) -> Scored:
        """The rows where `mask` is true (or, given positions, those rows in that order)."""
        return replace(self, columns={name: values[mask] for name, values in self.columns.items()})

    def replacing(self, **columns: Column) -> Scored:
        """The same rows with some columns replaced or added."""
        return replace(self, columns={**self.columns, **columns})

    def answering(self, column: str) -> Scored:
        """The same rows with another column as the point answer, e.g. a baseline; score and interval are not that answer's, so it has none."""
        return replace(self, answer=column, score=None, low=None, high=None)

    def complaint(self, *roles: str) -> str:
        """Say in one sentence why these rows cannot be measured, or nothing when they can.

        Args:
            roles: of `truth`, `answer`, `low`, `high`, `score`, `scale`: each must be a finite number in every row.
        """
        if not len(self):
            return "there are no rows"
        for column, lack in ((self.day, "no date"), (self.cluster, f"no {self.cluster}")):
            if column and (unknown := np.flatnonzero(self._is_missing(column))).size:
                return self._some(unknown, lack, column)
        for role in roles:
            if getattr(self, role) is None:
                return f"the scored table has no {role} column, which takes {LACKS.get(role, 'a column of that role')}"
            if why := self.complain(~np.isfinite(self.role(role)), "no number", role):
                return why
        return ""

    def complain(self, wrong: NDArray[np.bool_], lack: str, role: str) -> str:
        """Name the rows that are `wrong` in the column of a role, or nothing when none is."""
        found = np.flatnonzero(wrong)
        return self._some(found, lack, str(getattr(self, role))) if found.size else ""

    def require(self, *roles: str) -> Scored:
        """These rows, if they can be measured. An own gate starts with it: NaN compares as false and hides.

        Raises UsageError with the `complaint`.
        """
        if why := self.complaint(*roles):
            raise UsageError("the scored rows cannot be measured", value=why)
        return self

    def day_is_missing(self) -> NDArray[np.bool_]:
        """Rows without a target date; none where the table has no day at all."""
        return self._is_missing(self.day) if self.day else np.zeros(len(self), dtype=np.bool_)

    def block_is_missing(self) -> NDArray[np.bool_]:
        """Rows of which nobody knows with which others they err; they cannot be resampled."""
        return self._is_missing(self.blocks) if self.unit != "row" else np.zeros(len(self), dtype=np.bool_)

    def _is_missing(self, column: str) -> NDArray[np.bool_]:
        values = self.column(column)
        if values.dtype.kind == "M":
            return np.isnat(values)
        if values.dtype.kind in "UiubS":
            return (
                values == "" if values.dtype.kind == "U" and column == self.cluster else np.zeros(len(self), np.bool_)
            )
        return np.array([v != v or v is None for v in values.tolist()], bool)

    def row(self, position: int) -> dict[str, Any]:
        """What names a row for people: its keys and every date column; without keys, every text column too."""
        kinds = "M" if self.keys else "MUO"
        names = dict.fromkeys([*self.keys, *(n for n, v in self.columns.items() if v.dtype.kind in kinds)])
        return {name: plain(self.columns[name][position]) for name in names}

    def _some(self, positions: Column, lack: str, column: str) -> str:
        example = ", ".join(f"{name} {value}" for name, value in self.row(int(positions[0])).items())
        have = "has" if positions.size == 1 else "have"
        return f"{positions.size:,} of {len(self):,} rows {have} {lack} in '{column}' (first: {example or 'row 1'})"


def _label(value: Any) -> str:
    """A group's name: short for numbers, unless two would get the same."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return MISSING if value != value else short if float(short := f"{value:g}") == value else repr(value)
    return MISSING if value is None or str(value) in ("", "NaT") else str(value)


def plain(value: Any) -> Any:
    """A cell as a JSON value: dates as ISO text, numbers as decimal text (exact), nulls as None.

    >>> plain(np.datetime64("2011-10-16")), plain(np.float64(0.1)), plain(np.nan)
    ('2011-10-16', '0.1', None)
    """
    if isinstance(value, np.generic):
        cell = cast("np.generic[Any]", value)
        value = cell.item() if cell.dtype.kind != "M" else str(cell)  # ISO text in the array's own unit
    if isinstance(value, float):
        return repr(value) if np.isfinite(value) else None
    if value is None or value == "NaT":
        return None
    return value if isinstance(value, bool | int | str) else str(value)
