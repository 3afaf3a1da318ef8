"""Try a gate in a test, without a project: measure it on what you give it, and judge what it found.

>>> from lockgate import gates
>>> from lockgate.testing.scored import scored_table
>>> gate = gates.beats_baseline()
>>> verdict(gate, measure(gate, {"scored": scored_table()})).outcome
'pass'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lockgate.declare import Gate
from lockgate.errors import LockgateError, UsageError
from lockgate.gates.measure import called
from lockgate.gates.rules import judge
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, Verdict

__all__ = ["measure", "verdict"]


def measure(gate: Gate, inputs: Mapping[str, object]) -> Evidence:
    """Measure one gate. Never raises for what the function does: an error is evidence without a number, and fails."""
    try:
        found = called(gate, inputs)
    except Exception as error:
        why = _in_one_line(error)
        found = Evidence(gate=gate.name, kind=gate.rule, statistic=Estimate(name="error", value=None, why=why))
    return replace(found, gate=gate.name)


def verdict(gate: Gate, evidence: Evidence, limits: Mapping[str, Json] | None = None) -> Verdict:
    """Judge measured evidence by the gate's rule; `limits` are those of `policy.toml` for this gate."""
    both = sorted(set(gate.limits) & set(limits or {}))
    if both:
        raise UsageError(
            f"gate '{gate.name}' has the same limit in the declaration and in policy.toml", value=", ".join(both),
            allowed="one of the two places", next="lockgate deliver --plan",
        )  # fmt: skip
    return judge(evidence, gate.rule, {**gate.limits, **(limits or {})})


def _in_one_line(error: Exception) -> str:
    if isinstance(error, LockgateError):
        said = f"{error.what}: {error.value}" if error.value else error.what
        return f"{said} (allowed: {error.allowed})" if error.allowed else said
    return f"{type(error).__name__}: {error}"
