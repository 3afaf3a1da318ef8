"""A store and results in a folder: on a laptop `.lockgate/`, for a team any shared folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.durable import sync_directory, sync_file, write_atomic
from lockgate.errors import IntegrityError, NotFound
from lockgate.records.digest import canonical, digest, digest_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.records.digest import Json

__all__ = ["LocalResults", "LocalStore"]


class LocalStore:
    """Whole files under `objects/ab/…`, read-only, named by the BLAKE3 digest of their bytes."""

    def __init__(self, folder: Path) -> None:
        self._objects = folder / "objects"

    def put(self, path: Path) -> str:
        """Move (same file system) or copy a finished file in; readers never see a part of it."""
        found = digest_file(path)
        target = self._path(found)
        if target.exists():
            path.unlink(missing_ok=True)
            return found
        target.parent.mkdir(parents=True, exist_ok=True)
        sync_file(path)
        try:
            os.replace(path, target)
        except OSError:
            self._copy(path, target)
        target.chmod(0o444)
        sync_directory(target.parent)
        return found

    def get(self, digest: str) -> Path:
        """The object's file, its bytes checked against its name."""
        path = self._path(digest)
        if not path.is_file():
            raise NotFound("an object is not in the store", value=digest, next="lockgate run")
        if (actual := digest_file(path)) != digest:
            raise IntegrityError(
                "an object in the store is damaged",
                value=f"{path.name[:12]} holds {actual}",
                allowed=digest,
                next=f"remove {path} and run `lockgate run` to make it again",
            )
        return path

    def has(self, digest: str) -> bool:
        """A stat, no read."""
        return self._path(digest).is_file()

    def list(self) -> Iterator[str]:
        """Every object, by name."""
        for path in self._objects.glob("??/*"):
            yield f"blake3:{path.name}"

    def delete(self, digest: str) -> None:
        """Remove the file."""
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        name = digest.removeprefix("blake3:")
        return self._objects / name[:2] / name

    def _copy(self, path: Path, target: Path) -> None:
        """Another file system: copy beside the target first."""
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        shutil.copyfile(path, temporary)
        sync_file(temporary)
        os.replace(temporary, target)
        path.unlink()


class LocalResults:
    """One small JSON file per key, with the digest of its own content, so that a damaged one reads as absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Mapping[str, Json] | None:
        """Read a record; absent, torn and damaged are the same."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            wrapped = json.loads(self._path(key).read_bytes())
            if digest("result", wrapped["record"]) == wrapped["digest"]:
                return wrapped["record"]
        return None

    def put(self, key: str, record: Mapping[str, Json]) -> None:
        """Write a record, whole or not at all."""
        write_atomic(self._path(key), canonical({"digest": digest("result", record), "record": record}))

    def _path(self, key: str) -> Path:
        name = key.rpartition(":")[2]
        return self._folder / name[:2] / name
