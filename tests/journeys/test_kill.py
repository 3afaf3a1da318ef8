"""Kill -9 before a seeded sample of all writes; `make soak` takes every one. And kill what serves."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from journeys.killing import SCENES, Scene, count, kill
from journeys.walking import Lockgate, Server, until

Copier = Callable[[Lockgate], Lockgate]

SEED = int(os.environ.get("LOCKGATE_KILL_SEED", "2"))
SAMPLES = [(scene, number) for scene in SCENES for number in range(scene.sample)]


@pytest.fixture(scope="session")
def sites(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Scene], list[str]]:
    """The sites of a scene, counted once."""
    counted: dict[str, list[str]] = {}

    def of(scene: Scene) -> list[str]:
        if scene.name not in counted:
            counted[scene.name] = count(scene, request.getfixturevalue(scene.station), tmp_path_factory.mktemp("count"))
        return counted[scene.name]

    return of


@pytest.mark.parametrize(("scene", "number"), SAMPLES, ids=[f"{s.name} {n}" for s, n in SAMPLES])
def test_a_kill_before_a_write_loses_nothing(
    scene: Scene, number: int, sites: Callable[[Scene], list[str]], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    known = sites(scene)
    part = random.Random(f"{SEED} {scene.name} {number}").random()
    site = 1 + int((number + part) / scene.sample * len(known))  # one out of each part of the way
    print(f"seed {SEED}: killed before site {site} of {len(known)}: {known[site - 1]}")
    kill(scene, request.getfixturevalue(scene.station), tmp_path / "killed", site=site)


@pytest.mark.parametrize("victim", ["worker", "parent"])
def test_every_answer_that_arrived_is_in_the_log(delivered: Lockgate, fresh: Copier, victim: str) -> None:
    lockgate = fresh(delivered)
    arrived: list[str] = []
    lost: list[str] = []
    ended = threading.Event()
    with Server(lockgate, "production") as production:
        production.answers()
        worker = child_of(production.pid)

        def client() -> None:
            while not ended.is_set():
                try:
                    arrived.append(production.predict()["request_id"])
                except Exception as error:
                    lost.append(repr(error))

        clients = [threading.Thread(target=client) for _ in range(4)]
        for each in clients:
            each.start()
        until(lambda: len(arrived) > 50)
        os.kill(worker if victim == "worker" else production.pid, signal.SIGKILL)
        if victim == "worker":
            seen = len(arrived)
            until(lambda: len(arrived) > seen + 50)  # it is started again on the same socket
        else:
            until(lambda: not Path(f"/proc/{worker}").exists())  # nobody serves without its parent
        ended.set()
        for each in clients:
            each.join()
    logged = predicted(lockgate)
    assert len(arrived) > 50
    assert set(arrived) <= logged
    with Server(lockgate, "production") as production:
        again = production.answers().predict()["request_id"]
    assert predicted(lockgate) >= logged | {again}
    lockgate("ledger", "verify")


def predicted(lockgate: Lockgate) -> set[str]:
    from lockgate.serving.log import read_log

    return {p.request_id for p in read_log(lockgate.root / ".lockgate" / "predictions" / "production")}


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
