"""A project whose store lies in a bucket: its objects and records by name, to damage them and to put them back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lockgate.adapters.s3.bucket import Bucket
from lockgate.adapters.bucket.results import BucketResults

from journeys.walking import Lockgate, copy


@dataclass(frozen=True)
class Far:
    """One working copy, and the bucket that it shares with others."""

    lockgate: Lockgate
    url: str

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.url)

    @property
    def names(self) -> set[str]:
        return {name for name, _, _ in self.bucket.list("")}

    @property
    def objects(self) -> set[str]:
        return {f"blake3:{n.rpartition('/')[2]}" for n in self.names if n.startswith("objects/")}

    def read(self, name: str) -> bytes:
        found = self.bucket.read(name)
        assert found is not None, name
        return found[0]

    def record(self, kind: str, key: str) -> dict[str, Any]:
        found = BucketResults(self.bucket, kind).get(key)
        assert found is not None, key
        return dict(found)

    def elsewhere(self, root: Path) -> Far:
        """The same project on a machine that has no copy of any object."""
        there = copy(self.lockgate, root)
        shutil.rmtree(there.root / ".lockgate" / "objects")
        return Far(there, self.url)

    @contextmanager
    def kept(self) -> Iterator[dict[str, bytes]]:
        """Everything in the bucket as it was before, afterwards."""
        before = {name: self.read(name) for name in self.names}
        try:
            yield before
        finally:
            for name in self.names - set(before):
                self.bucket.delete(name)
            for name, data in before.items():
                self.bucket.write(name, data)


def name_of(digest: str) -> str:
    """Where an object lies."""
    found = digest.rpartition(":")[2]
    return f"objects/{found[:2]}/{found}"


def share(lockgate: Lockgate, url: str) -> Lockgate:
    """Say in the settings that the store lies there."""
    with (lockgate.root / "lockgate.toml").open("a") as settings:
        settings.write(f'\n[store]\nurl = "{url}"\nlease_s = 3\n')
    return lockgate


def flipped(data: bytes) -> bytes:
    """One bit is another."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@contextmanager
def counted() -> Iterator[list[tuple[str, Any]]]:
    """Every request that this process makes of a bucket: what, and of which names."""
    import obstore

    made: list[tuple[str, Any]] = []

    def watched(name: str) -> Any:
        original = getattr(obstore, name)

        def call(client: Any, *arguments: Any, **named: Any) -> Any:
            made.append((name, arguments[0] if arguments else named.get("prefix")))
            return original(client, *arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("get", "get_range", "head", "list", "put", "delete"):
            patch.setattr(obstore, name, watched(name))
        yield made
