"""Results in a bucket: one small object per record, with the digest of its own content."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

from lockgate.adapters.s3.bucket import Bucket
from lockgate.records.digest import sha256_bytes
from lockgate.records.held import Held
from lockgate.records.sealed import opened, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.records.digest import Json

__all__ = ["S3Results"]

NAME = re.compile(r"\w[\w.-]{0,79}", re.ASCII)


class S3Results:
    """Records under `KIND/ab/…`; a damaged one reads as absent."""

    def __init__(self, url: str, kind: str) -> None:
        self._bucket, self._kind = Bucket(url), kind

    def get(self, key: str) -> Mapping[str, Json] | None:
        """One request."""
        found = self._bucket.read(self._name(key))
        return opened(found[0], key) if found else None

    def put(self, key: str, record: Mapping[str, Json]) -> None:
        """One request; whole or not at all."""
        self._bucket.write(self._name(key), sealed(key, record))

    def held(self) -> Iterator[Held]:
        """Every record, each read and checked."""
        for name, size_bytes, modified_s in self._bucket.list(self._kind):
            if (found := self._bucket.read(name)) is None:
                continue
            key = _key(found[0])
            whole = key is not None and self._name(key) == name and opened(found[0], key) is not None
            yield Held(
                key=key if whole and key else name.rpartition("/")[2],
                size_bytes=size_bytes, modified_s=modified_s, whole=whole,
            )  # fmt: skip

    def delete(self, key: str) -> None:
        """Remove the object."""
        self._bucket.delete(self._name(key))

    def _name(self, key: str) -> str:
        name = key.rpartition(":")[2]
        name = name if NAME.fullmatch(name) else sha256_bytes(name.encode())[7:]
        return f"{self._kind}/{name[:2]}/{name}"


def _key(data: bytes) -> str | None:
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        found = json.loads(data)["key"]
        return found if isinstance(found, str) else None
    return None
