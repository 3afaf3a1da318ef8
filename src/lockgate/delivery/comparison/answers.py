"""The steps that ask releases the same requests, compare what they answer, and ask them why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lockgate.delivery.judging.measuring import PATH, answering, json_step
from lockgate.delivery.known import remembered, stored_result
from lockgate.delivery.releases import file_of
from lockgate.errors import NotFound
from lockgate.gates.measure import INPUTS
from lockgate.records.digest import Json, short

if TYPE_CHECKING:
    from lockgate.build.execute import Executed
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.graph import Node
    from lockgate.records.release import Manifest

__all__ = ["answers", "answers_by", "fair_from", "holdout_of", "reasons", "told", "why_not"]

SCORED = INPUTS["scored"]


def answers(name: str, packages: Sequence[str]) -> Node:
    """Release `@NAME` answers the holdout, each row at its own as-of: the same step that gates are judged on."""
    inputs = {"release": f"@{name}", "holdout": "@holdout"}
    return answering(answers_by(name), "lockgate.release.scoring:scored", inputs, packages)


def answers_by(name: str) -> str:
    """The name of the step in which release `@NAME` answers."""
    return f"answers_{name}"


def reasons(name: str, packages: Sequence[str]) -> Node:
    """Release `@NAME` explains the largest changes of `compared`."""
    inputs, types = {"release": f"@{name}", "movement": "compared"}, {"release": PATH, "movement": "builtins:dict"}
    return json_step(f"reasons_{name}", "lockgate.release.explaining:reasons", inputs, types, {}, packages)


def told(name: str, sides: Sequence[str], parameters: Mapping[str, Json], packages: Sequence[str]) -> Node:
    """One of the functions of `lockgate.evaluation.movement`, on the answers of these sides."""
    target = f"lockgate.evaluation.movement:{name}"
    return json_step(
        name, target, {s: answers_by(s) for s in sides}, dict.fromkeys(sides, SCORED), parameters, packages
    )


def why_not(done: Executed, name: str) -> str:
    """Why a step has no result, in one line."""
    said = next((s.reason for s in done.steps if s.name == name), "")
    return " ".join((said or "it was not asked").split())


def fair_from(project: Project, releases: Iterable[Manifest]) -> str:
    """The first as-of from which on none of the releases was trained on what it is asked: the latest start of a holdout.

    Read from the answers that each release carries, which begin with the first day of its holdout. Empty without days: what
    another release was trained on cannot be told from rows that have none.
    """
    starts = list[str]()
    for release in releases:
        recorded = json.loads(file_of(project, release, release.holdout).read_bytes())
        days = [r["as_of"] for r in recorded if r["as_of"]]
        starts += [min(days)] if days else []
    return max(starts, default="")


def holdout_of(project: Project, walk: Walk, release: Manifest) -> Artifact:
    """The requests that a release was judged on; found by their identity among all stored results.

    Raises NotFound when the release had no such step, or the store has forgotten what it made.
    """
    name = walk.training.holdout or ""
    step = release.lineage.steps.get(name)
    if step is None:
        raise NotFound(
            f"release {short(release.digest)} has no step that makes a holdout under this name", value=name,
            allowed=", ".join(release.lineage.steps),
        )  # fmt: skip
    keys = (remembered(project).get(name, ""), *(h.key for h in project.results("results").held() if h.whole))
    for key in keys:
        found = stored_result(project, key) if key else None
        if found and found.artifact.digest == step["artifact"] and project.store.has(found.artifact.object):
            return found.artifact
    raise NotFound(
        f"the holdout of release {short(release.digest)} is not in the store any more", value=str(step["artifact"]),
        next=f"lockgate reproduce {short(release.digest)}",
    )  # fmt: skip
