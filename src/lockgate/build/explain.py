"""A plan as text: one line per reason, naming definition, file and line, parameter old → new, or package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.digest import short
from lockgate.records.plan import Blocked, Maybe, PlannedStep, Reuse, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockgate.records.digest import Json
    from lockgate.records.graph import Node
    from lockgate.records.plan import Result

__all__ = ["difference", "differences", "words"]


def words(step: PlannedStep) -> tuple[str, str]:
    """The action and its reason as two short texts."""
    match step.action:
        case Reuse(artifact, accepted=accepted):
            return "reuse", accepted or f"nothing changed ({short(artifact.digest)})"
        case Run(reason):
            return "run", reason
        case Maybe(upstream):
            return "maybe", f"if the bytes of {', '.join(upstream)} change"
        case Blocked(reason):
            return "blocked", reason


def difference(node: Node, last: Result, inputs: Mapping[str, str] | None, parameters: Mapping[str, Json]) -> str:
    """The first difference between a step now and its last result; empty when there is none.

    `inputs` None: identities are not known yet and are left out.
    """
    return next(differences(node, last, inputs, parameters), "")


def differences(
    node: Node, last: Result, inputs: Mapping[str, str] | None, parameters: Mapping[str, Json]
) -> Iterator[str]:
    """Every difference in one line each: code, then parameters, inputs, packages."""
    yield from _code(node, last)
    for name in sorted({*parameters, *last.parameters}):
        old, new = last.parameters.get(name, "absent"), parameters.get(name, "absent")
        if old != new:
            yield f"parameter {name} {old} → {new}"
    if inputs is not None:
        for name in sorted({*inputs, *last.inputs}):
            old, new = last.inputs.get(name, ""), inputs.get(name, "")
            if old != new:
                yield f"input {name} {short(old) or 'absent'} → {short(new) or 'absent'}"
    yield from _packages(node, last)


def _code(node: Node, last: Result) -> Iterator[str]:
    then = _digests((name, digest) for name, _, _, digest in last.definitions)
    now = _digests((d.name, d.digest) for d in node.definitions)
    places = {d.name: f" ({d.file}:{d.line})" if d.line else "" for d in reversed(node.definitions)}
    for name, digests in now.items():
        if name not in then:
            yield f"{name} is new{places[name]}"
        elif then[name] != digests:
            yield f"{name} changed{places[name]}"
    yield from (f"{name} is gone" for name in then if name not in now)
    if then == now and list(then) != list(now):
        yield "the order of statements changed"


def _digests(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Several statements may have one name; their order counts."""
    found: dict[str, list[str]] = {}
    for name, digest in pairs:
        found.setdefault(name, []).append(digest)
    return found


def _packages(node: Node, last: Result) -> Iterator[str]:
    then = dict(p.split("==", 1) for p in last.packages)
    now = dict(p.split("==", 1) for p in node.packages)
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            yield f"package {name} {then.get(name, 'absent')} → {now.get(name, 'absent')}"
