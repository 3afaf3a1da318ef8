"""Files below a folder by names that others may have written: make room for them, and take them out."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from lockgate.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["check_name", "make_folders", "remove_files"]


def check_name(name: str, source: str) -> None:
    """Others may write a shared store's records: no file is made outside of the folder. Raises IntegrityError."""
    if name.startswith("/") or {"", ".", ".."} & set(name.split("/")) or "\0" in name:
        raise IntegrityError(
            "a recorded file of a source leaves the source's folder", value=f"{source}: {name!r}",
            allowed="a relative path", next="lockgate store check",
        )  # fmt: skip


def make_folders(top: Path, names: Iterable[str]) -> None:
    """The folders that files of these names need."""
    for folder in {f"{top}/{name}".rpartition("/")[0] for name in names}:
        os.makedirs(folder, exist_ok=True)


def remove_files(top: Path, names: Iterable[str]) -> None:
    """Files, and the folders that are empty without them: a folder that has none is not in a source."""
    folders: set[Path] = set()
    for name in names:
        (top / name).unlink(missing_ok=True)
        folders.update(p for p in (top / name).parents if p.is_relative_to(top) and p != top)
    for folder in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()
