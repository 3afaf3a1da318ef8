"""The tag that S3 gives to what was sent to it: which bytes a bucket has, without reading them.

Of a small object the MD5 of its bytes; of one that came in parts the MD5 of the parts' MD5s and their number (Amazon S3 user guide,
"Checking object integrity"). Under encryption with a key of KMS, and in some other stores, it is something else: then no tag is equal. To find
other bytes with the tag of a given file is beyond reach, also for MD5; who can choose both may make a pair, and a reader refuses it by its digest.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["tag_of"]


def tag_of(path: Path, part_bytes: int) -> str:
    """With the quotes that belong to it. `part_bytes`: a file that is larger goes in parts of this size; one is in memory at a time."""
    with path.open("rb") as file:
        parts = [_md5(part) for part in iter(lambda: file.read(part_bytes), b"")]
    if len(parts) > 1:
        return f'"{_md5(b"".join(parts)).hex()}-{len(parts)}"'
    return f'"{(parts[0] if parts else _md5(b"")).hex()}"'


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
