"""What a table promises: columns, key, days, and the dirt that is known to be in it.

A contract is data. It names columns with their types and limits, and declares dirt as rules: what it looks like,
how much of it may come, and what is done with it. `lockgate.data.checks` holds a table against it. The promises of
a column bind every row that no rule claims, so dirt that nobody declared is found, and so is more of it than declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    import polars as pl

    from lockgate.records.digest import Json

__all__ = ["Action", "Column", "ColumnType", "Contract", "Days", "Rule"]

ColumnType = Literal["text", "integer", "number", "truth", "date", "datetime"]

Action = Literal["drop", "net", "set aside", "keep"]
"""What happens to a row that a rule claims.

drop: leaves the table for good. net: stays, and is subtracted. set aside: leaves, and can be opened.
keep: stays as it is; the rule only counts it, and the row must still keep every column's promise.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its type, its unit, and what every value in it keeps to.

    Args:
        low, high: limits, both included. A date column takes dates.
        one_of: the only values allowed.
        matches: a regular expression that the whole text must match.
        nullable: whether a value may be missing.
    """

    name: str
    type: ColumnType
    unit: str = ""
    nullable: bool = False
    low: float | dt.date | None = None
    high: float | dt.date | None = None
    one_of: tuple[str, ...] = ()
    matches: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Dirt that is known: what it looks like, what is done with it, how much may come.

    Args:
        when: a condition over one row, in Polars SQL, such as `price <= 0`. A null counts as no.
        at_most: the largest share of all rows, 0 to 1, that may look like this.
        why: one sentence for people.
    """

    name: str
    when: str
    action: Action
    at_most: float
    why: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.at_most <= 1:
            message = f"rule {self.name!r}: at_most is a share from 0 to 1, not {self.at_most}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Every open day from the first row on has rows, and no closed day has any. Rows that a rule drops do not count.

    `closed` answers why a day is closed, or None for an open one. A table that is checked with an as-of day must
    also be fresh: its last open day is the last one before as-of.
    """

    column: str
    closed: Callable[[dt.date], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one table promises.

    Args:
        key: the columns whose values name a row; no two rows share them.
        rules: known dirt, in order; the first rule that claims a row decides what happens to it.
        days: the promise that no day is missing.
        min_rows: fewer than this is an error; an empty table never passes unless this is 0.
        open: whether columns that are not listed may be there too.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    days: Days | None = None
    min_rows: int = 1
    open: bool = False

    def names(self) -> tuple[str, ...]:
        """The promised columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def described(self) -> Json:
        """The promise as data, so that two releases' promises can be held against each other; limits as texts."""
        return {
            "name": self.name, "key": list(self.key), "min_rows": self.min_rows, "open": self.open,
            "days": self.days.column if self.days else None,
            "columns": {c.name: _column(c) for c in self.columns},
            "rules": {r.name: {"when": r.when, "action": r.action, "at_most": str(r.at_most)} for r in self.rules},
        }  # fmt: skip

    def check(self, table: object) -> None:
        """Hold a table against the promise. Raises ContractBroken naming rows; the engine calls it on a step's output."""
        from lockgate.data.checks import check

        check(cast("pl.DataFrame", table), self)

    def rules_that(self, *actions: Action) -> tuple[str, ...]:
        """The names of the rules with one of these actions.

        >>> free = Rule(name="free", when="price = 0", action="drop", at_most=0.1)
        >>> Contract(name="sales", columns=(), rules=(free,)).rules_that("drop", "net")
        ('free',)
        """
        return tuple(rule.name for rule in self.rules if rule.action in actions)


def _column(column: Column) -> Json:
    return {
        "type": column.type, "unit": column.unit, "nullable": column.nullable, "one_of": list(column.one_of),
        "matches": column.matches, "low": None if column.low is None else str(column.low),
        "high": None if column.high is None else str(column.high),
    }  # fmt: skip
