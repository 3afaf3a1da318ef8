"""A table as gates see it: numpy columns without roles, such as all rows that a model was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lockgate.errors import NotFound, did_you_mean
from lockgate.records.findings import FEATURE

__all__ = ["FEATURE", "Column", "Rows", "day_of", "is_missing"]

Column = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Columns by name, all of one length: dates `datetime64[D]`, texts unicode, truths bool, numbers float64.

    Nulls are NaN, NaT and empty texts.
    """

    __lockgate_columns__: ClassVar[str] = "columns"

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def column(self, name: str) -> Column:
        """One column. Raises NotFound with the names there are."""
        if name not in self.columns:
            raise NotFound("no such column in the training table", value=name, allowed=did_you_mean(name, self.columns))
        return self.columns[name]


def day_of(column: Column, *, latest: bool) -> np.datetime64 | None:
    """The first or the last day of a column of dates; None when no row has one."""
    known = column[~np.isnat(column)].astype("datetime64[D]")
    return None if not known.size else (known.max() if latest else known.min())


def is_missing(column: Column) -> NDArray[np.bool_]:
    """Rows without a value."""
    if column.dtype.kind == "M":
        return np.isnat(column)
    if column.dtype.kind == "f":
        return ~np.isfinite(column)
    return column == "" if column.dtype.kind == "U" else np.zeros(len(column), bool)
