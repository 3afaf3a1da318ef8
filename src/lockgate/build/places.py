"""Where an attempt of a step runs: a folder for its output and log, one for its temporary files, and the process."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lockgate.errors import ServiceUnavailable

if TYPE_CHECKING:
    from lockgate.build.processes import Processes
    from lockgate.build.protocol import Job, Reply
    from lockgate.records.graph import Node

__all__ = ["LOG", "OUTPUT", "Folders", "Own", "Place"]

OUTPUT, LOG = "output", "log.txt"
"""In the folder of a job."""


class Place(Protocol):
    """One attempt's. `folder` receives output and log, `scratch` is its TMPDIR and HOME."""

    folder: Path
    scratch: str

    def run(self, job: Job, node: Node) -> Reply | None:
        """Run the job here; None: it did not run, and has to elsewhere."""
        ...

    def end(self, *, ok: bool) -> None:
        """Leave nothing but, of an attempt that failed, its log."""
        ...


class Folders:
    """Folders of jobs, below one that is on the same file system as the store, so that taking over is a rename.

    What is left at the end goes, but for what a failed attempt keeps.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._open: set[Path] = set()
        self._lock = threading.Lock()
        self._count = 0

    def new(self, name: str) -> tuple[Path, str]:
        """A new folder, and a short name that no other has."""
        with self._lock:
            self._count += 1
            number = str(self._count)
        folder = self._top / f"{os.getpid()}-{os.urandom(3).hex()}-{number}-{name}"
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise ServiceUnavailable(
                "the store's folder cannot be written",
                value=f"{folder.parent}: {error.strerror}",
                next="check disk and permissions",
            ) from error
        self._open.add(folder)
        return folder, number

    def remove(self, folder: Path) -> None:
        """It is not needed any more."""
        shutil.rmtree(folder, ignore_errors=True)
        self._open.discard(folder)

    def keep(self, folder: Path) -> None:
        """It stays when all others go: there is a log in it."""
        self._open.discard(folder)

    def close(self) -> None:
        """Remove what is left."""
        for folder in tuple(self._open):
            self.remove(folder)


class Own:
    """A process of its own, forked from the template: it imports the project itself."""

    def __init__(self, name: str, folders: Folders, processes: Processes) -> None:
        self._folders, self._processes = folders, processes
        self.folder, number = folders.new(name)
        self.scratch = processes.scratch(number)

    def run(self, job: Job, node: Node) -> Reply | None:
        """Run it; what ends it is in the reply."""
        return self._processes.run(job, node)

    def end(self, *, ok: bool) -> None:
        """Remove both folders; the log of a failed attempt stays."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        if ok:
            self._folders.remove(self.folder)
            return
        (self.folder / OUTPUT).unlink(missing_ok=True)
        if not self._processes.closed:
            self._folders.keep(self.folder)
