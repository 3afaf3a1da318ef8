"""What a plan may know: identities from outside, stored results, accepted changes, and what ran here last."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from lockgate.build.plan import Known
from lockgate.build.trace import interpreter
from lockgate.errors import IntegrityError, NotFound
from lockgate.records.artifact import DATASET, Artifact
from lockgate.records.plan import Result, Reuse
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    from lockgate.project import Project
    from lockgate.records.dataset import Dataset
    from lockgate.records.digest import Json

R = TypeVar("R")
NONE: Mapping[str, str] = {}

__all__ = ["known_of", "last_key", "remembered", "stored_result"]


def known_of(
    project: Project, externals: Mapping[str, str], params: Mapping[str, Mapping[str, Json]],
    *, absent: Mapping[str, str] = NONE, accepting: bool = False,
) -> Known:  # fmt: skip
    """What the planner may know: identities from outside, stored results, and what ran here last.

    Args:
        absent: source → where it was looked for in vain.
        accepting: results of earlier code that a person let stand count, too.
    """
    results = project.results("results")
    last = remembered(project)
    read: dict[str, Dataset] = {}

    def whole(artifact: Artifact | None) -> Artifact | None:
        """An artifact of which all is in the store."""
        if artifact is None or not project.store.has(artifact.object):
            return None
        return artifact if artifact.codec != DATASET or dataset(artifact) else None

    def dataset(artifact: Artifact) -> Dataset | None:
        if artifact.codec != DATASET:  # it may be large: it is read by the step that needs it, and by nobody else
            return None
        if artifact.object not in read and (found := _complete(project, artifact)):
            read[artifact.object] = found
        return read.get(artifact.object)

    def result(key: str) -> Artifact | None:
        return whole(_read(Artifact, (results.get(key) or {}).get("artifact")))

    def record(key: str) -> Result | None:
        found = _read(Result, results.get(key))
        return found if found and whole(found.artifact) else None

    def last_result(node: str) -> Result | None:
        return stored_result(project, last[node]) if node in last else None

    accepted = _accepted_by(project, result) if accepting else _nobody
    return Known(externals, result, last_result, params, interpreter(), record, dataset, accepted, absent)


def _nobody(_: str) -> None:
    """Let nothing stand."""


def _complete(project: Project, artifact: Artifact) -> Dataset | None:
    """The record of a dataset, if every partition that it names is in the store."""
    from lockgate.records.dataset import Dataset

    try:
        found = from_json(Dataset, json.loads(project.store.get(artifact.object).read_bytes()))
    except (NotFound, IntegrityError, ValueError):
        return None
    return found if all(project.store.has(p.object) for p in (*found.parts, found.empty)) else None


def _accepted_by(project: Project, result: Callable[[str], Artifact | None]) -> Callable[[str], Reuse | None]:
    """Asks the ledger, once, and only when a step's result is missing: planning nothing reads no ledger."""
    asked: list[Callable[[str], Reuse | None]] = []

    def accepted(key: str) -> Reuse | None:
        if not asked:
            from lockgate.delivery.accept import accepted_changes

            asked.append(accepted_changes(project, result))
        return asked[0](key)

    return accepted


def _read(kind: type[R], record: Json) -> R | None:
    """A record of another shape, from another version, is as good as none."""
    try:
        return from_json(kind, record) if record else None
    except IntegrityError:
        return None


def stored_result(project: Project, key: str) -> Result | None:
    """What is recorded under a fingerprint, whether its bytes are still here or not."""
    return _read(Result, project.results("results").get(key))


def last_key(project: Project, node: str) -> str | None:
    """The fingerprint under which this working copy saw the step's last result."""
    return remembered(project).get(node)


def remembered(project: Project) -> dict[str, str]:
    try:
        known = json.loads((project.home / "last.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
