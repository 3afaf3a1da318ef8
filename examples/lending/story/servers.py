"""The two servers, `lockgate serve staging` and `lockgate serve production`, as child processes; and asking them."""

from __future__ import annotations

import contextlib
import http.client
import json
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
    processes = {name: _start(name, table["port"]) for name, table in environments.items()}
    try:
        for name, table in environments.items():
            if not _listens(name, processes[name]) and "already in use" in _log(name):
                note(f"port {table['port']} is taken; {name} takes another")
                processes[name] = _start(name, 0)
            if not _listens(name, processes[name]):
                raise _failed(f"{name} did not start")
        yield _log("production").splitlines()[0].rpartition(" ")[2]
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def _listens(name: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server listens, or has ended."""
    ends = time.monotonic() + START_SECONDS
    while "listens on" not in _log(name):
        if process.poll() is not None or time.monotonic() > ends:
            return "listens on" in _log(name)
        time.sleep(0.1)
    return True


def _log(name: str) -> str:
    return (LOGS / f"{name}.log").read_text()


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
            raise _failed(otherwise)
        time.sleep(0.1)


def _failed(what: str) -> Failed:
    note(f"{what}.\n  next: lockgate status; look into {LOGS}/*.log")
    return Failed(5)


def _start(name: str, port: int) -> subprocess.Popen[bytes]:
    log = (LOGS / f"{name}.log").open("wb")
    command = [LOCKGATE, "serve", name, "--port", str(port)]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
