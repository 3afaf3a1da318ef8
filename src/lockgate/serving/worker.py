"""The process that serves one release: a release host that speaks HTTP on a socket it inherits.

    python -I -B -m lockgate.serving.worker '{"directory": …, "listen_fd": …, "control_fd": …, …}'

Control lines: the parent says `accept`, later `drain SECONDS`; the worker says one JSON line when it is warm
(its recorded answers repeated bit by bit) or why it cannot be. When the parent is gone, it drains and ends.

Draining loses no request: only this process's own accept stops (the socket's queue goes on to the next worker),
connections already accepted are served and told `Connection: close`, and the end comes when none is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from lockgate.errors import LockgateError
from lockgate.records.digest import Json, short
from lockgate.records.wire import from_json
from lockgate.release.host import check_holdout
from lockgate.release.open import open_release, read_holdout
from lockgate.serving.answer import Desk, new_id
from lockgate.serving.beside import Beside
from lockgate.serving.child import is_loopback
from lockgate.serving.connection import KEEP_ALIVE_SECONDS, MOST_CONNECTIONS, GuardedProtocol
from lockgate.serving.evidence import read_evidence
from lockgate.serving.http import Http
from lockgate.serving.log import PredictionLog
from lockgate.serving.routes import Settings

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["DrainingServer", "Orders", "main"]

END_SECONDS = 1.0  # when nobody serves after us, an idle connection is not waited for
BACKLOG = 2048
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the parent tells a worker at its start."""

    directory: str
    release: str
    environment: str
    log: str
    listen_fd: int
    control_fd: int
    banner: str = ""
    evidence: tuple[str, str] | None = None
    decided: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    beside: tuple[str, str] | None = None


class DrainingServer(uvicorn.Server):
    """Uvicorn with a shutdown that loses nothing: its own closes connections that were accepted but not yet read."""

    def __init__(self, http: Http) -> None:
        config = uvicorn.Config(
            http,  # pyright: ignore[reportArgumentType]  # ASGI messages are dicts; uvicorn wants its own TypedDicts
            http=GuardedProtocol,
            limit_concurrency=MOST_CONNECTIONS,
            loop="uvloop",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="error",
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=5,
        )
        super().__init__(config)
        self._http = http
        self._deadline = float("inf")

    def drain(self, seconds: float) -> None:
        """Stop accepting, then end when every connection has closed, after `seconds` at the latest."""
        self._http.draining = True
        self._deadline = min(self._deadline, asyncio.get_running_loop().time() + seconds)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        while self.server_state.connections and loop.time() < self._deadline:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """The worker handles its signals itself."""
        yield


class _Control:
    """The line to the parent."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._buffer = b""

    def say(self, message: dict[str, Json]) -> None:
        with contextlib.suppress(OSError):  # a parent that is gone is noticed by `follow`
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def wait_for_accept(self) -> bool:
        """Block until the parent lets this worker accept; False when the parent is gone or says otherwise."""
        while b"\n" not in self._buffer:
            data = self._socket.recv(4096)
            if not data:
                return False
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line == b"accept"

    def follow(self, drain: Callable[[float], None]) -> None:
        """Call `drain` when the parent says so or is gone."""
        self._socket.setblocking(False)
        loop = asyncio.get_running_loop()

        def readable() -> None:
            try:
                data = self._socket.recv(4096)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self._buffer += data
            obey()
            if not data:
                loop.remove_reader(self._socket)
                drain(END_SECONDS)

        def obey() -> None:
            *lines, self._buffer = self._buffer.split(b"\n")
            for line in lines:
                drain(float(line.removeprefix(b"drain ")))

        loop.add_reader(self._socket, readable)
        obey()  # what came together with `accept`


def main(arguments: Sequence[str]) -> int:
    """Open, warm, say so, and serve until told to drain."""
    orders = from_json(Orders, json.loads(arguments[0]))
    for descriptor in (orders.listen_fd, orders.control_fd):
        os.set_inheritable(descriptor, False)  # what a predictor starts must not keep the socket open
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which drains us
    control = _Control(orders.control_fd)
    try:
        http, checked = _warm(orders, _evidence(orders, control))
    except LockgateError as error:
        parts = {"kind": type(error).__name__, "what": error.what, "value": error.value}
        control.say({"ready": False, "error": {**parts, "allowed": error.allowed, "next": error.next}})
        return error.exit_code
    control.say({"ready": True, "repeated": checked})
    if not control.wait_for_accept():
        return 0
    _serve(http, control, orders.listen_fd)
    return 0


def _evidence(orders: Orders, control: _Control) -> bytes | None:
    """The page as it was signed, held in memory from now on; without it the release is served all the same."""
    if orders.evidence is None:
        return None
    path, sha256 = orders.evidence
    try:
        return read_evidence(Path(path), sha256)
    except LockgateError as error:
        control.say({"no_evidence": f"{error.what}: {error.value}"})
        return None


def _warm(orders: Orders, evidence: bytes | None) -> tuple[Http, int]:
    """Open the release, repeat its recorded answers, and make the desk."""
    directory = Path(orders.directory)
    release = open_release(directory, orders.release)
    checked = check_holdout(release, read_holdout(directory, release.manifest))
    started = dt.datetime.now(dt.UTC)
    segment = f"{started:%Y%m%dT%H%M%S.%f}-{short(orders.release)}-{os.getpid()}"
    desk = Desk(
        release,
        environment=orders.environment,
        log=PredictionLog(Path(orders.log), segment),
        clock=lambda: dt.datetime.now(dt.UTC),
        identify=lambda: new_id(dt.datetime.now(dt.UTC), os.urandom(10)),
    )
    gc.collect()
    gc.freeze()
    names = _names(orders)
    beside = Beside(*orders.beside) if orders.beside else None
    settings = Settings(banner=orders.banner, evidence=evidence, decided=orders.decided, names=names, beside=beside)
    return Http(desk, settings), checked


def _names(orders: Orders) -> frozenset[str]:
    """Hosts that a request may be addressed to: on a loopback address only known ones, elsewhere any if none is given."""
    with socket.socket(fileno=os.dup(orders.listen_fd)) as listener:
        bound = str(listener.getsockname()[0])
    if not orders.names and not is_loopback(bound):
        return frozenset()
    return frozenset((*LOOPBACK_NAMES, bound, *(name.lower() for name in orders.names)))


def _serve(http: Http, control: _Control, listen_fd: int) -> None:
    server = DrainingServer(http)

    async def run() -> None:
        control.follow(server.drain)
        if server.should_exit:  # told to end before it began
            return
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.drain, END_SECONDS)
        serving = asyncio.ensure_future(server.serve(sockets=[socket.socket(fileno=listen_fd)]))
        while not server.started and not serving.done():  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.005)
        control.say({"accepting": True})
        await serving

    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
