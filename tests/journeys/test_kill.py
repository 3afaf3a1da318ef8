"""Kill -9 before a seeded sample of all writes; `make soak` takes every one. And kill what serves."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from journeys.killing import SCENES, Scene, count, kill
from journeys.walking import Lockgate, Server, until

Copier = Callable[[Lockgate], Lockgate]

SEED = int(os.environ.get("LOCKGATE_KILL_SEED", "2"))
AT_ONCE = 2


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: s.name)
def test_a_kill_before_a_write_loses_nothing(scene: Scene, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A seeded sample: one site out of each part of the way, a site only once."""
    prepared = request.getfixturevalue(scene.station)
    sites = count(scene, prepared, tmp_path / "count")
    chance = random.Random(f"{SEED} {scene.name}")
    chosen = sorted({1 + int((part + chance.random()) / scene.sample * len(sites)) for part in range(scene.sample)})
    print(
        f"seed {SEED}: {scene.name} has {len(sites)} sites; killed before",
        *(f"\n  {sites[site - 1]}" for site in chosen),
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda site: kill(scene, prepared, tmp_path / str(site), site=site), chosen):
            pass


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
