"""Hold a Polars table against its contract: find what it breaks, and name the rows.

`check` raises at the first broken promise, `judge` marks each row with the rule that claims it, `tally` counts.
None of them changes a value: what is done with dirt is the step's business, and visible in it.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from lockgate.errors import ContractBroken, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.data.contracts import Column, ColumnType, Contract, Days, Rule

__all__ = ["DIRT", "check", "judge", "missing_columns", "tally"]

DIRT = "dirt"
"""The column that `judge` adds."""

ROWS_NAMED = 3


def check(frame: pl.DataFrame, contract: Contract, *, as_of: dt.date | None = None) -> None:
    """Raise at the first promise that the table breaks; return when it keeps them all.

    Args:
        frame: the table. Its column `dirt`, if `judge` added one, is not part of the promise.
        contract: what it promised.
        as_of: with it, a promise of days also asks that the last open day before it is there.

    Raises:
        ContractBroken: a column, its type, too few rows, undeclared dirt or more than declared, a key twice, a day
            missing. The message names the rows.
    """
    _check_columns(frame, contract)
    if frame.height < contract.min_rows:
        raise ContractBroken(
            f"{contract.name}: too few rows",
            value=str(frame.height),
            allowed=f"{contract.min_rows} or more",
            next="look whether the source is empty or cut off",
        )
    _check_amounts(frame, contract)
    _check_promises(frame, contract)
    _check_key(frame, contract)
    if contract.days is not None:
        dropped = judge(frame, contract).get_column(DIRT).is_in(contract.rules_that("drop"))
        _check_days(frame.filter(~dropped.fill_null(value=False)), contract.name, contract.days, as_of)


def judge(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The same rows with a column `dirt`: the name of the first rule that claims the row, null for a clean one.

    Rules that only keep do not claim.
    """
    verdict = pl.lit(None, dtype=pl.String)
    for rule in reversed(contract.rules):
        if rule.action != "keep":
            verdict = pl.when(_looks_like(rule)).then(pl.lit(rule.name)).otherwise(verdict)
    return frame.with_columns(verdict.alias(DIRT))


