"""Leases in a bucket, by conditional writes: `If-None-Match: *` to take one, `If-Match` to renew it or take it over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockgate.adapters.s3.bucket import Bucket, Changed
from lockgate.errors import IntegrityError, ServiceUnavailable
from lockgate.records.digest import canonical
from lockgate.records.held import Lease
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["S3Leases"]


class S3Leases:
    """One small object per lease under `leases/`."""

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url)

    def take(self, name: str, lease: Lease, *, over: Lease | None = None) -> bool:
        """One conditional write, after a read when it is taken over."""
        return self._replace(name, lease, before=over)

    def renew(self, name: str, lease: Lease, *, before: Lease) -> bool:
        """Write the next beat."""
        return self._replace(name, lease, before=before)

    def drop(self, name: str, lease: Lease) -> None:
        """Remove it if it is ours. Should somebody take it between the two requests, both do the work: no harm."""
        holder = self.holder(name)
        if holder is not None and holder.owner == lease.owner:
            self._bucket.delete(_object(name))

    def holder(self, name: str) -> Lease | None:
        """Read it; absent and damaged are the same."""
        found = self._bucket.read(_object(name))
        return _decoded(found[0]) if found else None

    def names(self) -> Iterator[str]:
        """One request for a thousand."""
        for name, _, _ in self._bucket.list("leases"):
            yield name.rpartition("/")[2].replace("=", ":")

    def _replace(self, name: str, lease: Lease, *, before: Lease | None) -> bool:
        found = self._bucket.read(_object(name)) if before else None
        if before is not None and (found is None or _decoded(found[0]) != before):
            return False
        data = canonical(to_json(lease))
        try:
            self._bucket.write(_object(name), data, new=found is None, tag=found[1] if found else None)
        except Changed:
            return self._is_ours(name, lease) or (before is None and self._over_rubbish(name, data))
        except ServiceUnavailable:
            if not self._is_ours(name, lease):
                raise
        return True

    def _over_rubbish(self, name: str, data: bytes) -> bool:
        """A lease that nobody can read must not lock everybody out."""
        found = self._bucket.read(_object(name))
        if found is None or _decoded(found[0]) is not None:
            return False
        try:
            self._bucket.write(_object(name), data, tag=found[1])
        except Changed:
            return False
        return True

    def _is_ours(self, name: str, lease: Lease) -> bool:
        """A request whose answer was lost may have taken effect; sent again it meets what it wrote itself."""
        return self.holder(name) == lease


def _decoded(data: bytes) -> Lease | None:
    try:
        return from_json(Lease, json.loads(data))
    except (ValueError, IntegrityError):
        return None


def _object(name: str) -> str:
    return f"leases/{name.replace(':', '=')}"
