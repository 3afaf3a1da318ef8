"""Many files that must last, written with as few waits for the disk as their number allows.

Each is as whole, and in the end as durable, as one that `durable.write_atomic` wrote.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.durable import make_folders, sync_directory, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["sync_filesystem", "write_together"]

MANY: Final = 16  # files from which on one wait for the whole file system costs less than one for each
LASTING: Final = frozenset({0xEF53, 0x58465342, 0x9123683E})  # ext2 to ext4, XFS, Btrfs: magic numbers of statfs(2)
STATFS_BYTES: Final = 256  # more than any machine's struct statfs
WORD_BYTES: Final = 8


def write_together(*groups: tuple[int, Mapping[str, bytes]]) -> None:
    """Write many whole files, and wait for the disk as seldom as their number allows.

    A file of a group appears when all files of the groups before it are there for good. Every file is there for good in the end.

    Args:
        groups: the mode of the files, and path → content.
    """
    written = [[_Written(path, data, mode) for path, data in files.items()] for mode, files in groups if files]
    everything = [file for group in written for file in group]
    many = len(everything) >= MANY
    try:
        make_folders(Path(folder) for folder in {file.folder for file in everything})
        for file in everything:
            file.write(alone=not many)
        at_once = many and len({file.device for file in everything}) == 1
        if not (at_once and sync_filesystem(everything[0].temporary)):
            for file in everything:
                file.wait()
        for group in written:
            for file in group:
                file.show()
            if not (at_once and sync_filesystem(group[0].path)):
                for folder in {file.folder for file in group}:
                    sync_directory(Path(folder))
    except BaseException:
        for file in everything:
            file.drop()
        raise


def sync_filesystem(path: str) -> bool:
    """Wait until everything on a file's file system is on disk, by one call for many files. False: do it file by file.

    Of a file system that is not known to keep this promise for data, names and the disk's own cache (over a network, in user space), it is not asked.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        status = ctypes.create_string_buffer(STATFS_BYTES)
        if libc.fstatfs(descriptor, status) or int.from_bytes(status.raw[:WORD_BYTES], sys.byteorder) not in LASTING:
            return False
        if libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)
    return True


class _Written:
    """One file on its way. `device`: of the file system that it was written to."""

    def __init__(self, path: str, data: bytes, mode: int) -> None:
        self.path, self._data, self._mode = path, data, mode
        self.folder, name = os.path.split(path)
        self.temporary = f"{self.folder}/.{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
        self._descriptor, self.device = -1, 0

    def write(self, *, alone: bool) -> None:
        """Write it. `alone`: it will be waited for by itself, so let the disk begin; nobody waits yet."""
        self._descriptor = os.open(self.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._mode)
        if not self._mode & 0o200:
            os.fchmod(self._descriptor, self._mode)  # for all to read and nobody to change, whatever the umask
        write_whole(self._descriptor, self._data)
        self.device = os.fstat(self._descriptor).st_dev
        if alone and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def wait(self) -> None:
        """Until the bytes are on disk."""
        os.fsync(self._descriptor)
        self._close()

    def show(self) -> None:
        """Give it its name."""
        self._close()
        os.replace(self.temporary, self.path)

    def drop(self) -> None:
        """Nothing stays that has no final name."""
        self._close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.temporary)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
