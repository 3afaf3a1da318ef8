"""`show`, `diff`, `runs`: what exists, and how two releases differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.comparison.changes import changes
from lockgate.delivery.run import node_named, plan
from lockgate.errors import NotFound
from lockgate.records.dataset import DATASET
from lockgate.records.digest import short
from lockgate.records.pack import Change
from lockgate.records.plan import Reuse

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.digest import Json
    from lockgate.records.release import Manifest

__all__ = ["Shown", "diff", "first_rows", "runs", "show"]

VALUE_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Shown:
    """An artifact, where its bytes lie, and its value when it is JSON: of a dataset, the record of its partitions."""

    name: str
    artifact: Artifact
    path: Path
    value: Json


def show(
    project: Project, name: str, *, now: dt.datetime, params: Mapping[str, Mapping[str, Json]] | None = None
) -> Shown:
    """The present artifact of a step. Raises NotFound when it has not been made."""
    planned = plan(project, now=now, params=params)
    node = node_named(planned.graph, name)
    step = next(s for s in planned.plan.steps if s.node == node)
    if not isinstance(step.action, Reuse):
        raise NotFound("this artifact is not made yet, or is out of date", value=node, next=f"lockgate run --to {name}")
    artifact = step.action.artifact
    path = project.store.get(artifact.object)
    small = artifact.codec in ("json", DATASET) and artifact.size_bytes <= VALUE_LIMIT_BYTES
    return Shown(node, artifact, path, json.loads(path.read_bytes()) if small else None)


def first_rows(shown: Shown) -> str:
    """How a table begins, as text; empty for what is no table, or when its library is not installed here."""
    from lockgate import codecs

    try:
        return codecs.preview(shown.artifact.codec, shown.path)
    except ImportError:
        return ""


def diff(project: Project, before: Manifest, after: Manifest) -> tuple[Change, ...]:
    """What the evidence page calls changes, and below it every step result that differs."""
    results = [{n: short(str(s["artifact"])) for n, s in m.lineage.steps.items()} for m in (before, after)]
    differing = (n for n in sorted({*results[0], *results[1]}) if results[0].get(n) != results[1].get(n))
    made = (
        Change(kind="results", what=n, before=results[0].get(n), after=results[1].get(n), is_digest=True)
        for n in differing
    )
    return (*changes(project, after, before, None), *made)


def runs(project: Project, *, limit: int = 20) -> list[Mapping[str, Json]]:
    """Past runs of this working copy, newest first."""
    files = sorted((project.home / "runs").glob("*.json"), reverse=True)[:limit]
    return [json.loads(f.read_bytes()) for f in files]
