"""Store, results and leases in a folder: on a laptop `.lockgate/`, for a team any shared folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.durable import locked, make_folder, sync_directory, sync_file, write_atomic
from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable
from lockgate.records.digest import canonical, digest_file, sha256_bytes
from lockgate.records.sealed import opened, sealed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from lockgate.records.digest import Json
    from lockgate.records.held import Held, Lease

__all__ = ["LocalLeases", "LocalResults", "LocalStore"]

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
        with _translated(self._objects):
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
        with _translated(self._objects):
            actual = digest_file(path)
        if actual != digest:
            raise IntegrityError(
                "an object in the store is damaged",
                value=f"{path.name[:12]} holds {actual}",
                allowed=digest,
                next=f"lockgate store check --heal, then {MAKE_AGAIN}",
            )
        return path

    def has(self, digest: str) -> bool:
        """A stat, no read."""
        name = digest.removeprefix("blake3:")
        return bool(DIGEST.fullmatch(name)) and os.path.isfile(f"{self._top}/{name[:2]}/{name}")

    def list(self) -> Iterator[str]:
        """Every object, by name; what a killed copy left behind is none."""
        for path in self._objects.glob("??/*"):
            if DIGEST.fullmatch(path.name):
                yield f"blake3:{path.name}"

    def delete(self, *digests: str) -> None:
        """Remove the files."""
        with _translated(self._objects):
            for digest in digests:
                self._path(digest).unlink(missing_ok=True)

    def held(self, *, read: bool = False) -> Iterator[Held]:
        """Every object with its size and age, by a stat each; one that is deleted meanwhile is left out."""
        return (h for key in self.list() if (h := self._looked_at(key, read=read)) is not None)

    def _looked_at(self, key: str, *, read: bool) -> Held | None:
        from lockgate.records.held import Held

        path = self._path(key)
        with _translated(self._objects), contextlib.suppress(FileNotFoundError):
            status = path.stat()
            whole = not read or digest_file(path) == key
            return Held(key=key, size_bytes=status.st_size, modified_s=status.st_mtime, whole=whole)
        return None

    def _path(self, digest: str) -> Path:
        name = digest.removeprefix("blake3:")
        if not DIGEST.fullmatch(name):
            raise NotFound("not the digest of an object", value=digest[:100], allowed="blake3: and 64 hex digits")
        return self._objects / name[:2] / name

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
            return opened(_read(self._place(key)), key)
        except (OSError, ValueError):
            return None

    def put(self, key: str, record: Mapping[str, Json]) -> None:
        """Write a record, whole or not at all."""
        with _translated(self._folder):
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
        with _translated(self._folder):
            for key in keys:
                self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return Path(self._place(key))

    def _place(self, key: str) -> str:
        """Not a `Path`: each costs as much as to open the file."""
        name = key.rpartition(":")[2]
        name = name if NAME.fullmatch(name) else sha256_bytes(name.encode())[7:]
        return f"{self._top}/{name[:2]}/{name}"


class LocalLeases:
    """One small file per lease under `leases/`; a lock of the kernel makes taking one step. Lost in a power cut."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "leases"
        self._lock = self._folder / ".lock"

    def take(self, name: str, lease: Lease, *, over: Lease | None = None) -> bool:
        """Take it if its holder is still the one that the asker saw, or nobody."""
        return self._replace(name, lease, before=over)

    def renew(self, name: str, lease: Lease, *, before: Lease) -> bool:
        """Write the next beat."""
        return self._replace(name, lease, before=before)

    def drop(self, name: str, lease: Lease) -> None:
        """Remove the file, if it is ours."""
        with _translated(self._folder), locked(self._lock):
            holder = self.holder(name)
            if holder is not None and holder.owner == lease.owner:
                self._path(name).unlink(missing_ok=True)

    def holder(self, name: str) -> Lease | None:
        """Read the file; absent and damaged are the same."""
        from lockgate.records.held import Lease
        from lockgate.records.wire import from_json

        try:
            return from_json(Lease, json.loads(self._path(name).read_bytes()))
        except (OSError, ValueError, IntegrityError):
            return None

    def names(self) -> Iterator[str]:
        """The files' names."""
        for path in self._folder.glob("[!.]*"):
            yield path.name.replace("=", ":")

    def _replace(self, name: str, lease: Lease, *, before: Lease | None) -> bool:
        from lockgate.records.wire import to_json

        with _translated(self._folder), locked(self._lock):
            if self.holder(name) != before:
                return False
            write_atomic(self._path(name), canonical(to_json(lease)), sync=False)
        return True

    def _path(self, name: str) -> Path:
        return self._folder / name.replace(":", "=")


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


@contextlib.contextmanager
def _translated(folder: Path) -> Generator[None]:
    """A full disk or a missing permission is nobody's mistake in a pipeline: say where, and let a retry help."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ServiceUnavailable(
            "the store's folder does not answer", value=f"{folder}: {reason}", next="check disk and permissions"
        ) from error
