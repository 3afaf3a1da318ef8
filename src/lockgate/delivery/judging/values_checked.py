"""Whether what a release is judged on holds the values that the release's lineage names: for who believes nothing that the store says.

The store checks an object's bytes by its name. Which object holds a step's value is said by a record, and whoever writes to the store
writes records.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockgate import codecs
from lockgate.errors import IntegrityError
from lockgate.records.artifact import DATASET
from lockgate.records.dataset import Dataset
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.delivery.judging.material import JudgedOn
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact

__all__ = ["check_values"]

TABLE = "polars.ipc"


def check_values(project: Project, on: JudgedOn) -> None:
    """Reads every table of it. Raises IntegrityError naming the one whose values are others."""
    for role in ("holdout", "trained", "training_table"):
        artifact: Artifact | None = getattr(on, role)
        for said, actual in _identities(project, artifact) if artifact else ():
            if said != actual:
                raise IntegrityError(
                    f"the {role} that the store gives for this release is not the one that it names", value=actual,
                    allowed=said, next="lockgate store check",
                )  # fmt: skip


def _identities(project: Project, artifact: Artifact) -> Iterator[tuple[str, str]]:
    """What is said of a value, and what its bytes make of it; of a table in partitions each."""
    path = project.store.get(artifact.object)
    if artifact.codec != DATASET:
        yield artifact.digest, codecs.identity(artifact.codec, codecs.load(artifact.codec, path, object))
        return
    found = from_json(Dataset, json.loads(path.read_bytes()))
    yield artifact.digest, found.identity
    for part in (*found.parts, found.empty):
        yield part.digest, codecs.identity(TABLE, codecs.load(TABLE, project.store.get(part.object), object))
