"""Files: one file, a folder or a glob as it is now, and a folder in which files arrive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.errors import ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["ArrivingFiles", "FileSource"]

UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")


class FileSource:
    """Files under a project's root, hidden ones left out.

    A link inside a tree counts as the file it points to; one that leads out of the tree, or nowhere, is refused: what
    it points to may be another thing on the next machine. The path itself may be a link: it was declared.
    """

    def __init__(self, root: Path, path: str) -> None:
        self._root, self._path = root, path

    def files(self) -> Sequence[tuple[str, Path]]:
        """Name (relative to the folder, or to the glob's fixed part) and place of each file, sorted by name."""
        place = self._root / self._path
        if place.is_file():
            return [(place.name, place)]
        if place.is_dir():
            return _tree(place)
        parts = Path(self._path).parts
        fixed = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
        if fixed == len(parts):
            return []
        return _named(
            self._root.joinpath(*parts[:fixed]).glob(str(Path(*parts[fixed:]))), self._root.joinpath(*parts[:fixed])
        )


class ArrivingFiles:
    """A folder that somebody else drops files into. A file has arrived when it was left alone for `settle_s` seconds.

    Hidden names, and names that say they are not finished (`.tmp`, `.part` …), never arrive; renaming one does.
    """

    def __init__(self, root: Path, path: str, *, settle_s: float, now_ns: int) -> None:
        self._root, self._path, self._settled_ns = root, path, now_ns - int(settle_s * 1e9)

    def files(self) -> Sequence[tuple[str, Path]]:
        """Those that have arrived."""
        return [(n, p) for n, p in self._there() if self._is_settled(p)]

    def waiting(self) -> int:
        """How many are there and have not arrived yet."""
        return sum(not self._is_settled(p) for _, p in self._there())

    def _there(self) -> list[tuple[str, Path]]:
        place = self._root / self._path
        found = _tree(place) if place.is_dir() else []
        return [(n, p) for n, p in found if not n.endswith(UNFINISHED)]

    def _is_settled(self, path: Path) -> bool:
        """By modification and by change: a rename or a copy that keeps its times changes the latter."""
        try:
            state = path.stat()
        except FileNotFoundError:  # taken away meanwhile
            return False
        return max(state.st_mtime_ns, state.st_ctime_ns) <= self._settled_ns


def _tree(top: Path) -> list[tuple[str, Path]]:
    """All files of a folder, sorted by name; 50,000 should take no longer than looking at them."""
    return [
        (name, file) for name, file, is_link in sorted(_below(top, "")) if not is_link or _leads_inside(file, name, top)
    ]


def _below(top: Path, folder: str) -> Iterator[tuple[str, Path, bool]]:
    """(name, place, whether it is a link); hidden ones, and what is neither file nor link, left out."""
    try:
        with os.scandir(top / folder) as entries:
            found = [e for e in entries if not e.name.startswith(".")]
    except PermissionError as error:
        raise ServiceUnavailable(
            "a folder of a source cannot be read", value=f"{error.filename}: {error.strerror}",
            next="give yourself the right to read it",
        ) from error  # fmt: skip
    except FileNotFoundError:  # taken away meanwhile
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(top, f"{folder}{entry.name}/")
        elif (is_link := entry.is_symlink()) or entry.is_file():
            yield f"{folder}{entry.name}", Path(entry.path), is_link


def _leads_inside(link: Path, name: str, top: Path) -> bool:
    """Whether a link is a file of its tree; one that leads out of it, or nowhere, is an error."""
    if not (link.exists() and os.path.realpath(link).startswith(f"{os.path.realpath(top)}{os.sep}")):
        raise UsageError(
            "a link in a source leads out of its tree, or nowhere",
            value=f"{name} -> {os.readlink(link)}",
            allowed=f"links to files below {top}",
            next="put the file itself there, or declare a source of its own",
        )
    return link.is_file()


def _named(found: Iterable[Path], top: Path) -> list[tuple[str, Path]]:
    named = sorted((f.relative_to(top).as_posix(), f) for f in found)
    seen = [(n, f) for n, f in named if not any(part.startswith(".") for part in n.split("/"))]
    return [(n, f) for n, f in seen if (_leads_inside(f, n, top) if f.is_symlink() else f.is_file())]
