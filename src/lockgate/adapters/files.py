"""Files: one file, a folder or a glob as it is now, and a folder in which files arrive."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.errors import ServiceUnavailable, UsageError
from lockgate.records.listing import NOWHERE, Listing, fixed_part, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ArrivingFiles", "FileSource"]

UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")


class FileSource:
    """Files under a project's root, hidden ones left out.

    A link inside a tree counts as the file it points to; one that leads out of the tree, or nowhere, is refused: what
    it points to may be another thing on the next machine. The path itself may be a link: it was declared.
    """

    def __init__(self, root: Path, path: str) -> None:
        self._root, self._path = root, path

    def files(self) -> Listing:
        """Each file by its name relative to the folder, or to the glob's fixed part."""
        place = self._root / self._path
        if place.is_file():
            return _listing(place.parent, [(place.name, state_of(place.stat()))])
        if place.is_dir():
            return _tree(place)
        fixed = fixed_part(self._path)
        if fixed == self._path:
            return NOWHERE
        top = self._root / fixed
        return _named(top.glob(self._path[len(fixed) :].lstrip("/")), top)


class ArrivingFiles:
    """A folder that somebody else drops files into. A file has arrived when it was left alone for `settle_s` seconds.

    Hidden names, and names that say they are not finished (`.tmp`, `.part` …), never arrive; renaming one does.
    """

    def __init__(self, root: Path, path: str, *, settle_s: float, now_ns: int) -> None:
        self._root, self._path, self._settled_ns = root, path, now_ns - int(settle_s * 1e9)

    def files(self) -> Listing:
        """Those that have arrived."""
        return self._there.only(self._is_settled)

    def waiting(self) -> int:
        """How many are there and have not arrived yet."""
        return len(self._there.names) - len(self.files().names)

    @cached_property
    def _there(self) -> Listing:
        place = self._root / self._path
        found = _tree(place) if place.is_dir() else NOWHERE
        return found.only(lambda name, _: not name.endswith(UNFINISHED))

    def _is_settled(self, _: str, changed_ns: int) -> bool:
        """By modification and by change: a rename or a copy that keeps its times changes the latter."""
        return changed_ns <= self._settled_ns


def _listing(top: Path, found: Iterable[tuple[str, bytes]]) -> Listing:
    """Of names and states."""
    named = sorted(found)
    return Listing(str(top), tuple([n for n, _ in named]), b"".join([s for _, s in named]))


def _tree(top: Path) -> Listing:
    """All files of a folder; 50,000 should take no longer than looking at them."""
    found: list[tuple[str, bytes]] = []
    _look(top, "", found)
    return _listing(top, found)


def _look(top: Path, folder: str, found: list[tuple[str, bytes]]) -> None:
    """Add the files of a folder and those below; hidden ones, and what is neither file nor link, left out."""
    try:
        handle = os.open(top / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError as error:
        raise ServiceUnavailable(
            "a folder of a source cannot be read", value=f"{error.filename}: {error.strerror}",
            next="give yourself the right to read it",
        ) from error  # fmt: skip
    except FileNotFoundError:  # taken away meanwhile
        return
    below: list[str] = []
    try:
        with os.scandir(handle) as entries:  # by its handle: the kernel need not walk the path again for each file
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if entry.is_file(follow_symlinks=False) or _is_inside(top, f"{folder}{name}", entry):
                    try:
                        found.append((folder + name, state_of(entry.stat())))
                    except FileNotFoundError:  # taken away meanwhile
                        continue
                elif entry.is_dir(follow_symlinks=False):
                    below.append(f"{folder}{name}/")
    finally:
        os.close(handle)
    for name in below:
        _look(top, name, found)


def _is_inside(top: Path, name: str, entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and _leads_inside(top / name, name, top)


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


def _named(found: Iterable[Path], top: Path) -> Listing:
    named = ((f.relative_to(top).as_posix(), f) for f in found)
    seen = ((n, f) for n, f in named if not any(part.startswith(".") for part in n.split("/")))
    files = ((n, f) for n, f in seen if (_leads_inside(f, n, top) if f.is_symlink() else f.is_file()))
    return _listing(top, ((n, state_of(f.stat())) for n, f in files))
