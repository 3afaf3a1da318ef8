"""Writing so that a kill at any instruction leaves either the old file or the new one, whole.

Every write of the product that must last goes through these functions, by `os.write`, `os.fsync`,
`os.replace` and `os.unlink` only: `lockgate.testing.kill` stops a process before each of them in turn.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

__all__ = [
    "append_line",
    "in_store",
    "locked",
    "make_folder",
    "make_folders",
    "replace_tree",
    "sweep",
    "sync_directory",
    "sync_file",
    "write_atomic",
    "write_whole",
]

LOCK_MODE: Final = 0o660  # a team that shares a folder by its group shares the locks in it
LOCK_SECONDS: Final = 30.0
LOCK_POLL_SECONDS: Final = 0.005

_MADE: Final[set[Path]] = set()  # folders whose names this process has waited for; one wait each is enough


def make_folder(path: Path) -> None:
    """Make a folder and those above it, and wait until their names are on disk.

    Each name is waited for before the next one is made, so a folder that exists can only lack its own wait, by
    somebody who is making it right now: that one is waited for too.
    """
    path = path.absolute()
    there = path.is_dir()
    if there and path in _MADE:
        return
    if not there:
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
    try:
        sync_directory(path.parent)
    except PermissionError:  # above what is ours: whoever made this folder waited for it
        if not there:
            raise
    _MADE.add(path)


def make_folders(paths: Iterable[Path]) -> None:
    """`make_folder` for many: one wait for each folder that they lie in."""
    new = [p for p in {p.absolute() for p in paths} if p not in _MADE or not p.is_dir()]
    missing = {p for p in new if not p.is_dir()}
    for path in {p.parent for p in missing}:
        make_folder(path)
    for path in missing:
        path.mkdir(exist_ok=True)
    for above in {p.parent for p in new}:
        try:
            sync_directory(above)
        except PermissionError:
            if any(p.parent == above for p in missing):
                raise
    _MADE.update(new)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644, sync: bool = True) -> None:
    """Write a whole file: temporary name beside it, fsync, rename, fsync of the directory."""
    if sync:
        make_folder(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        try:
            write_whole(descriptor, data)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if sync:
        sync_directory(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Append one line and wait until it is on disk. The caller holds the lock and has cut any torn tail."""
    created = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        write_whole(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if created:
        sync_directory(path.parent)


def replace_tree(temporary: Path, target: Path) -> None:
    """Give a finished folder its final name; an equal one that is already there wins."""
    for folder, _, files in os.walk(temporary):
        for name in files:
            sync_file(Path(folder) / name)
        sync_directory(Path(folder))
    make_folder(target.parent)
    try:
        os.replace(temporary, target)
    except OSError:
        if not target.is_dir():
            raise
        import shutil

        shutil.rmtree(temporary, ignore_errors=True)
    sync_directory(target.parent)


@contextlib.contextmanager
def in_store(folder: Path) -> Generator[None]:
    """A full disk or a missing permission is nobody's mistake in a pipeline: say where, and let a retry help."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ServiceUnavailable(
            "the store's folder does not answer", value=f"{folder}: {reason}", next="check disk and permissions"
        ) from error


def sweep(folder: Path, pattern: str, *, before_s: float) -> None:
    """Remove what killed processes left half done: names that match and were last touched before a time (POSIX seconds)."""
    import shutil

    for left in folder.glob(pattern):
        with contextlib.suppress(OSError):  # somebody else sweeps, too, or it is not ours to remove
            if left.stat().st_mtime < before_s:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def sync_file(path: Path) -> None:
    """Wait until a file's bytes are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Wait until a folder's names are on disk."""
    sync_file(path)


@contextlib.contextmanager
def locked(path: Path, *, wait_s: float = LOCK_SECONDS) -> Generator[None]:
    """Hold an advisory lock on a file for the length of the block; the kernel drops it when the process dies.

    Raises ServiceUnavailable when another process holds it for longer than `wait_s`. What lasts is written in
    milliseconds, so after half a minute that process is stopped or stuck.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, LOCK_MODE)
    try:
        with contextlib.suppress(PermissionError):  # another user made it
            os.fchmod(descriptor, LOCK_MODE)
        _wait_for(descriptor, path, wait_s)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise ServiceUnavailable(
                    "another process holds a lock",
                    value=f"{path}, for more than {wait_s:g} s",
                    next=f"fuser -v {path}",
                ) from error
            time.sleep(LOCK_POLL_SECONDS)
        else:
            return


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it: the kernel may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
