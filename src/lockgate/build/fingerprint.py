"""The digest of everything a step's result depends on (law 1: same fingerprint, same result)."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeAlias

from lockgate.errors import UsageError
from lockgate.records.digest import canonical, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lockgate.records.digest import Json
    from lockgate.records.graph import Node

__all__ = ["earlier", "fingerprint", "fingerprint_of_partition", "parameters_of"]

PARTITION = "lockgate-fingerprint-of-partition/1"


def fingerprint(node: Node, inputs: Mapping[str, str], parameters: Mapping[str, Json], *, interpreter: str) -> str:
    """Digest code closure, parameters, input identities, packages and interpreter, by the newest algorithm.

    Neither the step's name nor any path is part of it: a renamed pipeline reuses its results.
    """
    return ALGORITHMS[0](node, inputs, parameters, interpreter)


def earlier(
    node: Node, inputs: Mapping[str, str], parameters: Mapping[str, Json], *, interpreter: str
) -> Iterator[str]:
    """What the same step was called by older algorithms, newest first: results stored under them are still its own."""
    return (algorithm(node, inputs, parameters, interpreter) for algorithm in ALGORITHMS[1:])


def fingerprint_of_partition(shared: str, key: str, slices: Mapping[str, str]) -> str:
    """Digest what a run for one partition depends on.

    Args:
        shared: the step's fingerprint over the inputs that it reads whole: the same for every partition.
        key: the partition.
        slices: `input[partition]` → identity, of all the run sees.
    """
    return digest(PARTITION, [shared, key, sorted(slices.items())])


def _version_1(node: Node, inputs: Mapping[str, str], parameters: Mapping[str, Json], interpreter: str) -> str:
    content: dict[str, Json] = {
        "target": node.target.partition(":")[2],
        "code": [[d.name, d.digest] for d in node.definitions],  # the closure put them in order
        "inputs": [[p, inputs[p], node.input_types[p]] for p in sorted(inputs)],
        "parameters": dict(parameters),
        "packages": list(node.packages),
        "interpreter": interpreter,
        "output": [node.type, node.codec],
    }
    if node.each:
        cut = [[p, node.input_types[p]] for p in node.each.cut]
        content["each"] = [node.each.period, node.each.by, node.each.lookback, cut]
    return digest("lockgate-fingerprint/1", content)


Algorithm: TypeAlias = "Callable[[Node, Mapping[str, str], Mapping[str, Json], str], str]"

ALGORITHMS: tuple[Algorithm, ...] = (_version_1,)
"""Newest first; a tag of its own in each, so that no two can give one digest. An algorithm that turns out to miss
something a result depends on is removed from here, and then nothing stored under it is believed (ADR 13)."""


def parameters_of(node: Node, given: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """A step's defaults, overridden by what `lockgate.toml` and `--param` say about it.

    A name that this node does not have belongs to a step of the same name in another pipeline: `make_plan` has checked.

    Raises:
        UsageError: a value of another kind than its default.
    """
    step = node.name.rpartition(".")[2]
    values = dict(node.parameters)
    for name, value in given.get(step, {}).items():
        if name in values:
            values[name] = _like(values[name], value, f"{step}.{name}")
    return values


def _like(default: Json, value: Json, name: str) -> Json:
    """A whole number is fine for a float; everything else must be of the default's kind."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, dt.date):  # TOML has dates
        value = value.isoformat()
    try:
        canonical(value)
    except (TypeError, ValueError) as error:
        raise UsageError(
            "a parameter that JSON cannot hold", value=f"{name} = {value!r}", allowed="finite numbers, text, lists"
        ) from error
    if default is not None and type(default) is not type(value):
        raise UsageError(
            "a parameter of another kind",
            value=f"{name} = {value!r}",
            allowed=f"{type(default).__name__}, e.g. {default!r}",
        )
    return value
