"""What every constructor of a gate shares: limits as decimal strings, evidence by name. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.gates.ranges import check_limits

__all__ = ["Number", "columns", "declared", "limits_as_text"]

Number = int | float | str | Decimal


def declared(
    name: str, kind: str, rule: str, params: Mapping[str, object], limits: Mapping[str, Number | None]
) -> Gate:
    """A built-in gate: its evidence is computed in `gates/evidence/KIND.py`."""
    given = limits_as_text(name, limits)
    check_limits(rule, {key: Decimal(value) for key, value in given.items()}, params, where=f"gate '{name}'")
    return Gate(name, f"lockgate.gates.evidence.{kind}:evidence", rule, params, dict(given))


def limits_as_text(gate: str, limits: Mapping[str, Number | None]) -> dict[str, str]:
    """Decimal strings, so that no reader rounds a limit differently."""
    return {key: _decimal(gate, key, value) for key, value in limits.items() if value is not None}


def columns(gate: str, by: Sequence[Any]) -> list[str]:
    """Columns to slice by. Raises UsageError for none, for one twice, and for a name that would be taken letter by letter."""
    if isinstance(by, str) or not by:
        raise UsageError(f"gates.{gate} needs columns to slice by", value=repr(by), allowed='by=["volume_band"]')
    if unnamed := [c for c in by if not (isinstance(c, str) and c.strip())]:
        raise UsageError(
            f"gates.{gate}: by has something that names no column", value=repr(unnamed[0]), allowed="texts"
        )
    if twice := [c for at, c in enumerate(by) if c in by[:at]]:
        raise UsageError(f"gates.{gate}: by names a column twice", value=repr(twice[0]), allowed="each column once")
    return list(by)


def _decimal(gate: str, key: str, value: Any) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise UsageError(f"gate '{gate}': {key} is not a number", value=repr(value), allowed="a finite number")
    return format(number, "f")
