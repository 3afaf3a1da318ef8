"""Put what no step made into the store: a copy of a file, a page, a JSON value. The store takes files over."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from lockgate import codecs
from lockgate.records.artifact import Artifact

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from lockgate.project import Project

__all__ = ["keep_bytes", "keep_copy", "keep_value", "scratch_file"]


def keep_copy(project: Project, path: Path) -> str:
    """Answer the digest of the copy in the store."""
    copy = scratch_file(project)
    with _removed_on_failure(copy):
        shutil.copyfile(path, copy)
        return project.store.put(copy)


def keep_bytes(project: Project, data: bytes) -> str:
    """Answer the digest of the bytes in the store."""
    path = scratch_file(project)
    with _removed_on_failure(path):
        path.write_bytes(data)
        return project.store.put(path)


def keep_value(project: Project, value: object, kind: type) -> Artifact:
    """Store a JSON-like value as an artifact."""
    path = scratch_file(project)
    codecs.save("json", value, path)
    identity, size_bytes = codecs.identity("json", value), path.stat().st_size
    return Artifact(
        type=codecs.type_name(kind),
        codec="json",
        digest=identity,
        object=project.store.put(path),
        size_bytes=size_bytes,
    )


@contextlib.contextmanager
def _removed_on_failure(draft: Path) -> Generator[None]:
    """Half a copy shall not fill a disk that is full already."""
    try:
        yield
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def scratch_file(project: Project) -> Path:
    """A new name on the store's file system, so that taking over is a rename."""
    folder = project.store_folder / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{os.getpid()}-{os.urandom(4).hex()}"
