"""`show`, `diff`, `runs`: what exists, and how two releases differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.run import node_named, plan
from lockgate.errors import NotFound
from lockgate.records.plan import Reuse

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.digest import Json
    from lockgate.records.release import Manifest

__all__ = ["Difference", "Shown", "diff", "runs", "show"]

VALUE_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Shown:
    """An artifact, where its bytes lie, and its value when it is JSON."""

    name: str
    artifact: Artifact
    path: Path
    value: Json


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: `before` or `after` None when it is on one side only."""

    kind: str
    what: str
    before: str | None
    after: str | None


def show(project: Project, name: str, *, now: dt.datetime) -> Shown:
    """The present artifact of a step. Raises NotFound when it has not been made."""
    planned = plan(project, now=now)
    node = node_named(planned.graph, name)
    step = next(s for s in planned.plan.steps if s.node == node)
    if not isinstance(step.action, Reuse):
        raise NotFound("this artifact is not made yet, or is out of date", value=node, next=f"lockgate run --to {name}")
    artifact = step.action.artifact
    path = project.store.get(artifact.object)
    small = artifact.codec == "json" and artifact.size_bytes <= VALUE_LIMIT_BYTES
    return Shown(node, artifact, path, json.loads(path.read_bytes()) if small else None)


def diff(before: Manifest, after: Manifest) -> tuple[Difference, ...]:
    """Two releases, by what they were made of: data, code, parameters, step results."""
    a, b = before.lineage, after.lineage
    return (
        *_compare("as-of", {"day": before.as_of}, {"day": after.as_of}),
        *_compare("data", a.sources, b.sources),
        *_compare("code", a.extra.get("definitions", {}), b.extra.get("definitions", {})),
        *_compare("parameter", _flat(a.parameters), _flat(b.parameters)),
        *_compare("result", {n: s["artifact"] for n, s in a.steps.items()}, {n: s["artifact"] for n, s in b.steps.items()}),
    )


def runs(project: Project, *, limit: int = 20) -> list[Mapping[str, Json]]:
    """Past runs of this working copy, newest first."""
    files = sorted((project.home / "runs").glob("*.json"), reverse=True)[:limit]
    return [json.loads(f.read_bytes()) for f in files]


def _compare(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    names = sorted({*before, *after})
    return [Difference(kind, n, before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)]


def _flat(parameters: Mapping[str, Mapping[str, Json]]) -> dict[str, str]:
    return {f"{s}.{n}": json.dumps(v) for s, values in parameters.items() for n, v in values.items()}
