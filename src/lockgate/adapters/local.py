"""Store and results in a folder: on a laptop `.lockgate/`, for a team any shared folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.durable import in_store, make_folder, sync_directory, sync_file, write_atomic
from lockgate.errors import IntegrityError, NotFound
from lockgate.records.digest import digest_file, sha256_bytes
from lockgate.records.sealed import opened, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.records.digest import Json
    from lockgate.records.held import Held

__all__ = ["LocalResults", "LocalStore", "LocalTogether"]

DIGEST = re.compile("[0-9a-f]{64}")
MAKE_AGAIN = "lockgate run; for a part of a release, lockgate deliver from the same commit"
"""Results come back by running, releases by bundling again what they were made of: the same bytes, the same names."""
NAME = re.compile(r"\w[\w.-]{0,79}")


class LocalStore:
    """Whole files under `objects/ab/…`, read-only, named by the BLAKE3 digest of their bytes."""

    def __init__(self, folder: Path) -> None:
        self._objects = folder / "objects"
        self._top = str(self._objects)

    def put(self, path: Path) -> str:
        """Move (same file system) or copy a finished file in; readers never see a part of it.

        What is there already is kept, made young, if it is whole, and replaced if it is damaged.
        """
        found = digest_file(path)
        target = self._path(found)
        with in_store(self._objects):
            make_folder(target.parent)
            if _holds(target, found, size=path.stat().st_size):
                os.utime(target)
                sync_directory(target.parent)  # who put it there may not have come so far
                path.unlink(missing_ok=True)
                return found
            sync_file(path)
            try:
                os.replace(path, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy(path, target)
            target.chmod(0o444)
            os.utime(target)  # a moved file brings the time at which it was written
            sync_directory(target.parent)
        return found

    def get(self, digest: str) -> Path:
        """The object's file, its bytes checked against its name."""
        path = self._path(digest)
        if not path.is_file():
            raise NotFound("an object is not in the store", value=digest, next=MAKE_AGAIN)
        with in_store(self._objects):
            actual = digest_file(path)
        if actual != digest:
            raise IntegrityError(
                "an object in the store is damaged",
                value=f"{path.name[:12]} holds {actual}",
                allowed=digest,
                next=f"lockgate store check --heal, then {MAKE_AGAIN}",
            )
        return path

    def has(self, digest: str, *, sha256: str = "", size_bytes: int | None = None) -> bool:
        """A stat, no read."""
        del sha256  # a stat tells only the size
        name = digest.removeprefix("blake3:")
        path = f"{self._top}/{name[:2]}/{name}"
        is_there = bool(DIGEST.fullmatch(name)) and os.path.isfile(path)
        return is_there and size_bytes in (None, os.path.getsize(path))

    def list(self) -> Iterator[str]:
        """Every object, by name; what a killed copy left behind is none."""
        for path in self._objects.glob("??/*"):
            if DIGEST.fullmatch(path.name):
                yield f"blake3:{path.name}"

    def delete(self, *digests: str) -> None:
        """Remove the files."""
        with in_store(self._objects):
            for digest in digests:
                self._path(digest).unlink(missing_ok=True)

    def held(self, *, read: bool = False) -> Iterator[Held]:
        """Every object with its size and age, by a stat each; one that is deleted meanwhile is left out."""
        return (h for key in self.list() if (h := self._looked_at(key, read=read)) is not None)

    def _looked_at(self, key: str, *, read: bool) -> Held | None:
        from lockgate.records.held import Held

        path = self._path(key)
        with in_store(self._objects), contextlib.suppress(FileNotFoundError):
            status = path.stat()
            whole = not read or digest_file(path) == key
            return Held(key=key, size_bytes=status.st_size, modified_s=status.st_mtime, whole=whole)
        return None

    def _path(self, digest: str) -> Path:
        return Path(self.place(digest))

    def place(self, digest: str) -> str:
        """Where an object lies."""
        name = digest.removeprefix("blake3:")
        if not DIGEST.fullmatch(name):
            raise NotFound("not the digest of an object", value=digest[:100], allowed="blake3: and 64 hex digits")
        return f"{self._top}/{name[:2]}/{name}"

    def _copy(self, path: Path, target: Path) -> None:
        """Another file system: copy beside the target first."""
        import shutil

        temporary = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
        try:
            shutil.copyfile(path, temporary)
            sync_file(temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        path.unlink()


class LocalResults:
    """One small JSON file per key, with the digest of its own content, so that a damaged one reads as absent."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._top = folder, str(folder)

    def get(self, key: str) -> Mapping[str, Json] | None:
        """Read a record; absent, torn and damaged are the same."""
        try:
            return opened(_read(self.place(key)), key)
        except (OSError, ValueError):
            return None

    def put(self, key: str, record: Mapping[str, Json]) -> None:
        """Write a record, whole or not at all."""
        with in_store(self._folder):
            write_atomic(self._path(key), sealed(key, record))

    def held(self) -> Iterator[Held]:
        """Every record, each read and checked."""
        from lockgate.records.held import Held

        for path in self._folder.glob("??/*"):
            if path.name.startswith("."):
                continue
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                keys = (k for k in _keys(path) if self._path(k) == path)
                key, record = next(((k, r) for k in keys if (r := self.get(k)) is not None), (path.name, None))
                yield Held(
                    key=key,
                    size_bytes=status.st_size,
                    modified_s=status.st_mtime,
                    whole=record is not None,
                    record=record,
                )

    def delete(self, *keys: str) -> None:
        """Remove the records' files."""
        with in_store(self._folder):
            for key in keys:
                self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return Path(self.place(key))

    def place(self, key: str) -> str:
        """Where a record lies. Not a `Path`: each costs as much as to open the file."""
        name = key.rpartition(":")[2]
        name = name if NAME.fullmatch(name) else sha256_bytes(name.encode())[7:]
        return f"{self._top}/{name[:2]}/{name}"


class LocalTogether:
    """Groups for a `LocalStore` and the `LocalResults` of one kind beside it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._store, self._results = folder, LocalStore(folder), LocalResults(folder / kind)

    def put(self, objects: Mapping[str, bytes], results: Mapping[str, Mapping[str, Json]]) -> None:
        """An object that is there already is kept, made young, if it is whole."""
        from lockgate.together import write_together

        with in_store(self._folder):
            files = {self._store.place(digest): data for digest, data in objects.items()}
            there = [p for p, data in files.items() if _holds(Path(p), f"blake3:{p[-64:]}", size=len(data))]
            for path in there:
                os.utime(path)
                sync_directory(Path(path).parent)  # who put it there may not have come so far
                del files[path]
            records = {self._results.place(key): sealed(key, record) for key, record in results.items()}
            write_together((0o444, files), (0o644, records))


def _read(place: str) -> bytes:
    """A small file. `open` makes three objects and asks the kernel twice as often; a plan reads one per step."""
    handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, os.fstat(handle).st_size)
    finally:
        os.close(handle)


def _keys(path: Path) -> list[str]:
    """What a record's file may be called: it says so itself; those of older versions are digests."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        said = json.loads(path.read_bytes())["key"]
        return [said] if isinstance(said, str) else []
    return [f"blake3:{path.name}", f"sha256:{path.name}", path.name]


def _holds(target: Path, digest: str, *, size: int) -> bool:
    """Whether an object is there and whole; one that cannot be read is not."""
    try:
        return target.stat().st_size == size and digest_file(target) == digest
    except OSError:
        return False
