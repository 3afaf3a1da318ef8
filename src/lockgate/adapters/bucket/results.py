"""Results in a bucket or a package registry: one small object per record, with the digest of its own content."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

from lockgate.abreast import at_once
from lockgate.records.digest import sha256_bytes
from lockgate.records.held import Held
from lockgate.records.sealed import opened, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.adapters.bucket.kept import Bucket
    from lockgate.records.digest import Json

__all__ = ["BucketResults"]

NAME = re.compile(r"\w[\w.-]{0,79}", re.ASCII)


class BucketResults:
    """Records under `KIND/ab/…`; a damaged one reads as absent."""

    def __init__(self, bucket: Bucket, kind: str) -> None:
        self._bucket, self._kind = bucket, kind

    def get(self, key: str) -> Mapping[str, Json] | None:
        """One request."""
        found = self._bucket.read(self._name(key))
        return opened(found[0], key) if found else None

    def put(self, key: str, record: Mapping[str, Json]) -> None:
        """One request; whole or not at all."""
        self._bucket.write(self._name(key), sealed(key, record))

    def held(self) -> Iterator[Held]:
        """Every record, each read once and checked, some at a time."""
        return (h for h in at_once(self._looked_at, self._bucket.list(self._kind)) if h is not None)

    def delete(self, *keys: str) -> None:
        """Remove the objects."""
        self._bucket.delete(*map(self._name, keys))

    def _looked_at(self, listed: tuple[str, int, float]) -> Held | None:
        """None for one that is not there any more."""
        name, size_bytes, modified_s = listed
        if (found := self._bucket.read(name)) is None:
            return None
        key = _key(found[0])
        record = opened(found[0], key) if key is not None and self._name(key) == name else None
        called = key if key is not None and record is not None else name.rpartition("/")[2]
        return Held(key=called, size_bytes=size_bytes, modified_s=modified_s, whole=record is not None, record=record)

    def _name(self, key: str) -> str:
        name = key.rpartition(":")[2]
        name = name if NAME.fullmatch(name) else sha256_bytes(name.encode())[7:]
        return f"{self._kind}/{name[:2]}/{name}"


def _key(data: bytes) -> str | None:
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        found = json.loads(data)["key"]
        return found if isinstance(found, str) else None
    return None
