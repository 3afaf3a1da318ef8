"""The file source: one file, a folder, or a glob."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FileSource"]


class FileSource:
    """Files under a project's root, hidden ones left out; symlinks are followed (what is read is what counts)."""

    def __init__(self, root: Path, path: str) -> None:
        self._root, self._path = root, path

    def files(self) -> Sequence[tuple[str, Path]]:
        """Name (relative to the folder, or to the glob's fixed part) and place of each file, sorted by name."""
        place = self._root / self._path
        if place.is_file():
            return [(place.name, place)]
        if place.is_dir():
            return _named(place.rglob("*"), place)
        parts = Path(self._path).parts
        fixed = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
        if fixed == len(parts):
            return []
        return _named(
            self._root.joinpath(*parts[:fixed]).glob(str(Path(*parts[fixed:]))), self._root.joinpath(*parts[:fixed])
        )


def _named(found: Iterable[Path], top: Path) -> list[tuple[str, Path]]:
    named = [(f.relative_to(top).as_posix(), f) for f in found if f.is_file()]
    return sorted((n, f) for n, f in named if not any(part.startswith(".") for part in n.split("/")))
