"""Files as they are: a step that returns `Path` or `bytes`."""

from __future__ import annotations

import shutil
from pathlib import Path

from lockgate.errors import StepFailed
from lockgate.records.digest import digest_bytes, digest_file

__all__ = ["identity", "load", "save"]


def save(value: object, path: Path) -> None:
    """Copy the file, or write the bytes."""
    if isinstance(value, bytes):
        path.write_bytes(value)
        return
    source = Path(str(value))
    if not source.is_file():
        raise StepFailed("a step returned a path that is not a file", value=str(source), allowed="one regular file")
    shutil.copyfile(source, path)


def load(path: Path, kind: type) -> object:
    """The path itself (`codecs.load` answers `Path` and `bytes` consumers before it comes here)."""
    return path


def identity(value: object) -> str:
    """Digest the bytes."""
    return digest_bytes(value) if isinstance(value, bytes) else digest_file(Path(str(value)))