def tally(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Count each rule over all rows. One row per rule, in the contract's order.

    Columns: rule, when, action, why; at_most and share (of all rows, 0 to 1); matches: rows that look like this;
    claimed: those of them that no earlier rule claimed, which is what the action is done to.
    """
    matches = frame.select(_looks_like(rule).sum().alias(rule.name) for rule in contract.rules)
    claimed = judge(frame, contract).get_column(DIRT)
    rows = max(frame.height, 1)
    return pl.DataFrame(
        [
            {
                "rule": rule.name,
                "when": rule.when,
                "action": rule.action,
                "why": rule.why,
                "at_most": rule.at_most,
                "share": int(matches[rule.name][0]) / rows,
                "matches": int(matches[rule.name][0]),
                "claimed": int((claimed == rule.name).sum()),
            }
            for rule in contract.rules
        ],
        schema=TALLY,
    )


TALLY = {
    "rule": pl.String,
    "when": pl.String,
    "action": pl.String,
    "why": pl.String,
    "at_most": pl.Float64,
    "share": pl.Float64,
    "matches": pl.Int64,
    "claimed": pl.Int64,
}


def missing_columns(where: str, found: list[str], wanted: tuple[str, ...], *, next: str) -> None:
    """Raise when a promised column is not among those found; a near name is offered.

    >>> missing_columns("sales.csv", ["Invoice", "Qty"], ("Invoice", "Quantity"), next="rename it back")
    Traceback (most recent call last):
    lockgate.errors.ContractBroken: sales.csv: column is missing: Quantity
      allowed: Qty
      next:    rename it back
    """
    for name in wanted:
        if name not in found:
            strangers = [other for other in found if other not in wanted]
            near = did_you_mean(name, strangers) if strangers else "all of " + ", ".join(wanted)
            raise ContractBroken(f"{where}: column is missing", value=name, allowed=near, next=next)


def _check_columns(frame: pl.DataFrame, contract: Contract) -> None:
    fix = f"rename it in the step that makes {contract.name}, or change the contract"
    missing_columns(contract.name, frame.columns, contract.names(), next=fix)
    for column in contract.columns:
        found = frame.schema[column.name]
        if not _is(column.type, found):
            raise ContractBroken(
                f"{contract.name}: column {column.name} has another type",
                value=str(found),
                allowed=column.type,
                next=fix,
            )
    extra = [name for name in frame.columns if name not in contract.names() and name != DIRT]
    if extra and not contract.open:
        raise ContractBroken(
            f"{contract.name}: column is not promised",
            value=", ".join(extra),
            allowed=", ".join(contract.names()),
            next=fix,
        )


def _is(promised: ColumnType, found: pl.DataType) -> bool:
    match promised:
        case "text":
            return isinstance(found, (pl.String, pl.Categorical, pl.Enum))
        case "integer":
            return found.is_integer()
        case "number":
            return found.is_numeric()
        case "truth":
            return found == pl.Boolean
        case "date":
            return found == pl.Date
        case "datetime":
            return found == pl.Datetime


def _check_amounts(frame: pl.DataFrame, contract: Contract) -> None:
    """More of a known dirt than declared is news, and stops the run."""
    for rule in contract.rules:
        mask = frame.select(_looks_like(rule)).to_series()
        share = int(mask.sum()) / max(frame.height, 1)
        if share > rule.at_most:
            raise ContractBroken(
                f"{contract.name}: more {rule.name!r} than declared",
                value=f"{_rows(mask)} of {frame.height:,} = {share:.2%}; {_named(frame, mask, contract)}",
                allowed=f"at most {rule.at_most:.2%} of rows where {rule.when}",
                next="look at what changed in the source; if it is right, raise at_most in the contract",
            )


def _check_promises(frame: pl.DataFrame, contract: Contract) -> None:
    """Every row that no rule claims keeps every column's promise: else it is dirt that nobody declared."""
    clean = judge(frame, contract).get_column(DIRT).is_null()
    for column in contract.columns:
        for allowed, broken in _breaches(column, frame.schema[column.name]):
            mask = frame.select(broken.fill_null(value=False)).to_series() & clean
            if mask.any():
                raise _undeclared(frame, mask, contract, column, allowed)


def _undeclared(
    frame: pl.DataFrame, mask: pl.Series, contract: Contract, column: Column, allowed: str
) -> ContractBroken:
    rules = ", ".join(rule.name for rule in contract.rules if rule.action != "keep")
    return ContractBroken(
        f"{contract.name}: {_rows(mask)} where {column.name} is not as promised"
        + (", and no rule declares such dirt" if rules else ""),
        value=_named(frame, mask, contract),
        allowed=f"{column.name} {allowed}{f', in {column.unit}' if column.unit else ''}"
        + (f"; or declared dirt: {rules}" if rules else ""),
        next="correct the source" + (", or declare a rule in the contract" if rules else ""),
    )


def _breaches(column: Column, found: pl.DataType) -> Iterator[tuple[str, pl.Expr]]:
    """(what is allowed, the expression that is true for a value that breaks it) for each promise of a column."""
    value = pl.col(column.name)
    if not column.nullable:
        yield "not missing", value.is_null()
    if found.is_float():
        yield "finite", ~value.is_finite()
    if column.low is not None:
        yield f"at least {column.low}", value < column.low
    if column.high is not None:
        yield f"at most {column.high}", value > column.high
    if column.one_of:
        yield "one of " + ", ".join(column.one_of), ~value.cast(pl.String).is_in(list(column.one_of))
    if column.matches:
        yield f"like {column.matches}", ~value.cast(pl.String).str.contains(f"^(?:{column.matches})$")


def _check_key(frame: pl.DataFrame, contract: Contract) -> None:
    if not contract.key:
        return
    twice = frame.select(pl.struct(contract.key).is_duplicated()).to_series()
    if twice.any():
        raise ContractBroken(
            f"{contract.name}: {_rows(twice)} share a key",
            value=_named(frame, twice, contract),
            allowed="one row per " + ", ".join(contract.key),
            next=f"look at the step that makes {contract.name}",
        )


def _check_days(frame: pl.DataFrame, name: str, days: Days, as_of: dt.date | None) -> None:
    present: set[dt.date] = set(frame.get_column(days.column).drop_nulls().unique().to_list())
    first, end = min(present), as_of or max(present) + dt.timedelta(days=1)
    every = (first + dt.timedelta(days=n) for n in range((end - first).days))
    for day in every:
        reason = days.closed(day)
        if reason is None and day not in present:
            raise ContractBroken(
                f"{name}: a day is missing",
                value=f"{day:%A %Y-%m-%d}",
                allowed="rows on every open day; the calendar knows no reason why this one was closed",
                next="fetch that day again, or give the calendar the reason",
            )
        if reason is not None and day in present:
            mask = frame.get_column(days.column) == day
            raise ContractBroken(
                f"{name}: rows on a closed day",
                value=f"{day:%A %Y-%m-%d}: {_rows(mask)}",
                allowed=f"none, because: {reason}",
                next="correct the source, or open the day in the calendar",
            )


def _looks_like(rule: Rule) -> pl.Expr:
    return pl.sql_expr(rule.when).fill_null(value=False)


def _rows(mask: pl.Series) -> str:
    count = int(mask.sum())
    return f"{count:,} row{'' if count == 1 else 's'}"


def _named(frame: pl.DataFrame, mask: pl.Series, contract: Contract) -> str:
    """The first few rows under the mask, by number (the first is 1) and values."""
    chosen = frame.select(contract.names()).with_row_index("row", offset=1).filter(mask)
    shown = [f"row {row.pop('row')} ({_values(row)})" for row in chosen.head(ROWS_NAMED).to_dicts()]
    more = chosen.height - len(shown)
    return "; ".join(shown) + (f"; and {more:,} more" if more else "")


def _values(row: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items())
