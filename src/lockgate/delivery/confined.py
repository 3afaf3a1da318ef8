"""The process of a release that nobody has reviewed: `python -I -B -m lockgate.delivery.confined RULES ORDERS`.

A worker as in production, behind the sandbox of steps (Landlock): it reads its release, interpreter and packages, writes its log
and a folder of its own, and connects to the server that it is shown beside. Other processes it neither reads, traces nor signals.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lockgate.build.landlock import drop_capabilities, landlock_version, restrict
from lockgate.build.reach import devices, machine_reads
from lockgate.errors import LockgateError, ServiceUnavailable, UsageError
from lockgate.records.digest import canonical
from lockgate.release.client import host_environment
from lockgate.serving.child import Program, Worker

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from lockgate.serving.child import Wanted

__all__ = ["Confined", "Owner", "close_memory", "main", "owner_of", "what_holds"]

DUMPABLE: Final = 4  # PR_SET_DUMPABLE
FOLDERS: Final = {"HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "home/.cache"}


def close_memory() -> bool:
    """From now on, no process of the same user reads this one's memory and variables (prctl(2), PR_SET_DUMPABLE). Linux only; before a child starts.

    A program that this process starts afterwards is open again: it is another one.
    """
    return sys.platform == "linux" and ctypes.CDLL(None).prctl(DUMPABLE, *(ctypes.c_ulong(0) for _ in range(4))) == 0


def what_holds() -> str:
    """A warning for the operator where this machine's kernel shuts less than all; empty otherwise."""
    version = landlock_version()
    if version >= 6:
        return ""
    if not version:
        return "warning: this kernel has no Landlock: an app that nobody has reviewed reaches every file of its user"
    left = "signals and abstract sockets" if version >= 4 else "signals, sockets and the network"
    return f"warning: this kernel's Landlock (version {version}) leaves {left} open to apps that nobody has reviewed"


@dataclass(frozen=True, slots=True)
class Owner:
    """Another user of this machine, whom apps run as."""

    user: int
    group: int


def owner_of(name: str) -> Owner:
    """The user of a name. Raises UsageError where there is none, or where only root could become that one."""
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise UsageError("no such user on this machine", value=name, next="useradd --system NAME") from error
    if os.geteuid() != 0 or not found.pw_uid:
        raise UsageError(
            "apps can run as another user only where the host runs as root", value=name,
            allowed="a user that is not root, and a host that is", next="leave --user out, or start the host as root",
        )  # fmt: skip
    return Owner(found.pw_uid, found.pw_gid)


class Confined:
    """Starts the workers of one app, each behind the sandbox. What they write is in `folder`, the host's own, and goes with `close`."""

    def __init__(self, project: Path, *, owner: Owner | None = None) -> None:
        self._project, self._owner = project, owner
        self._logs = itertools.count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="lockgate-review-"))
        if owner:
            self.folder.chmod(0o711)  # the app goes through it, and neither lists nor changes it
        for name in FOLDERS.values():
            self._give(self.folder / name)

    def __call__(
        self, wanted: Wanted, directory: Path, *, environment: str, listener: socket.socket, log: Path
    ) -> Worker:
        """`log`: a folder of the host's, in which each worker gets a new one: an older worker may still run, and wrote what it liked into its own."""
        own = log / f"log-{next(self._logs)}"
        self._give(own)
        port = urlsplit(wanted.beside[1]).port if wanted.beside else None
        rules = {
            "project": str(self._project), "reads": [str(directory)], "writes": [str(own), *(str(self.folder / name) for name in FOLDERS.values())],
            "connects": [port] if port else [],
        }  # fmt: skip
        program = Program(
            module="lockgate.delivery.confined", arguments=(canonical(rules).decode(),), variables=self._variables(),
            user=self._owner and self._owner.user, group=self._owner and self._owner.group,
        )  # fmt: skip
        return Worker(wanted, directory, environment=environment, listener=listener, log=own, program=program)

    def close(self) -> None:
        """The folder goes, with all that was written into it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _variables(self) -> Mapping[str, str]:
        """Allow-listed names only; home and scratch are the app's own."""
        return {**host_environment(), **{n: str(self.folder / place) for n, place in FOLDERS.items()}}

    def _give(self, new: Path) -> None:
        """Make a folder and give it to the app: by descriptors, so no name is looked up twice, and only what was just made changes hands."""
        with _opened(str(new.parent)) as place:
            os.mkdir(new.name, 0o700, dir_fd=place)
            with _opened(new.name, inside=place) as made:
                if self._owner:
                    os.fchown(made, self._owner.user, self._owner.group)


@contextlib.contextmanager
def _opened(path: str, *, inside: int | None = None) -> Generator[int]:
    """The descriptor of a folder that is no symbolic link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def main(arguments: Sequence[str]) -> int:
    """Go behind the sandbox, then be a worker. Nothing of the release is imported before."""
    rules = json.loads(arguments[0])
    from lockgate.serving.worker import main as work  # its packages first: what is imported is part of the machine

    try:
        _enter(rules)
    except LockgateError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return work(arguments[1:])


def _enter(rules: Mapping[str, list[str]]) -> None:
    """Shut everything else. Raises ServiceUnavailable where the kernel offers Landlock and does not do it: a half-shut app does not start."""
    reads = [*machine_reads(str(rules["project"])), *(os.path.realpath(p) for p in rules["reads"])]
    writes = [*(os.path.realpath(p) for p in rules["writes"]), *devices()]
    drop_capabilities()
    shut = restrict(reads, writes, network=False, connects=[int(p) for p in rules["connects"]])
    if landlock_version() and not shut:
        raise ServiceUnavailable("the kernel does not shut the sandbox", value="landlock_restrict_self")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
