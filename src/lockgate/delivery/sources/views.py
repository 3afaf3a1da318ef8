"""Views: what steps see of a source, a folder of read-only files that holds exactly one version of it.

Objects are linked to. Files that are none, small ones in packs and large ones in pieces, are taken out; making 50,000 takes
longer than most steps: so a view is made once, and the view of another version that no run uses any more is made into the
wanted one where only some files differ. What somebody touched is noticed by the state of each file, and mended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.sources.folders import check_name, make_folders, remove_files
from lockgate.delivery.sources.versions import version_under
from lockgate.durable import write_atomic
from lockgate.records.digest import digest_bytes, digest_file
from lockgate.records.listing import state_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from lockgate.delivery.sources.kept import Kept
    from lockgate.delivery.sources.seeing import Seen
    from lockgate.project import Project

__all__ = ["in_use", "show", "view_of"]


def view_of(project: Project, seen: Seen) -> Path:
    """Where the view of a version lies, or will.

    Raises IntegrityError for a name that leaves the folder of views: others may write a shared store's records.
    """
    version = seen.identity.rpartition(":")[2]
    for name in (version, seen.name):
        check_name(name, seen.name)
    return project.home / "tmp" / "sources" / version / seen.name


@contextlib.contextmanager
def in_use(project: Project, seen: Seen) -> Generator[None]:
    """While this holds, nobody makes the view of this version into that of another one."""
    view = view_of(project, seen)
    view.parent.mkdir(parents=True, exist_ok=True)
    os.utime(view.parent)  # a view that nobody asks for goes after a while
    with _lock(view, fcntl.LOCK_SH):
        yield


def show(project: Project, seen: Seen, kept: Kept) -> None:
    """Make the view, or mend one that is there: another run may use it, so every file in it is whole at any time.

    Raises IntegrityError for a file's name that leaves the view.
    """
    view, files = view_of(project, seen), dict(seen.files)
    for name in files:
        check_name(name, seen.name)
    taken_out = {n: d for n, d in files.items() if d in kept}
    linked = {n: d for n, d in files.items() if n not in taken_out}
    if not taken_out:
        _link(project, view, linked)
        return
    is_whole = False
    if not view.exists():
        _make(project, view, taken_out, kept)
    elif not (is_whole := _state(view) == _remembered(view)):
        _mend(project, view, taken_out, kept)
        remove_files(view, _look(view).keys() - files.keys())
    _link(project, view, linked)
    if not is_whole:
        write_atomic(_beside(view, "state"), _state(view).encode(), sync=False)


# ── Making one ──────────────────────────────────────────────────────────────


def _make(project: Project, view: Path, wanted: Mapping[str, str], kept: Kept) -> None:
    """In a draft, where nobody looks yet."""
    draft = _draft(project)
    held = _take_over(project, view, draft, wanted)
    links = {n for n, entry in _entries(draft) if entry.is_symlink()} if held else set[str]()
    stay = {n for n, d in held.items() if wanted.get(n) == d} - links
    remove_files(draft, held.keys() - stay)
    missing = {n: d for n, d in wanted.items() if n not in stay}
    make_folders(draft, missing)
    for name, expected in missing.items():
        kept.write(expected, f"{draft}/{name}")
    view.parent.mkdir(parents=True, exist_ok=True)
    try:
        draft.rename(view)
    except OSError:  # somebody else was first
        shutil.rmtree(draft)


def _take_over(project: Project, view: Path, draft: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Rename to `draft` the newest view of another version, when no run uses it, it is whole, and most of it is wanted.

    Answers what lies there now: name → digest.
    """
    with contextlib.suppress(BlockingIOError, FileNotFoundError):  # in use, or taken away meanwhile
        others = [(p.parent.stat().st_mtime_ns, p) for p in view.parent.parent.glob(f"*/{view.name}") if p != view]
        _, other = max(others, default=(0, view))
        version = version_under(project, f"blake3:{other.parent.name}") if other != view else None
        held = version.by_name if version else {}
        if 2 * len(held.items() & wanted.items()) <= len(held):
            return {}
        with _lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if _state(other) == _remembered(other):
                other.rename(draft)
                return held
    return {}


# ── Keeping one whole ───────────────────────────────────────────────────────


def _mend(project: Project, view: Path, wanted: Mapping[str, str], kept: Kept) -> None:
    """One that is there with its bytes stays; readers never see a part of one."""
    make_folders(view, wanted)
    for name, expected in wanted.items():
        place = view / name
        with contextlib.suppress(FileNotFoundError):
            if not place.is_symlink() and digest_file(place) == expected:
                continue
        draft = _draft(project)
        kept.write(expected, str(draft))
        draft.replace(place)


def _link(project: Project, view: Path, linked: Mapping[str, str]) -> None:
    """Point links to objects, each whole at any time."""
    view.mkdir(parents=True, exist_ok=True)
    make_folders(view, linked)
    for name, digest in linked.items():
        link, target = view / name, str(project.store.get(digest))
        if not link.is_symlink() or os.readlink(link) != target:
            draft = _draft(project)
            draft.symlink_to(target)
            draft.replace(link)


def _draft(project: Project) -> Path:
    return project.home / "tmp" / f"{os.getpid()}-view-{os.urandom(4).hex()}"


# ── What it looked like ─────────────────────────────────────────────────────


def _beside(view: Path, what: str) -> Path:
    return view.with_name(f".{view.name}.{what}")


def _remembered(view: Path) -> str | None:
    with contextlib.suppress(OSError):
        return _beside(view, "state").read_text()
    return None


def _state(view: Path) -> str:
    """Changes when somebody writes to a file, or puts in or takes out one."""
    return digest_bytes(b"".join(os.fsencode(n) + b"\0" + s for n, s in sorted(_look(view).items())))


def _look(view: Path) -> dict[str, bytes]:
    return {name: state_of(entry.stat(follow_symlinks=False)) for name, entry in _entries(view)}


def _entries(view: Path, below: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Each file and link, hidden ones as well; an entry can be asked while it is the last that was answered."""
    handle = os.open(f"{view}/{below}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(view, f"{below}{entry.name}/")
                else:
                    yield below + entry.name, entry
    finally:
        os.close(handle)


@contextlib.contextmanager
def _lock(view: Path, how: int) -> Generator[None]:
    """The kernel drops it when the process dies."""
    handle = os.open(_beside(view, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)
