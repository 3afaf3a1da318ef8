"""A store in a bucket or a package registry, with a cache on this machine: bytes are checked on every get, wherever they come from."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.abreast import at_once
from lockgate.errors import IntegrityError, NotFound
from lockgate.records.digest import digest_file
from lockgate.records.held import GRACE_S, Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.adapters.bucket.kept import Bucket
    from lockgate.ports import Store

__all__ = ["BucketStore"]

DIGEST: Final = re.compile("blake3:([0-9a-f]{64})")


class BucketStore:
    """Whole objects under `objects/ab/…`, named by the BLAKE3 digest of their bytes.

    Args:
        bucket: where the objects lie.
        cache: keeps what was fetched and what was made here.
        scratch: a folder on the cache's file system.
        young_s: an object that is there, with these bytes as the bucket tells them, and younger is not sent again; an older
            one is, so that no garbage collection takes it for old.
    """

    def __init__(self, bucket: Bucket, *, cache: Store, scratch: Path, young_s: float = GRACE_S / 2) -> None:
        self._bucket, self._cache, self._scratch, self._young_s = bucket, cache, scratch, young_s
        self._here: set[str] = set()  # seen in the bucket by this process
        self._ours: set[str] = set()  # put there by it, or held against what somebody knows of the bytes
        self._read: dict[str, bool] = {}  # what this process read there, and whether it was whole

    def put(self, path: Path) -> str:
        """Send a finished file, then move it into the cache. It is in the bucket when this returns."""
        found = digest_file(path)
        since = self._bucket.since(_name(found), path)
        is_young = since is not None and time.time() - since < self._young_s
        if not is_young or not self._read.get(found, True):
            self._bucket.send(_name(found), path)
            self._read.pop(found, None)
        self._here.add(found)
        self._ours.add(found)
        return self._cache.put(path)

    def get(self, digest: str) -> Path:
        """The object's file in the cache, checked now; a damaged copy is replaced from the bucket."""
        name = _name(digest)
        try:
            return self._cache.get(digest)
        except IntegrityError:
            self._cache.delete(digest)
        except NotFound:
            pass
        return self._fetched(digest, name)

    def has(self, digest: str, *, sha256: str = "", size_bytes: int | None = None) -> bool:
        """Ask the bucket, once per process for what is there: others rely on it, so the cache alone does not count."""
        known = self._ours if sha256 else self._here
        if not DIGEST.fullmatch(digest):
            return False
        if digest not in known and self._bucket.has(_name(digest), sha256=sha256, size_bytes=size_bytes):
            known.add(digest)
        return digest in known

    def list(self) -> Iterator[str]:
        """Every object in the bucket."""
        return (h.key for h in self.held())

    def held(self, *, read: bool = False) -> Iterator[Held]:
        """Every object in the bucket; `read`: what this process has not read there, some at a time."""
        found = (
            Held(key=digest, size_bytes=size_bytes, modified_s=modified_s)
            for name, size_bytes, modified_s in self._bucket.list("objects")
            if DIGEST.fullmatch(digest := f"blake3:{name.rpartition('/')[2]}")
        )
        return (h for h in at_once(self._looked_at, found) if h is not None) if read else found

    def delete(self, *digests: str) -> None:
        """Remove them from the bucket and from this machine's cache."""
        self._bucket.delete(*map(_name, digests))
        self._here.difference_update(digests)
        self._ours.difference_update(digests)
        for digest in digests:
            self._read.pop(digest, None)
        self._cache.delete(*digests)

    def _looked_at(self, held: Held) -> Held | None:
        """None for one that is not there any more."""
        whole = self._read.get(held.key)
        if whole is None:
            if (actual := self._bucket.digest(_name(held.key))) is None:
                return None
            whole = self._read[held.key] = actual == held.key
        return Held(key=held.key, size_bytes=held.size_bytes, modified_s=held.modified_s, whole=whole)

    def _fetched(self, digest: str, name: str) -> Path:
        self._scratch.mkdir(parents=True, exist_ok=True)
        draft = self._scratch / f"{os.getpid()}-{os.urandom(4).hex()}"
        try:
            if (actual := self._bucket.fetch(name, draft)) is None:
                self._here.discard(digest)
                self._ours.discard(digest)
                raise NotFound("an object is not in the store", value=digest, next="lockgate run")
            self._read[digest] = actual == digest
            if actual != digest:
                self._ours.discard(digest)
                raise IntegrityError(
                    "an object in the store is damaged",
                    value=f"{self._bucket}/{name} holds {actual}",
                    allowed=digest,
                    next="lockgate store check --heal",
                )
            self._cache.put(draft)
        finally:
            draft.unlink(missing_ok=True)
        return self._cache.get(digest)


def _name(digest: str) -> str:
    found = DIGEST.fullmatch(digest)
    if not found:
        raise NotFound("not the digest of an object", value=digest[:100], allowed="blake3: and 64 hex digits")
    return f"objects/{found[1][:2]}/{found[1]}"
