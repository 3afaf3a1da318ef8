"""What approved releases were signed with, as the ledger has it; the ratchet holds a new release against the best of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.records.digest import canonical, sha256_bytes

if TYPE_CHECKING:
    from lockgate.evaluation.metrics import Metric

__all__ = ["History", "Measured", "definition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number of one approved release that was served.

    Attributes:
        approved: the day of the first approval that binds it.
        value: a decimal string, as it was signed; `low`, `high`: its own interval, None where none was signed.
        definition: of the metric; numbers of unlike definitions are not compared.
        holdout: digest of the rows it was measured on.
    """

    release: str
    approved: dt.date
    metric: str
    value: str
    definition: str
    holdout: str
    low: str | None = None
    high: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that approved releases measured, oldest approval first."""

    measured: tuple[Measured, ...] = ()


def definition(metric: Metric) -> str:
    """Digest of what a metric is; the same name may come to mean something else in another version."""
    said = [
        metric.name,
        metric.meaning,
        metric.unit,
        metric.better,
        list(metric.inputs),
        repr(metric.power),
        repr(metric.bounds),
    ]
    return sha256_bytes(canonical(["metric", *said]))
