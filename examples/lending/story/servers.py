"""The two servers, `lockgate serve staging` and `lockgate serve production`, as child processes; and asking them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from story.terminal import LOCKGATE, Failed, note

__all__ = ["get", "post", "running", "wait_until_live"]

LOGS = Path(".lockgate/story")
START_SECONDS = 90


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Serve both environments for the length of the block; answers production's address."""
    LOGS.mkdir(parents=True, exist_ok=True)
    environments = tomllib.loads(Path("lockgate.toml").read_text())["environments"]
    ports = {name: _free(table["port"]) for name, table in environments.items()}
    processes = [_start(name, port) for name, port in ports.items()]
    try:
        for name in ports:
            _until(lambda name=name: "listens on" in (LOGS / f"{name}.log").read_text(), f"{name} did not start")
        yield f"http://127.0.0.1:{ports['production']}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def wait_until_live(address: str) -> None:
    """Until the server answers with a release: one that was just started fetches, verifies and warms first."""
    _until(lambda: _alive(address), f"nothing answers at {address}")


def get(address: str, path: str) -> dict[str, Any]:
    """GET JSON."""
    return _asked(address, "GET", path, None)[1]


def post(address: str, path: str, body: object) -> dict[str, Any]:
    """POST JSON; the decoded answer, also of a refusal."""
    return _asked(address, "POST", path, json.dumps(body))[1]


def _asked(address: str, method: str, path: str, body: str | None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers={"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def _alive(address: str) -> bool:
    with contextlib.suppress(OSError):
        return _asked(address, "GET", "/health", None)[0] == 200
    return False


def _until(true: Callable[[], bool], otherwise: str) -> None:
    ends = time.monotonic() + START_SECONDS
    while not true():
        if time.monotonic() > ends:
            note(f"{otherwise}.\n  next: lockgate status; look into {LOGS}/*.log")
            raise Failed(5)
        time.sleep(0.1)


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
    command = [LOCKGATE, "serve", name, "--port", str(port)]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
