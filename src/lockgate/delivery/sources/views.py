"""Views: what steps see of a source, a folder of read-only files that holds exactly one version of it.

Small files come out of packs, and making 50,000 of them takes longer than most steps: so a view is made once, and the view
of another version that no run uses any more is made into the wanted one where only some files differ. What somebody
touched is noticed by the state of each file, and mended.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.sources.versions import recorded_under
from lockgate.durable import write_atomic
from lockgate.errors import IntegrityError
from lockgate.records.digest import digest_bytes
from lockgate.records.listing import state_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from lockgate.delivery.sources.packs import Packed
    from lockgate.delivery.sources.seeing import Seen
    from lockgate.project import Project

__all__ = ["in_use", "show", "view_of"]


def view_of(project: Project, seen: Seen) -> Path:
    """Where the view of a version lies, or will.

    Raises IntegrityError for a name that leaves the folder of views: others may write a shared store's records.
    """
    version = seen.identity.rpartition(":")[2]
    for name in (version, seen.name):
        _check_name(name, seen.name)
    return project.home / "tmp" / "sources" / version / seen.name


@contextlib.contextmanager
def in_use(project: Project, seen: Seen) -> Generator[None]:
    """While this holds, nobody makes the view of this version into that of another one."""
    view = view_of(project, seen)
    view.parent.mkdir(parents=True, exist_ok=True)
    os.utime(view.parent)  # a view that nobody asks for goes after a while
    with _lock(view, fcntl.LOCK_SH):
        yield


def show(project: Project, seen: Seen, packed: Packed) -> None:
    """Make the view, or mend one that is there: another run may use it, so every file in it is whole at any time.

    Raises IntegrityError for a file's name that leaves the view.
    """
    view, files = view_of(project, seen), dict(seen.files)
    for name in files:
        _check_name(name, seen.name)
    small = {n: d for n, d in files.items() if d in packed.members}
    large = {n: d for n, d in files.items() if n not in small}
    if not small:
        _link(project, view, large)
        return
    is_whole = False
    if not view.exists():
        _make(project, view, small, packed)
    elif not (is_whole := _state(view) == _remembered(view)):
        _mend(project, view, small, packed)
        _remove(view, _look(view).keys() - files.keys())
    _link(project, view, large)
    if not is_whole:
        write_atomic(_beside(view, "state"), _state(view).encode(), sync=False)


def _check_name(name: str, source: str) -> None:
    """Others may write a shared store's records: no link is made outside of the view."""
    if name.startswith("/") or {"", ".", ".."} & set(name.split("/")) or "\0" in name:
        raise IntegrityError(
            "a recorded file of a source leaves the source's folder", value=f"{source}: {name!r}",
            allowed="a relative path", next="lockgate store check",
        )  # fmt: skip


# ── Making one ──────────────────────────────────────────────────────────────


def _make(project: Project, view: Path, small: Mapping[str, str], packed: Packed) -> None:
    """In a draft, where nobody looks yet."""
    draft = _draft(project)
    held = _take_over(project, view, draft, small)
    links = {n for n, entry in _entries(draft) if entry.is_symlink()} if held else set[str]()
    kept = {n for n, d in held.items() if small.get(n) == d} - links
    _remove(draft, held.keys() - kept)
    missing = {n: d for n, d in small.items() if n not in kept}
    _make_folders(draft, missing)
    for name, expected in missing.items():
        _create(f"{draft}/{name}", packed.read(expected))
    view.parent.mkdir(parents=True, exist_ok=True)
    try:
        draft.rename(view)
    except OSError:  # somebody else was first
        shutil.rmtree(draft)


def _take_over(project: Project, view: Path, draft: Path, small: Mapping[str, str]) -> dict[str, str]:
    """Rename to `draft` the newest view of another version, when no run uses it, it is whole, and most of it is wanted.

    Answers what lies there now: name → digest.
    """
    with contextlib.suppress(BlockingIOError, FileNotFoundError):  # in use, or taken away meanwhile
        others = [(p.parent.stat().st_mtime_ns, p) for p in view.parent.parent.glob(f"*/{view.name}") if p != view]
        _, other = max(others, default=(0, view))
        record = recorded_under(project, f"blake3:{other.parent.name}") if other != view else None
        held: dict[str, str] = dict(record["files"]) if record else {}
        if 2 * len(held.items() & small.items()) <= len(held):
            return {}
        with _lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if _state(other) == _remembered(other):
                other.rename(draft)
                return held
    return {}


def _create(place: str, data: bytes) -> None:
    """A whole read-only file: 50,000 of them should not take long."""
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        if os.write(handle, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
    finally:
        os.close(handle)


def _make_folders(view: Path, names: Iterable[str]) -> None:
    for folder in {f"{view}/{name}".rpartition("/")[0] for name in names}:
        os.makedirs(folder, exist_ok=True)


def _remove(view: Path, names: Iterable[str]) -> None:
    """Files, and the folders that are empty without them: a folder that has none is not in a source."""
    folders: set[Path] = set()
    for name in names:
        (view / name).unlink(missing_ok=True)
        folders.update(p for p in (view / name).parents if p.is_relative_to(view) and p != view)
    for folder in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()


# ── Keeping one whole ───────────────────────────────────────────────────────


def _mend(project: Project, view: Path, small: Mapping[str, str], packed: Packed) -> None:
    """One that is there with its bytes stays; readers never see a part of one."""
    _make_folders(view, small)
    for name, expected in small.items():
        place, data = view / name, packed.read(expected)
        with contextlib.suppress(FileNotFoundError):
            if not place.is_symlink() and place.read_bytes() == data:
                continue
        draft = _draft(project)
        _create(str(draft), data)
        draft.replace(place)


def _link(project: Project, view: Path, large: Mapping[str, str]) -> None:
    """Point links to objects, each whole at any time."""
    view.mkdir(parents=True, exist_ok=True)
    _make_folders(view, large)
    for name, digest in large.items():
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
