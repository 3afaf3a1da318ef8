"""Store, results and leases in a folder: on a laptop `.lockgate/`, for a team any shared folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.durable import locked, make_folder, sync_directory, sync_file, write_atomic, write_together
from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable
from lockgate.records.digest import canonical, digest, digest_file, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from lockgate.records.digest import Json
    from lockgate.records.held import Held, Lease

__all__ = ["LocalLeases", "LocalResults", "LocalStore", "LocalTogether"]

DIGEST = re.compile("[0-9a-f]{64}")
MAKE_AGAIN = "lockgate run; for a part of a release, lockgate deliver from the same commit"
"""Results come back by running, releases by bundling again what they were made of: the same bytes, the same names."""
WRITTEN_S = 1.0
"""A lease is written right after its file was made; one that is empty for longer was left by a power cut or a kill."""
NAME = re.compile(r"\w[\w.-]{0,79}")


class LocalStore:
    """Whole files under `objects/ab/…`, read-only, named by the BLAKE3 digest of their bytes."""

    def __init__(self, folder: Path) -> None:
        self._objects = folder / "objects"

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
        return bool(DIGEST.fullmatch(name)) and os.path.isfile(f"{self._objects}/{name[:2]}/{name}")

    def list(self) -> Iterator[str]:
        """Every object, by name; what a killed copy left behind is none."""
        for path in self._objects.glob("??/*"):
            if DIGEST.fullmatch(path.name):
                yield f"blake3:{path.name}"

    def delete(self, digest: str) -> None:
        """Remove the file."""
        with _translated(self._objects):
            self._path(digest).unlink(missing_ok=True)

    def held(self) -> Iterator[Held]:
        """Every object with its size and age, by a stat each; one that is deleted meanwhile is left out."""
        from lockgate.records.held import Held

        for key in self.list():
            with contextlib.suppress(FileNotFoundError):
                status = self._path(key).stat()
                yield Held(key=key, size_bytes=status.st_size, modified_s=status.st_mtime)

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
        self._folder = folder

    def get(self, key: str) -> Mapping[str, Json] | None:
        """Read a record; absent, torn and damaged are the same."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            wrapped = json.loads(self._path(key).read_bytes())
            if digest("result", [key, wrapped["record"]]) == wrapped["digest"]:
                return wrapped["record"]
        return None

    def put(self, key: str, record: Mapping[str, Json]) -> None:
        """Write a record, whole or not at all."""
        with _translated(self._folder):
            write_atomic(self._path(key), _sealed(key, record))

    def held(self) -> Iterator[Held]:
        """Every record, each read and checked."""
        from lockgate.records.held import Held

        for path in self._folder.glob("??/*"):
            if path.name.startswith("."):
                continue
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                key = next((k for k in _keys(path) if self._path(k) == path and self.get(k) is not None), None)
                yield Held(
                    key=key or path.name, size_bytes=status.st_size, modified_s=status.st_mtime, whole=key is not None
                )

    def delete(self, key: str) -> None:
        """Remove the record's file."""
        with _translated(self._folder):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        name = key.rpartition(":")[2]
        name = name if NAME.fullmatch(name) else sha256_bytes(name.encode())[7:]
        return self._folder / name[:2] / name


class LocalTogether:
    """Groups for a `LocalStore` and the `LocalResults` of one kind beside it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._store, self._results = folder, LocalStore(folder), LocalResults(folder / kind)

    def put(self, objects: Mapping[str, bytes], results: Mapping[str, Mapping[str, Json]]) -> None:
        """Objects that are there already are made young by the store itself."""
        with _translated(self._folder):
            files = {self._store._path(digest): data for digest, data in objects.items()}
            there = {
                path
                for path, data in files.items()
                if path.exists() and _holds(path, f"blake3:{path.name}", size=len(data))
            }
            for path in there:
                os.utime(path)
                sync_directory(path.parent)  # who put it there may not have come so far
            new = {path: data for path, data in files.items() if path not in there}
            records = {self._results._path(key): _sealed(key, record) for key, record in results.items()}
            write_together((0o444, new), (0o644, records))


class LocalLeases:
    """One small file per lease under `leases/`; a lock of the kernel makes taking one step. Lost in a power cut."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "leases"
        self._lock = self._folder / ".lock"
        self._files: dict[str, tuple[Lease, int]] = {}  # what we made: its lease, and the file's number
        self._newest = ""

    def take(self, name: str, lease: Lease, *, over: Lease | None = None) -> bool:
        """Take it if its holder is still the one that the asker saw, or nobody."""
        if over is not None:
            return self._replace(name, lease, before=over)
        with _translated(self._folder):
            return self._made(name, lease) or (self._is_damaged(name) and self._replace(name, lease, before=None))

    def renew(self, name: str, lease: Lease, *, before: Lease) -> bool:
        """Write the next beat."""
        return self._replace(name, lease, before=before)

    def drop(self, name: str, lease: Lease) -> None:
        """Remove the file, if it is ours."""
        with _translated(self._folder):
            made = self._files.pop(name, None)
            if made == (lease, self._number(name)) and lease.until_s - time.time() > lease.lasts_s / 2:
                self._path(name).unlink(missing_ok=True)  # nobody can have thought so soon that we are gone
                return
            with locked(self._lock):
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
            if self.holder(name) != before or (before is None and not self._is_damaged(name)):
                return False
            write_atomic(self._path(name), canonical(to_json(lease)), sync=False)
        return True

    def _made(self, name: str, lease: Lease) -> bool:
        """Make the file, unless there is one: the kernel lets one of many do so."""
        try:
            number = self._linked(name, lease) or self._written(name, lease)
        except FileExistsError:
            return False
        self._files[name], self._newest = (lease, number), name
        return True

    def _linked(self, name: str, lease: Lease) -> int:
        """Another name for the file of the same lease: no file is made and removed for each of a thousand short steps.

        Answers the file's number; 0 when there is no such file any more, or no links here.
        """
        before, number = self._files.get(self._newest, (None, 0))
        if before is not lease:
            return 0
        try:
            os.link(self._path(self._newest), self._path(name))
        except FileExistsError:
            raise
        except OSError:
            return 0
        if self._number(name) == number:
            return number
        self._path(name).unlink(missing_ok=True)  # somebody took that one over, meanwhile
        return 0

    def _written(self, name: str, lease: Lease) -> int:
        from lockgate.records.wire import to_json

        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(descriptor, canonical(to_json(lease)))
            return os.fstat(descriptor).st_ino
        finally:
            os.close(descriptor)

    def _is_damaged(self, name: str) -> bool:
        """Whether a file says nothing, and not because it is being written right now."""
        try:
            age_s = time.time() - self._path(name).stat().st_mtime
        except FileNotFoundError:
            return False
        return not 0 <= age_s < WRITTEN_S and self.holder(name) is None

    def _number(self, name: str) -> int:
        with contextlib.suppress(FileNotFoundError):
            return self._path(name).stat().st_ino
        return 0

    def _path(self, name: str) -> Path:
        return self._folder / name.replace(":", "=")


def _sealed(key: str, record: Mapping[str, Json]) -> bytes:
    """A record as its file holds it."""
    return canonical({"digest": digest("result", [key, record]), "key": key, "record": record})


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
