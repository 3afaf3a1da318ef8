"""How many rows a group needs to pass a limit when it is treated alike. No numpy: the rules import it at every start."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Final

__all__ = ["POWER_Z", "rows_to_pass"]

PARITY_Z: Final = Decimal("1.281552")
"""A gap that is none stays within so many errors, either way, in four of five holdouts."""
POWER_Z: Final = Decimal("0.841621")
"""A gap that is one goes beyond its reach by less than so many errors in one of five holdouts."""


def rows_to_pass(rows: int, limit: Decimal, *, reach: Decimal, detectable: Decimal) -> int:
    """Rows of a group with which it passes `limit` in four of five holdouts, when the others grow in proportion.

    The reach shrinks with the root of the rows. 0 where it cannot be said.

    Args:
        rows: that were measured; `reach` and `detectable` as in `groups.Gap`.

    >>> rows_to_pass(400, Decimal("0.1"), reach=Decimal("0.068"), detectable=Decimal("0.0972"))
    506
    """
    if not (limit.is_finite() and reach.is_finite() and detectable.is_finite()) or limit <= 0:
        return 0
    error = (detectable - reach) / POWER_Z
    needed = rows * ((reach + PARITY_Z * error) / limit) ** 2
    return int(needed.to_integral_value(rounding=ROUND_CEILING))
