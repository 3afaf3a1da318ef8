"""One worker process as its parent sees it: the socket it serves on, the line to it, and what became of it."""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from lockgate import errors
from lockgate.errors import LockgateError, ServiceUnavailable, StepFailed
from lockgate.records.digest import canonical
from lockgate.release.client import host_environment

__all__ = ["Program", "Wanted", "Worker", "asker_of", "is_loopback", "listen", "rebinding_warning"]

LONGEST_LINE_BYTES = 64 << 10
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the ledger wants served. `entry` names the ledger entry, so that the same release can be wanted anew.

    `evidence`: the file of the page that was signed, and its sha256. `decided`: who let it in, one sentence each.
    `names`: hosts by which clients may call, besides this machine's own. `beside`: an environment's name, and the address of
    a server whose answer to the same request the app shows, too.
    """

    release: str
    entry: str
    banner: str = ""
    evidence: tuple[Path, str] | None = None
    decided: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    beside: tuple[str, str] | None = None


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


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a bound address.

    >>> is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def asker_of(address: str) -> str:
    """Whom a connection counts for: an address; in IPv6 the /64 network, all of which one client has to itself.

    >>> asker_of("192.0.2.1"), asker_of("::ffff:192.0.2.1"), asker_of("2001:db8::1:2"), asker_of("fe80::1%eth0")
    ('192.0.2.1', '192.0.2.1', '2001:db8::', 'fe80::')
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 4:
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((ip, 64), strict=False).network_address)


def rebinding_warning(bound: str, names: tuple[str, ...]) -> str:
    """What to tell an operator whose server takes requests under any name; empty when it does not."""
    if names or is_loopback(bound):
        return ""
    return f"warning: {bound} answers under any host name, so a web page can point its own name here: give --name HOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a worker process runs: a module that takes the worker's orders after its own `arguments`, the variables that it sees, and its user."""

    module: str = "lockgate.serving.worker"
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=host_environment)
    user: int | None = None
    group: int | None = None


class Worker:
    """One worker process and the line to it."""

    def __init__(
        self,
        wanted: Wanted,
        directory: Path,
        *,
        environment: str,
        listener: socket.socket,
        log: Path,
        program: Program | None = None,
    ) -> None:
        program = program or Program()
        self.wanted = wanted
        self.directory = directory
        self.ready = self.opening = self.accepting = False
        self.failure: LockgateError | None = None
        self.note = ""  # what the operator should know of it
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
            "evidence": [str(wanted.evidence[0]), wanted.evidence[1]] if wanted.evidence else None,
            "decided": wanted.decided,
            "names": wanted.names,
            "beside": wanted.beside,
        }
        command = [sys.executable, "-I", "-B", "-m", program.module, *program.arguments, canonical(orders).decode()]
        self.started = time.monotonic()
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                cwd=directory,
                env=program.variables,
                pass_fds=(listener.fileno(), theirs.fileno()),
                user=program.user,
                group=program.group,
                extra_groups=None if program.user is None else (),
            )
        except BaseException:
            self.control.close()
            raise
        finally:
            theirs.close()

    def hear(self) -> None:
        """Read what the worker said. It runs the release's code: a line that makes no sense is passed over."""
        try:
            self._buffer += self.control.recv(65536)
        except (BlockingIOError, ConnectionError):
            return
        *lines, self._buffer = self._buffer.split(b"\n")
        self._buffer = self._buffer[:LONGEST_LINE_BYTES]
        for line in lines:
            try:
                said: Any = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(said, dict):
                self._take(cast("dict[str, Any]", said))

    def _take(self, said: dict[str, Any]) -> None:
        self.accepting = self.accepting or said.get("accepting") is True
        self.ready = self.ready or said.get("ready") is True
        if said.get("ready") is False:
            self.failure = _failure(said.get("error"))
        if isinstance(note := said.get("no_evidence"), str):
            self.note = "".join(c if c.isprintable() else " " for c in note[:LONGEST_NOTE])

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


def _failure(error: object) -> LockgateError:
    """The error a worker told; one that is told wrongly is a failure all the same."""
    parts = cast("dict[str, object]", error) if isinstance(error, dict) else {}
    kind = getattr(errors, str(parts.get("kind")), None)
    known = kind if isinstance(kind, type) and issubclass(kind, LockgateError) else StepFailed
    what, value, allowed, then = (str(parts.get(name, "")) for name in ("what", "value", "allowed", "next"))
    return known(what or "the worker did not say why it cannot start", value=value, allowed=allowed, next=then)
