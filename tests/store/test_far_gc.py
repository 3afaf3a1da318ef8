"""`store gc` on a bucket: beside other copies and runs, killed in the middle, and what it costs."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
import time
import types
from collections import Counter
from pathlib import Path

import pytest
from lockgate.abreast import at_once
from lockgate.adapters.s3.bucket import Bucket
from lockgate.delivery.store import gc
from lockgate.project import open_project
from lockgate.records.digest import digest_bytes
from lockgate.records.held import GRACE_S

from adapters.seaweed import Seaweed
from build.working_copy import LOCKGATE, WorkingCopy
from journeys.far import counted, name_of
from store.test_gc_beside_runs import STEPS

LATER_S = 40 * 24 * 3600
LATER = """
import os, signal, sys, types
import obstore
from lockgate.delivery.store import gc
now_s = float(sys.argv.pop(1))  # a bucket's objects cannot be made old
gc.time = types.SimpleNamespace(time=lambda: now_s)
kill_at, gc.AT_ONCE = int(sys.argv.pop(1)), int(sys.argv.pop(1))
delete, calls = obstore.delete, []
def counting(*arguments):
    calls.append(arguments)
    if len(calls) == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return delete(*arguments)
obstore.delete = counting
from lockgate.cli.main import main
raise SystemExit(main(["store", "gc", "--keep", "0", *sys.argv[1:]]))
"""


@pytest.fixture
def shared(s3: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[WorkingCopy, WorkingCopy, Bucket]:
    """Two working copies with other parameters, so that what one reuses is garbage for the other."""
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    url = s3.url(f"far-gc-{time.time_ns()}")
    toml = f'[store]\nurl = "{url}"\nlease_s = 1\n[params.base]\nnumber = '
    one, two = (WorkingCopy(tmp_path / n, STEPS, toml=f"{toml}{k}\n") for n, k in (("one", 1), ("two", 2)))
    return one, two, Bucket(url)


def collected(
    copy: WorkingCopy, *options: str, kill_at: int = 0, at_once: int = 500, now_s: float | None = None
) -> subprocess.CompletedProcess[str]:
    """`lockgate store gc --keep 0` as if it were forty days later, or at another time."""
    now_s = time.time() + LATER_S if now_s is None else now_s
    command = [sys.executable, "-c", LATER, str(now_s), str(kill_at), str(at_once), *options]
    return subprocess.run(command, cwd=copy.root, capture_output=True, text=True, timeout=60, check=False)


def good(copy: WorkingCopy, *command: str) -> str:
    done = copy.command(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def objects(bucket: Bucket) -> set[str]:
    return {name for name, _, _ in bucket.list("objects")}


def stray(bucket: Bucket, data: bytes) -> str:
    """An object that nothing names."""
    name = name_of(digest_bytes(data))
    bucket.write(name, data)
    return name


def test_young_things_stay_and_old_ones_go(shared: tuple[WorkingCopy, WorkingCopy, Bucket]) -> None:
    one, two, bucket = shared
    good(one, "run")
    lost, before = stray(bucket, b"nobody names me"), objects(bucket)
    assert json.loads(good(one, "store", "gc", "--keep", "0", "--yes", "--json"))["objects"] == []
    dry = collected(one, "--json")
    assert [name_of(d) for d in json.loads(dry.stdout)["objects"]] == [lost]
    assert objects(bucket) == before | {lost}
    assert collected(one, "--yes").returncode == 0
    assert objects(bucket) == before - {lost}
    assert "0 run, 3 reused" in good(one, "run")
    good(one, "store", "check")
    assert collected(two, "--yes").returncode == 0  # another's older results may go: they are made again
    assert objects(bucket) == set()
    assert "3 run" in good(one, "run")


def test_what_a_run_reads_stays_while_another_copy_collects(shared: tuple[WorkingCopy, WorkingCopy, Bucket]) -> None:
    one, two, bucket = shared
    good(two, "run")
    others = objects(bucket)
    good(one, "run", "--to", "base")
    (base,) = objects(bucket) - others
    time.sleep(1.1)  # a bucket says whole seconds
    begins_s = int(time.time())
    run = subprocess.Popen(
        [LOCKGATE, "run"], cwd=one.root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    collections = 0
    while run.poll() is None and not list(bucket.list("leases")):  # it says what it will read
        time.sleep(0.02)
    while run.poll() is None:  # what lay there before is old, what the run makes is young
        done = collected(two, "--yes", now_s=begins_s + GRACE_S)
        assert done.returncode == 0, done.stdout + done.stderr
        collections += 1
    out, err = run.communicate()
    assert run.returncode == 0, out + err
    assert collections >= 1
    assert "2 run, 1 reused" in out
    good(two, "store", "check")
    assert collected(two, "--yes").returncode == 0
    assert base not in objects(bucket)  # the proof that it was the run which protected it


@pytest.mark.parametrize("kill_at", [1, 4])
def test_a_killed_collection_is_gone_on_with(shared: tuple[WorkingCopy, WorkingCopy, Bucket], kill_at: int) -> None:
    """Records go first, so nothing names what is gone; then the next command works, here and on another machine."""
    one, two, bucket = shared
    good(one, "run")
    good(two, "run")
    strays = {stray(bucket, bytes([n])) for n in range(4)}
    done = collected(two, "--yes", kill_at=kill_at, at_once=2)
    assert done.returncode == -signal.SIGKILL
    found = bucket.read("leases/gc")
    assert found
    lease = {**json.loads(found[0]), "host": "another machine"}
    bucket.write("leases/gc", json.dumps(lease).encode())
    good(one, "store", "check")
    if kill_at == 1:  # a run waits for as long as the lease lasts, and once
        assert "2 run, 1 reused" in good(one, "run", "--param", "slow.salt=1")
        assert bucket.read("leases/gc") is None
    again = collected(two, "--yes", at_once=2)
    assert again.returncode == 0, again.stdout + again.stderr
    assert not strays & objects(bucket)
    assert list(bucket.list("leases")) == []
    good(two, "store", "check")
    assert "0 run, 3 reused" in good(two, "run")
    assert "reused" in good(one, "run")


def test_a_collection_that_is_at_work_is_not_taken_over(shared: tuple[WorkingCopy, WorkingCopy, Bucket]) -> None:
    from lockgate.delivery.turns import Turns

    one, two, bucket = shared
    good(one, "run")
    with Turns(open_project(two.root).leases, result=lambda _: None, lasts_s=2.0) as turns, turns.collecting():
        done = collected(one, "--yes")
        assert done.returncode == 5, done.stdout + done.stderr
        assert "somebody else collects" in done.stderr
        turns.still_collecting()
    assert bucket.read("leases/gc") is None


def test_many_are_deleted_at_the_price_of_a_few_requests(
    shared: tuple[WorkingCopy, WorkingCopy, Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _, bucket = shared
    good(one, "run")
    kept = objects(bucket)
    list(at_once(lambda n: stray(bucket, f"stray {n}".encode()), range(1100)))
    monkeypatch.setattr(gc, "time", types.SimpleNamespace(time=lambda: time.time() + LATER_S))
    with counted() as made:
        garbage = gc.collect(open_project(one.root), now=dt.datetime.now(dt.UTC), keep_days=0)
    assert len(garbage.objects) == 1100
    assert objects(bucket) == kept
    calls = Counter(call for call, _ in made)
    assert calls["delete"] == 3 + 1  # 1,100 objects by 500, and the lease
    assert sum(calls.values()) < 50, calls
