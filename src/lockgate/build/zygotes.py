"""The engine's side of zygotes (`zygote.py`): which steps share one, and what lies between two steps of the same."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import threading
from typing import TYPE_CHECKING

from lockgate.build.endings import died
from lockgate.build.places import LOG, OUTPUT
from lockgate.build.processes import MODULE, answers
from lockgate.build.protocol import NOT_APART, RUNNING, Reply, about, receive, reply_in, send

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from lockgate.build.places import Folders
    from lockgate.build.processes import Processes
    from lockgate.build.protocol import Job
    from lockgate.records.graph import Node

__all__ = ["Zygote", "Zygotes"]

PATIENCE_S = 1.0
IDLE = 2
"""How many wait for a next step, if no more ran beside each other; the one that waited longest goes first.
They keep what their module made on import."""
PRIVATE = 0o700
PASS_CREDENTIALS, CREDENTIALS = 16, 2
"""SO_PASSCRED, SCM_CREDENTIALS: Linux only, as zygotes are."""
SENDER = struct.Struct("3i")
"""struct ucred: process, user, group."""


class Zygotes:
    """The zygotes of one engine, by what an import sees. Safe to use from several threads.

    `without`: for which there is none, and why.
    """

    def __init__(self, folders: Folders, processes: Processes) -> None:
        self._folders, self._processes = folders, processes
        self.without: dict[Hashable, str] = {}
        self._seen: set[Hashable] = set()
        self._idle: list[Zygote] = []
        self._used = self._most = 0
        self._lock = threading.Lock()

    def take(self, kind: Hashable, name: str, base: Callable[[Path, str], Job]) -> Zygote | None:
        """One that no other step uses, until its `end`; None: the step imports its module itself.

        So does the first of a kind: a zygote is one process more, which pays from the second step on.

        Args:
            kind: everything that an import sees.
            name: for people who look at folders.
            base: (folder, scratch) → a job that the import is done for.
        """
        with self._lock:
            if kind in self.without:
                return None
            if kind not in self._seen:
                self._seen.add(kind)
                return None
            self._used += 1
            self._most = max(self._most, self._used)
            if found := next((z for z in self._idle if z.kind == kind), None):
                self._idle.remove(found)
                return found
        return self._start(kind, name, base)

    def close(self) -> None:
        """Hang up on all that wait."""
        with self._lock:
            for zygote in self._idle:
                zygote.channel.close()

    def ended(self, zygote: Zygote | None) -> None:
        """A step does not need its one any more: it waits for a next step, or (None) there is none to wait."""
        with self._lock:
            self._used -= 1
            self._idle += [zygote] if zygote else []
            spare = self._idle.pop(0) if len(self._idle) > max(IDLE, self._most) else None
        if spare:
            spare.retire()

    def _start(self, kind: Hashable, name: str, base: Callable[[Path, str], Job]) -> Zygote | None:
        folder, number = self._folders.new(name)
        try:
            scratch = self._processes.scratch(number)
            pid, channel = self._processes.fork(MODULE)
        except ConnectionError:
            self.ended(None)
            return None  # the step will say so
        zygote = Zygote(self, self._folders, self._processes, pid, channel)
        zygote.kind, zygote.folder, zygote.scratch = kind, folder, scratch
        if (why := zygote.imported(base(folder, scratch))) is None:
            return zygote
        self.without[kind] = why
        self.ended(None)
        zygote.retire()
        return None


class Zygote:
    """A `Place` for one step after the other."""

    kind: Hashable
    folder: Path
    scratch: str
    _new: object

    def __init__(
        self, zygotes: Zygotes, folders: Folders, processes: Processes, pid: int, channel: socket.socket
    ) -> None:
        self._zygotes, self._folders, self._processes = zygotes, folders, processes
        self._pid, self.channel = pid, channel
        channel.setsockopt(socket.SOL_SOCKET, PASS_CREDENTIALS, 1)
        self._works = True

    def imported(self, base: Job) -> str | None:
        """Wait until it has imported its module; why it is of no use, or None."""
        try:
            send(self.channel, base)
            reply = receive(self.channel, Reply) if self._is_heard() else None
        except ConnectionError:
            reply = None
        if not isinstance(reply, Reply):
            return "it died"
        self._new = self._looks()
        return None if reply.ok else dict(reply.error or {}).get("why", "")

    def run(self, job: Job, node: Node) -> Reply | None:  # noqa: ARG002
        """Run a job in a fork; None: it did not run, or nobody knows what came of it."""
        said = self._ask(about(job))
        if said is None or said[1] == NOT_APART << 8:
            self._works = False
            self._zygotes.without[self.kind] = "it died" if said is None else "its forks cannot be set apart"
            return None
        line, status = said
        return reply_in(line) or Reply(ok=False, error=died(job, status))

    def end(self, *, ok: bool) -> None:
        """Leave it to the next step as it was. After a failure it goes; its log stays."""
        waits = ok and self._works and self._emptied()
        self._zygotes.ended(self if waits else None)
        if waits:
            return
        if not ok and not self._processes.closed:
            (self.folder / OUTPUT).unlink(missing_ok=True)
            self._folders.keep(self.folder)
        self.retire(keep=not ok)

    def retire(self, *, keep: bool = False) -> None:
        """Hang up; it ends. Its folders go, but for the one with the log."""
        self.channel.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
        if not keep:
            self._folders.remove(self.folder)

    def _ask(self, line: bytes) -> tuple[bytes, int] | None:
        """What the step's process said, and how it ended; None when the zygote is gone.

        Both write to one socket: who wrote what, the kernel says, so a step cannot say that it ended.
        """
        said = status = b""
        with contextlib.suppress(ConnectionError):
            self.channel.sendall(line)
            while self._is_heard():
                chunk, sender = _received(self.channel)
                if not chunk:
                    return None
                if sender != self._pid:
                    said += chunk
                elif (status := status + chunk).endswith(b"\n"):
                    return said.strip(), int(status)
        return None

    def _is_heard(self) -> bool:
        """Wait until there is something to read, or the zygote is gone: a process that it left may hold its socket."""
        while not answers(self.channel, within_s=PATIENCE_S):
            if self._processes.ask(self._pid) != RUNNING:
                return False
        return True

    def _emptied(self) -> bool:
        """Remove what a step left in its folders. False: they are not as they were for the first one."""
        try:
            for entry in os.scandir(self.folder):
                if entry.name != LOG:
                    _remove(entry)
            for entry in os.scandir(self.scratch):
                _remove(entry)
            if self._looks() != self._new:
                return False
            if os.path.getsize(log := self.folder / LOG):
                os.truncate(log, 0)
        except OSError:
            return False
        return True

    def _looks(self) -> object:
        """The log, which may have been replaced, even by a link to a file of somebody else, and who may do what in the folders."""
        log = os.lstat(self.folder / LOG)
        return log.st_mode, log.st_ino, *(_access(place) for place in (self.folder, self.scratch))


def _received(channel: socket.socket) -> tuple[bytes, int]:
    """A piece of what was sent, and the process that sent it; the kernel joins no two of different ones."""
    chunk, about, _, _ = channel.recvmsg(1 << 16, socket.CMSG_SPACE(SENDER.size))
    return chunk, next((SENDER.unpack(data)[0] for _, kind, data in about if kind == CREDENTIALS), 0)


def _access(folder: Path | str) -> object:
    """Mode, and attributes, where access lists are too."""
    with contextlib.suppress(OSError):  # a file system without attributes
        return os.stat(folder).st_mode, os.listxattr(folder)
    return os.stat(folder).st_mode


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        os.unlink(entry.path)
