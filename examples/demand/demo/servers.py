"""The two servers of the demo, `lockgate serve staging` and `lockgate serve production`, as child processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from demo.terminal import LOCKGATE, Failed, note

__all__ = ["get", "post", "running", "wait_until_live"]

LOGS = Path(".lockgate/demo")
START_SECONDS = 20


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Serve both environments for the length of the block; answers production's address."""
    LOGS.mkdir(parents=True, exist_ok=True)
    ports = {
        name: _free(table["port"])
        for name, table in tomllib.loads(Path("lockgate.toml").read_text())["environments"].items()
    }
    processes = [_start(name, port) for name, port in ports.items()]
    try:
        for name in ports:
            _wait(name)
        yield f"http://127.0.0.1:{ports['production']}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def wait_until_live(address: str) -> None:
    """Until the server answers with a release: one that was just started fetches, verifies and warms first."""
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):
            if get(address, "/health")[0] == 200:
                return
        time.sleep(0.1)
    note(f"nothing answers at {address}.\n  next: lockgate status")
    raise Failed(5)


def get(address: str, path: str, **query: str) -> tuple[int, dict[str, object]]:
    """GET JSON from a server."""
    return _ask(address, "GET", f"{path}?{urlencode(query)}" if query else path, None)


def post(address: str, path: str, body: object) -> tuple[int, dict[str, object]]:
    """POST JSON to a server."""
    return _ask(address, "POST", path, json.dumps(body))


def _ask(address: str, method: str, path: str, body: str | None) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers={"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def _free(port: int) -> int:
    """The port of `lockgate.toml`, or any other when somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        chosen: int = probe.getsockname()[1]
    note(f"port {port} is taken; using {chosen}")
    return chosen


def _start(name: str, port: int) -> subprocess.Popen[bytes]:
    log = (LOGS / f"{name}.log").open("wb")
    return subprocess.Popen(
        [LOCKGATE, "serve", name, "--port", str(port)], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    )


def _wait(name: str) -> None:
    """Until the server listens."""
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        text = (LOGS / f"{name}.log").read_text()
        if "listens on" in text:
            return
        time.sleep(0.1)
    note(f"{name} did not start: {text.strip() or 'no output'}")
    raise Failed(5)
