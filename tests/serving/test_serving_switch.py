"""Switching releases under load loses nothing and mixes nothing; a release that fails never touches the live one."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import toyshop_release as shop
from served_environment import Environment

from lockgate.errors import IntegrityError, ServiceUnavailable
from lockgate.release.client import ReleaseHost
from lockgate.release.layout import verify
from lockgate.serving.child import Wanted, listen
from lockgate.serving.follow import _pause  # pyright: ignore[reportPrivateUsage]
from lockgate.serving.log import read_log

pytestmark = pytest.mark.sampled(6)

if TYPE_CHECKING:
    from lockgate.records.release import Manifest

    Releases = dict[str, tuple[Path, Manifest]]

CLIENTS = 32
SWITCHES = 20
REQUESTS: list[dict[str, str]] = [
    {"product": product, "date": f"2011-10-{day}"} for product in shop.PRODUCTS for day in range(16, 30)
]


def ask(connection: http.client.HTTPConnection, request: dict[str, str]) -> dict[str, Any]:
    connection.request("POST", "/predict", json.dumps(request), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, body
    return json.loads(body)


def offline(releases: Releases) -> dict[tuple[str, str], dict[str, Any]]:
    """(release, request) → what the release answers in a host, without any server."""
    known = dict[tuple[str, str], dict[str, Any]]()
    for directory, manifest in releases.values():
        with ReleaseHost(directory, manifest.digest) as host:
            for request, answer in zip(REQUESTS, host.answer(REQUESTS), strict=True):
                del answer["note"]
                known[manifest.digest, json.dumps(request)] = answer
    return known


class Client(threading.Thread):
    """Asks again and again, on one connection or on a new one each time, and checks every answer."""

    def __init__(self, port: int, known: dict[tuple[str, str], dict[str, Any]], *, keep: bool, seed: int) -> None:
        super().__init__()
        self.port, self.known, self.keep = port, known, keep
        self.random = random.Random(seed)
        self.stopped = threading.Event()
        self.failures, self.seen, self.ids = list[str](), set[str](), list[str]()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.stopped.wait(0.01):
            request = self.random.choice(REQUESTS)
            try:
                answer = ask(connection, request)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if answer["output"] != self.known[answer["release"], json.dumps(request)]:
                self.failures.append(f"mixed: {answer}")
            self.seen.add(answer["release"])
            self.ids.append(answer["request_id"])
            if not self.keep:
                connection.close()
        connection.close()


def test_twenty_switches_under_load_lose_and_mix_nothing(environment: Environment, releases: Releases) -> None:
    one, two = (manifest.digest for _, manifest in releases.values())
    assert environment.want(one)[0] == "healthy"
    known = offline(releases)
    clients = [Client(environment.port, known, keep=n % 2 == 0, seed=n) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    for switch in range(SWITCHES):
        assert environment.want(two if switch % 2 == 0 else one) == ("healthy", two if switch % 2 == 0 else one, "")
    for client in clients:
        client.stopped.set()
    for client in clients:
        client.join(30)
    assert [f for c in clients for f in c.failures] == []
    assert all(c.seen == {one, two} for c in clients)
    given = [request_id for c in clients for request_id in c.ids]
    assert len(given) > 1000
    assert len(given) == len(set(given))
    assert set(given) <= {p.request_id for p in read_log(environment.log)}


def test_a_damaged_release_is_refused_by_name_and_the_live_one_goes_on(
    environment: Environment, releases: Releases, tmp_path: Path
) -> None:
    one, two = (manifest.digest for _, manifest in releases.values())
    assert environment.want(one)[0] == "healthy"
    damaged = tmp_path / "damaged"
    shutil.copytree(releases["two"][0], damaged)
    (damaged / "inputs/scale.json").write_text("2.5")
    good = environment.folders[two]

    def fetch(wanted: Wanted) -> Path:
        verify(damaged, wanted.release)
        return damaged

    environment.fetch = fetch  # found while fetching
    answer, release, reason = environment.want(two)
    assert (answer, release) == ("refused", two)
    assert "inputs/scale.json" in reason
    environment.fetch, environment.folders[two] = None, damaged  # found by the worker itself
    answer, _, reason = environment.want(two)
    assert answer == "refused"
    assert "inputs/scale.json" in reason
    connection = http.client.HTTPConnection("127.0.0.1", environment.port, timeout=20)
    assert ask(connection, REQUESTS[0])["release"] == one
    environment.folders[two] = good
    assert environment.want(two)[0] == "healthy"
    connection.close()


def test_a_release_that_dies_while_warming_is_refused(
    environment: Environment, releases: Releases, tmp_path: Path
) -> None:
    """It answered when it was bundled; here it cannot: a file it counts on is gone."""
    flag = tmp_path / "flag"
    flag.write_text("")
    body = f"import os, pathlib; pathlib.Path({str(flag)!r}).exists() or os._exit(3)"
    directory, manifest = shop.make(tmp_path, files=shop.code(body=body))
    environment.folders[manifest.digest] = directory
    one = releases["one"][1].digest
    assert environment.want(one)[0] == "healthy"
    flag.unlink()
    answer, _, reason = environment.want(manifest.digest)
    assert answer == "refused"
    assert "exit 3" in reason
    connection = http.client.HTTPConnection("127.0.0.1", environment.port, timeout=20)
    assert ask(connection, REQUESTS[0])["release"] == one
    connection.close()


def test_the_same_release_wanted_again_is_healthy_without_a_restart(
    environment: Environment, releases: Releases
) -> None:
    one = releases["one"][1].digest
    assert environment.want(one)[0] == "healthy"
    worker = live_pid(environment)
    assert environment.want(one)[0] == "healthy"
    assert live_pid(environment) == worker


def test_kill_9_of_a_worker_loses_no_answer_that_was_given_and_it_is_started_again(
    environment: Environment, releases: Releases
) -> None:
    one = releases["one"][1].digest
    assert environment.want(one)[0] == "healthy"
    known = offline(releases)
    for kill in range(5):
        clients = [Client(environment.port, known, keep=n % 2 == 0, seed=100 * kill + n) for n in range(8)]
        for client in clients:
            client.start()
        wait_until(lambda clients=clients: all(len(c.ids) > 3 for c in clients))
        victim = live_pid(environment)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: environment.follower.live == one and live_pid(environment) != victim)
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join(30)
        given = {request_id for c in clients for request_id in c.ids}
        assert given
        assert given <= {p.request_id for p in read_log(environment.log)}
        assert not [f for c in clients for f in c.failures if "mixed" in f]
    assert [a for a, _, _ in environment.answers] == ["healthy"]


def test_before_the_first_release_a_client_is_told_so(environment: Environment) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", environment.port, timeout=20)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.status == 503
    assert b"no release answers in staging yet" in response.read()
    connection.close()


def test_a_damaged_first_release_ends_the_server_with_its_name(releases: Releases, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(releases["one"][0], damaged)
    (damaged / "inputs/scale.json").write_text("9")
    digest = releases["one"][1].digest
    code = server_script(damaged, digest, tmp_path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert "inputs/scale.json" in done.stderr
    assert IntegrityError.exit_code == 4


def test_sigterm_drains_and_exits_0_and_frees_the_port(releases: Releases, tmp_path: Path) -> None:
    directory, manifest = releases["one"]
    code = server_script(directory, manifest.digest, tmp_path)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        port = int(server.stdout.readline())
        assert server.stdout.readline() == "healthy\n"
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        ask(idle, REQUESTS[0])
        started = time.monotonic()
        server.terminate()
        assert server.wait(20) == 0
        assert time.monotonic() - started < 5
        idle.close()
    with listen(port=port) as again:
        assert again.getsockname()[1] == port


def test_when_the_parent_is_killed_its_worker_ends(releases: Releases, tmp_path: Path) -> None:
    directory, manifest = releases["one"]
    code = server_script(directory, manifest.digest, tmp_path)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        port = int(server.stdout.readline())
        assert server.stdout.readline() == "healthy\n"
        server.kill()
        server.wait()

    def free() -> bool:
        try:
            listen(port=port).close()
        except ServiceUnavailable:
            return False
        return True

    wait_until(free)


def test_what_a_predictor_starts_does_not_hold_the_socket(environment: Environment, tmp_path: Path) -> None:
    body = (
        "import subprocess, os; requests.height == 1 and subprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False, "
        f"stdout=open({str(tmp_path / 'fds')!r}, 'w'))"
    )
    directory, manifest = shop.make(tmp_path, files=shop.code(body=body))
    environment.folders[manifest.digest] = directory
    assert environment.want(manifest.digest)[0] == "healthy"
    connection = http.client.HTTPConnection("127.0.0.1", environment.port, timeout=20)
    ask(connection, REQUESTS[4])
    connection.close()
    listed = (tmp_path / "fds").read_text()
    assert "->" in listed
    assert "socket:" not in listed


def test_whatever_goes_wrong_around_a_release_the_live_one_goes_on(
    environment: Environment, releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (manifest.digest for _, manifest in releases.values())
    assert environment.want(one)[0] == "healthy"

    def fetch(wanted: Wanted) -> Path:
        raise KeyError(wanted.release)

    environment.fetch = fetch
    assert environment.want(two) == ("refused", two, "the release could not be brought here: KeyError")
    environment.fetch = lambda wanted: tmp_path / "gone"  # the worker cannot even be started
    assert environment.want(two)[0] == "refused"
    good, follower = environment.folders[one], environment.follower

    def blind() -> Wanted | None:
        raise RecursionError

    monkeypatch.setattr(follower, "_wanted", blind)
    wait_until(lambda: any("goes on: RecursionError" in line for line in environment.said))
    worker = follower._live  # pyright: ignore[reportPrivateUsage]
    assert worker
    worker.directory = tmp_path / "gone"
    os.kill(worker.process.pid, signal.SIGKILL)
    wait_until(lambda: sum("does not start" in line for line in environment.said) > 1)
    follower._restore = (worker.wanted, good)  # pyright: ignore[reportPrivateUsage]
    wait_until(lambda: follower.live == one)


def test_the_pause_before_a_start_has_an_end() -> None:
    assert [_pause(n) for n in (0, 3, 10_000)] == [0.1, 0.8, 10.0]


def test_a_port_that_is_taken_is_said() -> None:
    with listen() as taken, pytest.raises(ServiceUnavailable, match="cannot listen"):
        listen(port=taken.getsockname()[1])


def live_pid(environment: Environment) -> int:
    worker = environment.follower._live  # pyright: ignore[reportPrivateUsage]
    return worker.process.pid if worker else 0


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def server_script(directory: Path, digest: str, tmp_path: Path) -> str:
    return f"""
import sys
from pathlib import Path
from lockgate.errors import LockgateError
from lockgate.serving.follow import Follower, Wanted, listen
from lockgate.release.layout import verify
socket = listen()
print(socket.getsockname()[1], flush=True)
def fetch(wanted):
    verify(Path({str(directory)!r}), wanted.release)
    return Path({str(directory)!r})
try:
    Follower("staging", socket, wanted=lambda: Wanted(release={digest!r}, entry="1"), fetch=fetch,
             answer=lambda kind, wanted, reason: print(kind, flush=True), log=Path({str(tmp_path / "log")!r}),
             say=lambda line: None).run()
except LockgateError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
