"""The evidence page a server shows: read once, and only if it is the page that was signed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lockgate.errors import IntegrityError
from lockgate.records.digest import sha256_bytes

__all__ = ["LARGEST_PAGE_BYTES", "read_evidence"]

LARGEST_PAGE_BYTES = 64 << 20

# A link is not followed, and a named pipe is not waited for: whoever writes the store chooses what lies there.
OPENED = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_evidence(path: Path, sha256: str) -> bytes:
    """The bytes of the page. IntegrityError when they cannot be read, are too many, or have another sha256."""
    try:
        descriptor = os.open(path, OPENED)
        with open(descriptor, "rb") as file:
            there = os.fstat(descriptor)
            if not stat.S_ISREG(there.st_mode):
                raise _not_signed("not a plain file", sha256)
            page = file.read(LARGEST_PAGE_BYTES + 1) if there.st_size <= LARGEST_PAGE_BYTES else None
    except OSError as error:
        raise _not_signed(error.strerror or type(error).__name__, sha256) from error
    if page is None or len(page) > LARGEST_PAGE_BYTES:
        raise _not_signed(f"more than {LARGEST_PAGE_BYTES} bytes", sha256)
    if (actual := sha256_bytes(page)) != sha256:
        raise _not_signed(actual, sha256)
    return page


def _not_signed(value: str, allowed: str) -> IntegrityError:
    what = "the evidence page in the store is not the one that was signed"
    return IntegrityError(what, value=value, allowed=allowed, next="lockgate ledger verify")
