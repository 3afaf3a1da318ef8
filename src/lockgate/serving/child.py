"""One worker process as its parent sees it: the socket it serves on, the line to it, and what became of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate import errors
from lockgate.errors import LockgateError, ServiceUnavailable, StepFailed
from lockgate.records.digest import canonical
from lockgate.release.client import host_environment

__all__ = ["Wanted", "Worker", "listen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the ledger wants served. `entry` names the ledger entry, so that the same release can be wanted anew.

    `decided`: who let it in, one sentence each. `names`: hosts by which clients may call a server on a loopback address, besides the loopback ones.
    """

    release: str
    entry: str
    banner: str = ""
    evidence: Path | None = None
    decided: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Open the listening socket. Raises ServiceUnavailable when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(2048)
    except OSError as error:
        opened.close()
        message = f"{host}:{port} ({error.strerror})"
        raise ServiceUnavailable("cannot listen here", value=message, next="choose another --port") from error
    return opened


class Worker:
    """One worker process and the line to it."""

    def __init__(
        self, wanted: Wanted, directory: Path, *, environment: str, listener: socket.socket, log: Path
    ) -> None:
        self.wanted = wanted
        self.directory = directory
        self.ready = self.accepting = False
        self.failure: LockgateError | None = None
        self._buffer = b""
        self.control, theirs = socket.socketpair()
        self.control.setblocking(False)
        orders = {
            "directory": str(directory),
            "release": wanted.release,
            "environment": environment,
            "log": str(log),
            "listen_fd": listener.fileno(),
            "control_fd": theirs.fileno(),
            "banner": wanted.banner,
            "evidence": str(wanted.evidence) if wanted.evidence else None,
            "decided": wanted.decided,
            "names": wanted.names,
        }
        command = [sys.executable, "-I", "-B", "-m", "lockgate.serving.worker", canonical(orders).decode()]
        self.started = time.monotonic()
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                cwd=directory,
                env=host_environment(),
                pass_fds=(listener.fileno(), theirs.fileno()),
            )
        except BaseException:
            self.control.close()
            raise
        finally:
            theirs.close()

    def hear(self) -> None:
        """Read what the worker said."""
        try:
            self._buffer += self.control.recv(65536)
        except (BlockingIOError, ConnectionError):
            return
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            said: dict[str, Any] = json.loads(line)
            self.accepting = self.accepting or bool(said.get("accepting"))
            if said.get("ready") is False:
                parts = said["error"]
                kind = getattr(errors, parts["kind"], StepFailed)
                self.failure = kind(parts["what"], value=parts["value"], allowed=parts["allowed"], next=parts["next"])
            self.ready = self.ready or bool(said.get("ready"))

    def tell(self, line: str) -> None:
        """Say one line; a worker that is gone is noticed by `dead`."""
        try:
            self.control.sendall(line.encode() + b"\n")
        except OSError:
            return

    def dead(self) -> bool:
        return self.process.poll() is not None

    def end(self) -> None:
        """Kill it: for workers that never accepted, or did not end in time."""
        if not self.dead():
            self.process.kill()
        self.process.wait()
        self.control.close()
