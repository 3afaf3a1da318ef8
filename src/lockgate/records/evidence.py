"""What a gate measured, and what the rules made of it.

Numbers that decide are decimal strings, so that no reader rounds them differently; a number that cannot
be had is null with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lockgate.records.digest import Json

__all__ = ["Estimate", "Evidence", "GroupEstimate", "Outcome", "Verdict", "decimal"]

Outcome = Literal["pass", "fail", "uncertain", "not_applicable"]


def decimal(value: float) -> str | None:
    """A number as it travels: six significant digits, or None when it is not finite.

    >>> decimal(0.12345678), decimal(float("nan"))
    ('0.123457', None)
    """
    return f"{value:.6g}" if value == value and abs(value) != float("inf") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One number with its interval. `value` None needs `why`.

    `n` counts rows, `blocks` what is resampled: whole days, or what `block` says; 0 when rows are independent.
    """

    name: str
    value: str | None
    low: str | None = None
    high: str | None = None
    level: str = "0.95"
    n: int = 0
    blocks: int = 0
    method: str = ""
    why: str = ""
    unit: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def block(self) -> str:
        """What is resampled: `day`, `cluster` or `row`."""
        return str(self.extra.get("block", "day")) if self.blocks else "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEstimate:
    """An estimate for one group: `by` is the column, `group` the value in it."""

    by: str
    group: str
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one gate measured on one release; the rules see nothing else.

    Attributes:
        gate: the gate's name in the delivery declaration.
        kind: which rule reads it.
        statistic: the number that decides.
        also: numbers shown beside it (both sides of a comparison, the average).
        groups: worst first.
        not_assessed: what could not be judged, each with the reason (`volume_band=rare: n 40 < 200`).
        rows: examples for people, as plain JSON objects.
        seed: of the resampling; same inputs and seed give the same bytes.
    """

    gate: str
    kind: str
    statistic: Estimate
    also: tuple[Estimate, ...] = ()
    groups: tuple[GroupEstimate, ...] = ()
    not_assessed: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Json], ...] = ()
    params: Mapping[str, Json] = field(default_factory=dict[str, Json])
    seed: int = 0
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule decided on one evidence. `settles` says what would turn `uncertain` into a decision."""

    gate: str
    kind: str
    outcome: Outcome
    reason: str
    threshold: Mapping[str, Json] = field(default_factory=dict[str, Json])
    settles: str = ""
    evidence: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])
