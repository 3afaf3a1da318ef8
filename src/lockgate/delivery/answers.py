"""What a release answers to a holdout, and why: asked once, in the packages that it was made with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.measuring import PATH, answering, json_step, load_json, measure, measured_with
from lockgate.errors import StepFailed
from lockgate.release.lockfile import OURS, mismatches, parse

if TYPE_CHECKING:
    from lockgate.build.execute import Event
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.graph import Node, Trace
    from lockgate.records.release import Manifest

__all__ = ["answers_of", "reasons_of"]


def answers_of(
    project: Project, walk: Walk, release: Manifest, holdout: Artifact, *, trace: Trace, tell: Callable[[Event], None]
) -> Artifact:
    """The stored table of answers to every row of the holdout, each at its own as-of: the one that gates are judged on.

    Raises StepFailed when the release cannot answer, IntegrityError when it is damaged.
    """
    inputs = {"release": "@release", "holdout": "@holdout"}
    node = answering("answers", "lockgate.release.scoring:scored", inputs, measured_with(walk))
    return _ask(project, release, node, {"@holdout": holdout}, trace, tell)


def reasons_of(
    project: Project, walk: Walk, release: Manifest, movement: Artifact, *, trace: Trace, tell: Callable[[Event], None]
) -> list[list[str]]:
    """What the release says about each of the largest changes of a stored `Movement`."""
    inputs, types = {"release": "@release", "movement": "@movement"}, {"release": PATH, "movement": "builtins:dict"}
    node = json_step("reasons", "lockgate.release.explaining:reasons", inputs, types, {}, measured_with(walk))
    found = _ask(project, release, node, {"@movement": movement}, trace, tell)
    return load_json(project, found)


def _ask(
    project: Project, release: Manifest, node: Node, given: dict[str, Artifact], trace: Trace,
    tell: Callable[[Event], None],
) -> Artifact:  # fmt: skip
    done = measure(
        project, {node.name: node}, releases={"@release": release.digest}, given=given, trace=trace, tell=tell
    )
    if done.error is not None:
        raise done.error
    return done.artifacts[node.name]
