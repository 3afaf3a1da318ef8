"""Run one gate: wire its inputs by name, measure, and turn whatever goes wrong into evidence that fails."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from lockgate.declare import Gate
from lockgate.errors import LockgateError, UsageError
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, Verdict
from lockgate.records.wire import to_json

__all__ = ["INPUTS", "called", "evidence_function", "inputs_of", "measure", "verdict"]

INPUTS = ("scored", "champion", "replayed", "served", "release")


def evidence_function(gate: Gate) -> Callable[..., object]:
    """The function that measures, imported when it was declared as `module:function`."""
    if callable(gate.evidence):
        return gate.evidence
    module, _, name = gate.evidence.partition(":")
    return cast("Callable[..., object]", getattr(importlib.import_module(module), name))


def inputs_of(gate: Gate) -> tuple[str, ...]:
    """Which wired inputs a gate asks for, so that only these are computed.

    >>> from lockgate import gates
    >>> inputs_of(gates.champion())
    ('scored', 'champion')
    """
    return tuple(name for name in inspect.signature(evidence_function(gate)).parameters if name in INPUTS)


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
    from lockgate.gates.rules import judge

    both = sorted(set(gate.limits) & set(limits or {}))
    if both:
        raise UsageError(
            f"gate '{gate.name}' has the same limit in the declaration and in policy.toml", value=", ".join(both),
            allowed="one of the two places", next="lockgate deliver --plan",
        )  # fmt: skip
    return judge(evidence, gate.rule, {**gate.limits, **(limits or {})})


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


def _in_one_line(error: Exception) -> str:
    if isinstance(error, LockgateError):
        said = f"{error.what}: {error.value}" if error.value else error.what
        return f"{said} (allowed: {error.allowed})" if error.allowed else said
    return f"{type(error).__name__}: {error}"


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
    params = {name: to_json(value) for name, value in gate.params.items()}
    summary = words.strip().split("\n")[0].rstrip(".")
    return Evidence(gate=gate.name, kind=gate.rule, statistic=found, params={**params, "words": summary or gate.name})
