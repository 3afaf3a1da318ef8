"""What a limit of each built-in rule may be, so that a per cent written as a whole number does not switch a gate off.

Imports nothing heavy: limits are looked at when a gate is declared and when `policy.toml` is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from lockgate.errors import UsageError
from lockgate.gates.arguments import RATES

__all__ = ["RANGES", "Range", "check_limits"]


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`; None is no end. `words` say it to whoever wrote something else."""

    low: Decimal
    high: Decimal | None
    words: str
    is_open: bool = False

    def __contains__(self, value: Decimal) -> bool:
        if not value.is_finite():
            return False
        if self.is_open and value in (self.low, self.high):
            return False
        return value >= self.low and (self.high is None or value <= self.high)


ONE: Final = Decimal(1)
SHARE: Final = Range(Decimal(0), ONE, "a share from 0 to 1, such as 0.10 for 10 %")
PART: Final = Range(Decimal(0), ONE, "a share between 0 and 1, such as 0.80 for 80 %", is_open=True)
GAP: Final = Range(Decimal(0), Decimal("0.999999"), "a share from 0 to less than 1, such as 0.02 for 2 %")
TIMES: Final = Range(ONE, None, "how many times, from 1 on, such as 1.5")
COUNT: Final = Range(Decimal(0), None, "a number from 0 on")
ABOVE: Final = Range(Decimal(0), None, "a number above 0", is_open=True)

RANGES: Mapping[str, Mapping[str, Range]] = {
    "better": {"margin": GAP},
    "superior": {"margin": GAP},
    "not_worse": {"margin": GAP},
    "no_slice_worse": {"margin": GAP},
    "no_step_back": {"tolerance": GAP},
    "gap_within": {"max_difference": GAP},
    "ratio_within": {"min_ratio": Range(Decimal("0.000001"), ONE, "a ratio above 0 and at most 1, such as 0.8")},
    "unbiased": {"max_bias": COUNT},
    "parity_of_errors": {"worst_over_best": TIMES},
    "alike": {"worst_over_best": TIMES},
    "calibrated": {"max_error": GAP, "min_slope": ABOVE, "max_slope": ABOVE},
    "represented": {"tolerance": GAP},
    "enough": {"min_rows": COUNT, "min_days": COUNT, "max_bad_share": SHARE},
    "same_answers": {"max_rows": COUNT},
    "nominal": {"nominal": PART, "tolerance": GAP},
    "compatible": {"max_breaking": COUNT},
    "clean": {"max_shared_keys": COUNT, "max_near_share": SHARE, "max_future_rows": COUNT, "max_skill_share": SHARE},
    "apart": {"min_gap_days": COUNT, "max_shared_groups": COUNT},
    "same_features": {"max_share": SHARE},
}
"""Rule → limit → range. A rule that is not here takes limits in the unit of what it measures: any number is one."""


SHARES: Final = frozenset({*RATES, "auc", "ece", "brier"})
"""Metrics that lie between 0 and 1, so that a limit beyond asks nothing."""


def check_limits(rule: str, limits: Mapping[str, Decimal], params: Mapping[str, object], *, where: str) -> None:
    """Raise UsageError for a limit that its rule can have no use for. `where`: which gate, for the message.

    >>> check_limits("gap_within", {"max_difference": Decimal("0.1")}, {}, where="gate 'fairness'")
    """
    for name, value in limits.items():
        asked = _range(rule, name, params)
        if asked is not None and value not in asked:
            raise UsageError(f"{where}: {name} is out of its range", value=format(value, "f"), allowed=asked.words)
    if rule == "nominal" and {"nominal", "tolerance"} <= set(limits):
        low, high = (limits["nominal"] + sign * limits["tolerance"] for sign in (-1, 1))
        if low < 0 or high > 1:
            raise UsageError(
                f"{where}: nominal and tolerance together allow shares that there are not", value=f"{low:f} to {high:f}",
                allowed="nominal - tolerance and nominal + tolerance from 0 to 1, such as 0.8 and 0.05",
            )  # fmt: skip


def _range(rule: str, name: str, params: Mapping[str, object]) -> Range | None:
    if rule in ("affordable", "fresh"):
        return COUNT
    if rule in ("within", "bounded") and params.get("metric") in SHARES:
        return SHARE
    return RANGES.get(rule, {}).get(name)
