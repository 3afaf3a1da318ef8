"""A zip whose bytes depend on its content alone: sorted names, one time, no compression.

Compressed bytes differ between builds of zlib; stored ones do not, so two people who bundle the same hold the same file.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.records.digest import sha256_bytes, sha256_file

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SUMS", "with_sums", "write_zip"]

SUMS: Final = "SHA256SUMS"
LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that the format knows."""
UNIX: Final = 3


def with_sums(files: Mapping[str, bytes | Path]) -> dict[str, bytes | Path]:
    """The files, and SHA256SUMS over all of them, for `sha256sum -c`."""
    listed = {path: sha256_bytes(f) if isinstance(f, bytes) else sha256_file(f) for path, f in files.items()}
    text = "".join(f"{d.removeprefix('sha256:')}  {path}\n" for path, d in sorted(listed.items()))
    return {**files, SUMS: text.encode()}


def write_zip(target: Path, files: Mapping[str, bytes | Path]) -> None:
    """Write name → bytes, or a file that holds them, to `target`: whole or not at all."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
            for path, content in sorted(files.items()):
                _add(archive, path, content)
        os.replace(draft, target)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _add(archive: zipfile.ZipFile, path: str, content: bytes | Path) -> None:
    entry = zipfile.ZipInfo(path, LONG_AGO)
    entry.create_system, entry.external_attr = UNIX, 0o644 << 16
    if isinstance(content, bytes):
        archive.writestr(entry, content)
        return
    entry.file_size = content.stat().st_size  # large ones get the longer headers
    with content.open("rb") as source, archive.open(entry, "w") as sink:
        shutil.copyfileobj(source, sink)
