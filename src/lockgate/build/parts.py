"""Datasets in the store: the partitions first, then the record that names them, so that a record is never half there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockgate.build.pieces import Made
from lockgate.records.artifact import Artifact
from lockgate.records.dataset import DATASET, Dataset
from lockgate.records.digest import canonical
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.ports import Store

__all__ = ["keep_parts", "keep_record", "made_in", "read_record"]


def keep_parts(store: Store, folder: Path) -> None:
    """Take over the partitions that a step's process left, each a file named by its digest."""
    for path in sorted(folder.glob("parts/*")):
        if not store.has(f"blake3:{path.name}"):
            store.put(path)


def made_in(folder: Path) -> Made:
    """The one partition that a step's process wrote down."""
    record = from_json(Dataset, json.loads((folder / "output").read_bytes()))
    return Made(record.parts[0], record.empty)


def keep_record(store: Store, folder: Path, dataset: Dataset, *, type: str) -> Artifact:
    """Store a dataset's record; its partitions are in the store. `size_bytes` is that of the record."""
    path = folder / "output"
    path.write_bytes(canonical(to_json(dataset)))
    size_bytes = path.stat().st_size
    return Artifact(type=type, codec=DATASET, digest=dataset.identity, object=store.put(path), size_bytes=size_bytes)


def read_record(store: Store, artifact: Artifact) -> Dataset:
    """The record an artifact stands for, its bytes checked."""
    return from_json(Dataset, json.loads(store.get(artifact.object).read_bytes()))
