"""The file source: one file, a folder, or a glob."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FileSource"]


class FileSource:
    """Files under a project's root, hidden ones left out; symlinks are followed (what is read is what counts)."""

    def __init__(self, root: Path, path: str) -> None:
        self._root, self._path = root, path

    def files(self) -> Sequence[tuple[str, Path]]:
        """Name (relative to the folder) and place of each file, sorted by name."""
        place = self._root / self._path
        if place.is_file():
            return [(place.name, place)]
        if place.is_dir():
            found = [f for f in place.rglob("*") if f.is_file() and not f.name.startswith(".")]
            return sorted((f.relative_to(place).as_posix(), f) for f in found)
        if any(c in self._path for c in "*?["):
            return sorted((f.relative_to(self._root).as_posix(), f) for f in self._root.glob(self._path) if f.is_file())
        return []
