"""The interpreter's part of the sandbox: it names what was refused, so that a refusal that was caught fails the step too.

A hook hears about opens, listings and sockets before they happen. It refuses by the same rules as the kernel, and notes
the name in a file of the job, where processes forked by the step note theirs. Not noted: what the import system and
the libraries it loads look for, what is not there, and refused writes (no result comes from them).
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.build.loading import is_project_path
from lockgate.build.reach import within

if TYPE_CHECKING:
    from types import FrameType

    from lockgate.build.reach import Reach

__all__ = ["NETWORK", "Audit", "denied_names"]

NETWORK = "network "
"""How the note of an address begins; what begins otherwise is a path."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {  # event → (which arguments are paths, which are their folders' descriptors)
    "os.remove": ((0,), (1,)), "os.rmdir": ((0,), (1,)), "os.mkdir": ((0,), (2,)), "os.truncate": ((0,), ()),
    "os.rename": ((0, 1), (2, 3)), "os.link": ((1,), (3,)), "os.symlink": ((1,), (2,)), "os.chmod": ((0,), (2,)),
    "os.utime": ((0,), (3,)),
}  # fmt: skip
REACHES_OUT = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
LISTS_PACKAGES = ("importlib.metadata", "pkgutil")
NAMES_BY_DESCRIPTOR = ("shutil", "os")
"""Modules that open a name below an open folder, which no audit event tells."""


class Audit:
    """The rules of one step in its process. `note` is the file that receives the names."""

    def __init__(self, root: str, reach: Reach, note: str) -> None:
        self.root, self.note = root, note
        self.network = reach.network
        self.writes = frozenset(reach.writes)
        self.reads = frozenset(reach.reads) | self.writes

    def listen(self) -> None:
        """Begin; there is no end."""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._open(*arguments)
        elif event in ("os.listdir", "os.scandir"):
            self._read(arguments[0] if arguments[0] is not None else ".")
        elif event in CHANGES:
            self._change(arguments, *CHANGES[event])
        elif event == "socket.getaddrinfo" and not self.network:
            self._refuse_network(f"{_text(arguments[0])}:{_text(arguments[1])}")
        elif event in REACHES_OUT:
            self._reach_out(arguments[0], arguments[1])

    def _open(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int) or (mode is None and not os.path.isabs(path) and _caller() in NAMES_BY_DESCRIPTOR):
            return
        if not isinstance(flags, int) or not flags & WRITES:
            self._read(path)
        else:
            self._write(path)

    def _read(self, path: Any) -> None:
        if isinstance(path, int):
            return
        real = os.path.realpath(os.fsdecode(path))
        if within(real, self.reads) or not os.path.exists(real) or _is_importing(self.root):
            return
        self._note(os.path.relpath(real, self.root) if is_project_path(real, self.root) else real)
        raise PermissionError(errno.EACCES, "a step reads only what it declares", os.fsdecode(path))

    def _write(self, path: Any) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if not within(real, self.writes) and not real.startswith(("/dev/", "/proc/")) and not _is_importing(self.root):
            raise PermissionError(errno.EACCES, "a step writes only below TMPDIR", os.fsdecode(path))

    def _change(self, arguments: tuple[Any, ...], paths: tuple[int, ...], folders: tuple[int, ...]) -> None:
        if any(len(arguments) > f and arguments[f] not in (None, -1) for f in folders):
            return  # a name below an open folder: the kernel decides
        for number in paths:
            if not isinstance(arguments[number], int):
                folder, name = os.path.split(os.path.abspath(os.fsdecode(arguments[number])))
                self._write(os.path.join(os.path.realpath(folder), name))

    def _reach_out(self, made: socket.socket, address: Any) -> None:
        """Internet addresses, and UNIX sockets of others (a database, a container engine); None: it is connected already."""
        if self.network or address is None or made.family not in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
            return
        if made.family != socket.AF_UNIX:
            self._refuse_network(":".join(_text(p) for p in address[:2]))
        elif (name := os.fsdecode(address)) and not name.startswith("\0"):
            if not within(os.path.realpath(name), self.writes):
                self._refuse_network(name)

    def _refuse_network(self, address: str) -> None:
        if not _is_importing(self.root):
            self._note(f"{NETWORK}{address}")
        raise PermissionError(errno.EACCES, "a step has no network", address)

    def _note(self, name: str) -> None:
        """One line per refusal, by one write each."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.note, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            os.write(descriptor, os.fsencode(name.replace("\n", "?")) + b"\n")
            os.close(descriptor)


def denied_names(note: str) -> tuple[str, ...]:
    """What was refused in a job, each name once, in order."""
    with contextlib.suppress(OSError):
        return tuple(dict.fromkeys(Path(note).read_bytes().decode(errors="replace").splitlines()))
    return ()


def _is_importing(root: str) -> bool:
    """Whether the import system, or a library while it is imported, looks for itself; a project's module never does."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        file = frame.f_code.co_filename
        if is_project_path(file, root):
            return False
        name = str(frame.f_globals.get("__name__", ""))
        if (file.startswith("<frozen importlib") and frame.f_code.co_name != "get_data") or name in LISTS_PACKAGES:
            return True
        frame = frame.f_back
    return False


def _caller() -> str:
    """The module whose code did what raised the event: above the hook's own frames."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")) if frame else ""


def _text(part: Any) -> str:
    return part.decode(errors="replace") if isinstance(part, bytes) else str(part)
