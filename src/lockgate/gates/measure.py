"""Call one gate's function with what it asks for, by name, and take what it returns as evidence."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.records.evidence import Estimate, Evidence
from lockgate.records.wire import to_json

__all__ = ["INPUTS", "called", "evidence_function"]

INPUTS: Mapping[str, str] = {
    "scored": "lockgate.evaluation.scored:Scored",
    "champion": "lockgate.evaluation.scored:Scored",
    "replayed": "lockgate.evaluation.scored:Scored",
    "served": "lockgate.gates.served:Served",
    "release": "builtins:dict",
    "history": "lockgate.gates.history:History",
    "live": "builtins:dict",
    "bundle": "pathlib:Path",
    "training_table": "lockgate.gates.rows:Rows",
    "contracts": "builtins:dict",
    "card": "builtins:dict",
    "weighed": "builtins:dict",
    "repeated": "builtins:dict",
    "known_days": "builtins:dict",
}
"""What a gate's function may ask for, by parameter name → type: the holdout as the release and as the live one answer it, the
training rows answered again, what the deployed release said over HTTP, the release's manifest and what approved releases
measured; the live release's manifest,
the release's folder, all rows that were trained on, consumers' contracts by file name, the card of `lockgate.toml`, how fast and
large the release is, its recorded answers asked again, and the newest day of each state table. What there is not is None."""


def evidence_function(gate: Gate) -> Callable[..., object]:
    """The function that measures, imported when it was declared as `module:function`."""
    if callable(gate.evidence):
        return gate.evidence
    module, _, name = gate.evidence.partition(":")
    return cast("Callable[..., object]", getattr(importlib.import_module(module), name))


def called(gate: Gate, inputs: Mapping[str, object]) -> Evidence:
    """Call the gate's function with what it asks for. Raises what it raises, and UsageError for wrong wiring."""
    function = evidence_function(gate)
    parameters = inspect.signature(function).parameters
    if unused := sorted(set(gate.params) - set(parameters)):
        raise UsageError(f"gate '{gate.name}' has parameters its function does not take", value=", ".join(unused))
    given = {**{name: value for name, value in inputs.items() if name in parameters}, **gate.params}
    lacking = [n for n, p in parameters.items() if n not in given and p.default is p.empty]
    if lacking:
        raise UsageError(f"gate '{gate.name}' lacks an input", value=", ".join(lacking), allowed=", ".join(INPUTS))
    return _as_evidence(gate, function(**given), function.__doc__ or "")


def _unless_few(found: Estimate) -> Estimate:
    """Without bounds when few days or clusters stand behind it, however its function made them."""
    if not found.blocks or found.low is None or found.low == found.high:
        return found
    from lockgate.evaluation.blocks import LEAST_BLOCKS  # lazy: numpy comes with it, and has come with days or clusters
    from lockgate.evaluation.intervals import too_few

    if found.blocks >= LEAST_BLOCKS:
        return found
    unit = "day" if found.block == "day" else "cluster"
    extra = {**found.extra, "least": LEAST_BLOCKS}
    return replace(found, low=None, high=None, why=too_few(found.blocks, unit), extra=extra)


def _as_evidence(gate: Gate, found: object, words: str) -> Evidence:
    """What a function may return: Evidence, an Estimate, or an interval that knows its estimate."""
    if isinstance(found, Evidence):
        return found
    make: object = getattr(found, "estimate", None)  # an Interval; its class is not imported, as numpy would be
    if callable(make):
        found = make(gate.name)
    if not isinstance(found, Estimate):
        raise UsageError(
            f"gate '{gate.name}' returned something that cannot be judged", value=type(found).__name__,
            allowed="Evidence, Estimate or Interval",
        )  # fmt: skip
    found = _unless_few(found)
    params = {name: to_json(value) for name, value in gate.params.items()}
    summary = words.strip().split("\n")[0].rstrip(".")
    return Evidence(gate=gate.name, kind=gate.rule, statistic=found, params={**params, "words": summary or gate.name})
