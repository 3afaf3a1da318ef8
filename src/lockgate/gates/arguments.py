"""What a gate may be told beside its limits, held against what there is when it is declared.

Imports nothing heavy, so names of metrics stand here once more; a test holds them against `evaluation.metrics`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from lockgate.errors import UsageError, did_you_mean

__all__ = ["COMPARABLE", "METRICS", "MOST_CROSSED", "RATES", "check_better", "check_crossed", "check_least", "check_metric"]  # fmt: skip

COMPARED: Final = ("accuracy", "fnr", "fpr", "npv", "ppv", "tnr", "tpr")
ERRORS: Final = ("brier", "log_loss", "mae", "mase", "pinball_10", "pinball_90", "rmse", "rmsse", "wape")
SHARES: Final = ("base_rate", "coverage", "selection_rate")
RATES: Final = (*COMPARED, *SHARES)
"""What `fairness` compares: each row counts or does not."""
COMPARABLE: Final = (*COMPARED, *ERRORS)
"""What can say which of two answers is better."""
METRICS: Final = (*COMPARABLE, *SHARES, "bias")
SIDES: Final = ("higher", "lower")
MOST_CROSSED: Final = 3


def check_metric(gate: str, name: object, known: Collection[str]) -> None:
    """Raise UsageError for a metric that this gate cannot measure.

    >>> check_metric("fairness", "tpr", RATES)
    """
    if name not in known:
        raise UsageError(
            f"gates.{gate} measures no such metric", value=repr(name), allowed=did_you_mean(str(name), known)
        )


def check_least(gate: str, least: object) -> None:
    """`min_n`: rows without which a group is not judged."""
    if isinstance(least, bool) or not isinstance(least, int) or least < 1:
        raise UsageError(f"gates.{gate}: min_n is wrong", value=repr(least), allowed="a whole number of rows from 1 on")


def check_crossed(gate: str, crossed: object) -> None:
    """How many columns are crossed with each other."""
    if isinstance(crossed, bool) or not isinstance(crossed, int) or not 1 <= crossed <= MOST_CROSSED:
        raise UsageError(
            f"gates.{gate}: crossed is wrong", value=repr(crossed), allowed="1 (columns by themselves), 2 or 3"
        )


def check_better(gate: str, better: object) -> None:
    """Which side is served better; None goes without saying."""
    if better is not None and better not in SIDES:
        raise UsageError(f"gates.{gate}: better is wrong", value=repr(better), allowed=" or ".join(map(repr, SIDES)))
