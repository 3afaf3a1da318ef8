"""A gate as a step of the engine: inputs by name, evidence out; what is not wired is None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockgate.declare import Gate
from lockgate.evaluation.scored import Scored
from lockgate.gates.history import History
from lockgate.gates.measure import called
from lockgate.gates.served import Served
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence

__all__ = ["run_gate"]


def run_gate(
    gate: Mapping[str, Json], scored: Scored | None, champion: Scored | None, replayed: Scored | None,
    served: Served | None, release: Mapping[str, Json] | None, history: History | None,
) -> Evidence:  # fmt: skip
    """Measure one declared gate. `gate` holds `name`, `evidence` (`module:function`), `rule` and `params`.

    Raises what the gate's function raises: a failed step is never stored, and counts as a failed gate.
    """
    found: dict[str, Any] = {
        "scored": scored,
        "champion": champion,
        "replayed": replayed,
        "served": served,
        "release": release,
        "history": history,
    }
    given = {name: value for name, value in found.items() if name in gate["takes"]}
    declared = Gate(gate["name"], gate["evidence"], gate["rule"], dict(gate["params"]))
    return called(declared, given)
