"""One file per gate: how its evidence is computed. Wired inputs by parameter name; nothing here decides."""

from __future__ import annotations

from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["EXAMPLES", "unmeasured"]

EXAMPLES = 20  # rows shown to people; the counts are over all rows


def unmeasured(kind: str, name: str, why: str, **params: Json) -> Evidence:
    """Evidence without a number: the rule fails it and says why."""
    return Evidence(gate=kind, kind=kind, statistic=Estimate(name=name, value=None, why=why), params=params)
