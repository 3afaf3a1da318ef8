"""Tagged digests: what a thing *is* decides its digest before what it holds.

`digest("step", x)` can never equal `digest("table", x)`, so a fingerprint is never mistaken for data.
BLAKE3 for everything inside the house (three times as fast as hardware sha256), sha256 for what
leaves it. BLAKE3 is the one third-party import of this package: a hash is part of the alphabet.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "Json",
    "canonical",
    "digest",
    "digest_bytes",
    "digest_canonical",
    "digest_file",
    "digest_parts",
    "sha256_bytes",
    "sha256_file",
    "short",
    "verified",
]

Json: TypeAlias = Any  # a JSON value: None, bool, int, float, str, list, dict with str keys

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
"""Made once: `json.dumps` makes an encoder per call."""


def canonical(value: Json) -> bytes:
    """Encode a JSON value so that equal values are equal bytes: sorted keys, no spaces, UTF-8, no NaN.

    >>> canonical({"b": 1, "a": [True, None, "é"]})
    b'{"a":[true,null,"\\xc3\\xa9"],"b":1}'
    """
    return _encode(value).encode()


def digest(tag: str, value: Json) -> str:
    """Digest a JSON value under a tag.

    >>> digest("step", {}) == digest("table", {})
    False
    """
    return "blake3:" + blake3(canonical([tag, value])).hexdigest()


def digest_canonical(tag: str, text: bytes) -> str:
    """Digest a JSON value under a tag, of which there is the canonical text already.

    >>> digest_canonical("step", canonical({"a": 1})) == digest("step", {"a": 1})
    True
    """
    return "blake3:" + blake3(b"[%s,%s]" % (canonical(tag), text)).hexdigest()


def digest_bytes(data: bytes) -> str:
    """Digest raw bytes (an object in the store)."""
    return "blake3:" + blake3(data).hexdigest()


def digest_file(path: Path | str) -> str:
    """Digest a file's bytes without reading it into memory."""
    hasher = blake3()
    hasher.update_mmap(path)
    return "blake3:" + hasher.hexdigest()


def digest_parts(parts: Iterable[bytes]) -> str:
    """Digest raw bytes that come one part after the other.

    >>> digest_parts([b"a", b"b"]) == digest_bytes(b"ab")
    True
    """
    hasher = blake3()
    for part in parts:
        hasher.update(part)
    return "blake3:" + hasher.hexdigest()


def verified(parts: Iterable[bytes], digest: str) -> Iterator[bytes]:
    """The parts as they are. Raises ValueError behind the last one when they have another digest: its text is that one."""
    hasher = blake3()
    for part in parts:
        hasher.update(part)
        yield part
    found = "blake3:" + hasher.hexdigest()
    if found != digest:
        raise ValueError(found)


def sha256_bytes(data: bytes) -> str:
    """Digest for the outside world: `sha256:<hex>`."""
    import hashlib

    return "sha256:" + hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """`sha256:<hex>` of a file's bytes."""
    import hashlib

    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def short(digest: str) -> str:
    """The twelve hex digits that people read.

    >>> short("sha256:0123456789abcdef")
    '0123456789ab'
    """
    return digest.rpartition(":")[2][:12]
