"""A release to and from a store that keeps objects by their BLAKE3 digest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lockgate.durable import replace_tree
from lockgate.errors import IntegrityError
from lockgate.records.release import FileEntry, Manifest
from lockgate.release.layout import (
    MANIFEST,
    SUMS,
    file_entry,
    release_path,
    safe_path,
    sums,
    verify,
    verify_file,
)

__all__ = ["pack", "unpack"]


def pack(directory: Path, expected: str) -> tuple[FileEntry, ...]:
    """Verify a release folder and list what a store must take: the manifest first, then every file."""
    manifest = verify(directory, expected)
    return (file_entry(directory, MANIFEST), *manifest.files)


def unpack(manifest: Manifest, fetch: Callable[[str], Path], *, into: Path) -> Path:
    """Bring a release to `into/<sha256 hex>`: fetched by BLAKE3 digest, checked by sha256, visible whole or not at all.

    A folder that is already there is verified and answered. Raises IntegrityError naming the damaged file.
    """
    target = release_path(into, manifest.digest)
    if target.exists():
        verify(target, manifest.digest)
        return target
    into.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".unpack-", dir=into))
    try:
        for entry in manifest.files:
            _fetch_one(draft, entry, fetch)
        (draft / MANIFEST).write_bytes(manifest.encoded())
        (draft / SUMS).write_bytes(sums(manifest))
        draft.chmod(0o755)
        replace_tree(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    verify(target, manifest.digest)
    return target


def _fetch_one(draft: Path, entry: FileEntry, fetch: Callable[[str], Path]) -> None:
    target = draft / safe_path(entry.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(fetch(entry.blake3), target)
    except IntegrityError as error:
        message = f"a file of the release is damaged in the store: {entry.path}"
        raise IntegrityError(
            message, value=error.value, allowed=error.allowed or entry.blake3, next=error.next
        ) from error
    verify_file(target, entry)
