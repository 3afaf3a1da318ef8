"""Leases in the folder of a local store."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.durable import in_store, locked, write_atomic
from lockgate.errors import IntegrityError
from lockgate.records.digest import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.records.held import Lease

__all__ = ["LocalLeases"]

WRITTEN_S = 1.0
"""A lease is written right after its file was made; one that is empty for longer was left by a power cut or a kill."""


class LocalLeases:
    """One small file per lease under `leases/`; a lock of the kernel makes taking one step. Lost in a power cut."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "leases"
        self._lock, self._top = self._folder / ".lock", str(self._folder)
        self._files: dict[str, tuple[Lease, int]] = {}  # what we made: its lease, and the file's number
        self._newest = ""

    def take(self, name: str, lease: Lease, *, over: Lease | None = None) -> bool:
        """Take it if its holder is still the one that the asker saw, or nobody."""
        if over is not None:
            return self._replace(name, lease, before=over)
        with in_store(self._folder):
            return self._made(name, lease) or (self._is_damaged(name) and self._replace(name, lease, before=None))

    def renew(self, name: str, lease: Lease, *, before: Lease) -> bool:
        """Write the next beat."""
        return self._replace(name, lease, before=before)

    def drop(self, name: str, lease: Lease) -> None:
        """Remove the file, if it is ours."""
        with in_store(self._folder):
            made = self._files.pop(name, None)
            if made == (lease, self._number(name)) and lease.until_s - time.time() > lease.lasts_s / 2:
                self._remove(name)  # nobody can have thought so soon that we are gone
                return
            with locked(self._lock):
                holder = self.holder(name)
                if holder is not None and holder.owner == lease.owner:
                    self._remove(name)

    def holder(self, name: str) -> Lease | None:
        """Read the file; absent and damaged are the same."""
        from lockgate.records.held import Lease
        from lockgate.records.wire import from_json

        try:
            return from_json(Lease, json.loads(Path(self._place(name)).read_bytes()))
        except (OSError, ValueError, IntegrityError):
            return None

    def names(self) -> Iterator[str]:
        """The files' names."""
        for path in self._folder.glob("[!.]*"):
            yield path.name.replace("=", ":")

    def _replace(self, name: str, lease: Lease, *, before: Lease | None) -> bool:
        from lockgate.records.wire import to_json

        with in_store(self._folder), locked(self._lock):
            if self.holder(name) != before or (before is None and not self._is_damaged(name)):
                return False
            write_atomic(Path(self._place(name)), canonical(to_json(lease)), sync=False)
        return True

    def _made(self, name: str, lease: Lease) -> bool:
        """Make the file, unless there is one: the kernel lets one of many do so."""
        try:
            number = self._linked(name, lease) or self._written(name, lease)
        except FileExistsError:
            return False
        self._files[name], self._newest = (lease, number), name
        return True

    def _linked(self, name: str, lease: Lease) -> int:
        """Another name for the file of the same lease: no file is made and removed for each of a thousand short steps.

        Answers the file's number; 0 when there is no such file any more, or no links here.
        """
        before, number = self._files.get(self._newest, (None, 0))
        if before is not lease:
            return 0
        try:
            os.link(self._place(self._newest), self._place(name))
        except FileExistsError:
            raise
        except OSError:
            return 0
        if self._number(name) == number:
            return number
        self._remove(name)  # somebody took that one over, meanwhile
        return 0

    def _written(self, name: str, lease: Lease) -> int:
        from lockgate.records.wire import to_json

        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._place(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(descriptor, canonical(to_json(lease)))
            return os.fstat(descriptor).st_ino
        except OSError:  # a full disk
            self._remove(name)
            raise
        finally:
            os.close(descriptor)

    def _is_damaged(self, name: str) -> bool:
        """Whether a file says nothing, and not because it is being written right now."""
        try:
            age_s = time.time() - os.stat(self._place(name)).st_mtime
        except FileNotFoundError:
            return False
        return not 0 <= age_s < WRITTEN_S and self.holder(name) is None

    def _number(self, name: str) -> int:
        with contextlib.suppress(FileNotFoundError):
            return os.stat(self._place(name)).st_ino
        return 0

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._place(name))

    def _place(self, name: str) -> str:
        """Where a lease lies. Not a `Path`: a short step pays for each."""
        return f"{self._top}/{name.replace(':', '=')}"
