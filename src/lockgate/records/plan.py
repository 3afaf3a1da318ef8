"""A plan is data: per step what will happen and why. Execute, explain and CI jobs are three readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json
from lockgate.records.frozen import field, frozen

__all__ = ["Action", "Blocked", "Maybe", "Plan", "PlannedStep", "Result", "Reuse", "Run", "StepRecord", "reused"]


@frozen
class Reuse:
    """The result is known.

    Attributes:
        under: the fingerprint it is stored under when that is not the step's own; empty otherwise.
        accepted: who declared, and why, that the code's change does not matter; empty when nobody had to.
    """

    artifact: Artifact
    under: str = ""
    accepted: str = ""


@frozen
class Run:
    """It must run; `reason` in one line."""

    reason: str


@frozen
class Maybe:
    """It runs only if an input's bytes change; `upstream` are the steps that decide."""

    upstream: tuple[str, ...]


@frozen
class Blocked:
    """It cannot run: a source is missing or an upstream step is blocked."""

    reason: str


Action = Reuse | Run | Maybe | Blocked


@frozen
class PlannedStep:
    """One line of a plan. `fingerprint` is None while an input is not known yet."""

    node: str
    action: Action
    fingerprint: str | None = None


@frozen
class Plan:
    """Steps in topological order."""

    steps: tuple[PlannedStep, ...]


@frozen(kw_only=True)
class Result:
    """What the results store keeps under a fingerprint: the artifact and everything that went into the key."""

    artifact: Artifact
    inputs: Mapping[str, str]
    parameters: Mapping[str, Json]
    definitions: tuple[tuple[str, str, int, str], ...]
    packages: tuple[str, ...]
    seconds: float
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@frozen(kw_only=True)
class StepRecord:
    """What happened to one step in a run, as `run --json` prints it.

    `partitions`: those that ran, if it has any.
    `attempts`: how often it was started. `sandbox`: what held around it: `on`, `on but for …`, `off`, or how far a
    kernel without Landlock holds it (`audit hooks only`); empty when nothing came out.
    """

    name: str
    action: Literal["run", "reuse", "maybe", "blocked", "failed"]
    reason: str
    digest: str | None = None
    seconds: float = 0.0
    partitions: tuple[str, ...] | None = None
    attempts: int = 0
    sandbox: str = ""


def reused(name: str, action: Reuse) -> StepRecord:
    """The record of a step that did not have to run; its reason says when a person let an older result stand."""
    return StepRecord(name=name, action="reuse", reason=action.accepted, digest=action.artifact.digest)
