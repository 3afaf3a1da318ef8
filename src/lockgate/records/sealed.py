"""A small record as its file: the digest of the content in front, so that a damaged file does not open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockgate.records.digest import canonical, digest, digest_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.records.digest import Json

__all__ = ["opened", "sealed"]

TAG = "result"
_TAG = canonical(TAG)


def sealed(key: str, record: Mapping[str, Json]) -> bytes:
    """The file of a record under a key."""
    return _around(canonical(key), canonical(record))


def opened(file: bytes, key: str) -> Mapping[str, Json] | None:
    """The record in a file; None when the file is torn, damaged or sealed under another key.

    The digest is taken of the bytes as they lie here: to encode what was decoded costs more than all the rest.
    """
    record = file.partition(b',"record":')[2][:-1]
    try:
        found = json.loads(record.decode()) if _around(canonical(key), record) == file else _opened_otherwise(file, key)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None  # others may write a shared store's records


def _opened_otherwise(file: bytes, key: str) -> Json:
    """The record in a file of another layout: older ones do not say their key."""
    held = json.loads(file)
    return held["record"] if digest(TAG, [key, held["record"]]) == held["digest"] else None


def _around(key: bytes, record: bytes) -> bytes:
    """The canonical JSON of digest, key and record. The digest is that of (key, record) under the tag, from their bytes."""
    seal = digest_bytes(b"[%b,[%b,%b]]" % (_TAG, key, record))
    return b'{"digest":"%b","key":%b,"record":%b}' % (seal.encode(), key, record)
