"""`lockgate stream`: line per batch, equal to batch, exactly once after kill -9, stops cleanly."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from journeys.walking import GOOD, Lockgate, copy, until

from sources.warehouse import create, make, order, sinks, some_orders

pytestmark = pytest.mark.sampled(5)

HARNESS = (sys.executable, "-P", "-m", "lockgate.testing.kill")
SEED = int(os.environ.get("LOCKGATE_SEED", "11"))

DROPS = """
[project]
name = "flow"
pipelines = ["flow.steps"]

[sources.orders]
kind = "folder"
path = "data/drops"
settle = "1s"

[sinks.daily]
kind = "sqlite"
path = "data/out.db"
from = "daily"
mode = "replace"
"""


class Streaming:
    """`lockgate stream flow --json` beside the test."""

    def __init__(self, lockgate: Lockgate, every: str = "0.05s") -> None:
        self._file = lockgate.root / f"said-{time.monotonic_ns()}"
        with self._file.open("w") as out:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("lockgate")), "stream", "flow", "--every", every, "--json"],
                cwd=lockgate.root, stdout=out, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip

    def batches(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._file.read_text().splitlines()]

    def rows(self) -> int:
        """How far it came."""
        done = [b for b in self.batches() if b["batch"]]
        return done[-1]["sources"]["orders"]["rows"] if done else 0

    def end(self, sign: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(sign)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def batch_of(folder: Path, rows: int) -> Lockgate:
    """What one batch makes of the first orders."""
    lockgate = make(folder)
    create(folder)
    order(folder, some_orders(0, rows))
    lockgate("stream", "flow", "--once")
    return lockgate


def test_a_stream_ends_with_what_one_batch_makes(tmp_path: Path) -> None:
    lockgate = make(tmp_path / "stream")
    create(lockgate.root)
    streaming = Streaming(lockgate)
    until(lambda: any(b.get("waiting") for b in streaming.batches()), what=streaming.batches)
    for start in range(0, 60, 20):
        order(lockgate.root, some_orders(start, start + 20))
        until(lambda: streaming.rows() == start + 20, what=streaming.batches)
    code, err = streaming.end(signal.SIGTERM)
    assert (code, err) == (GOOD, "")
    batches = [b for b in streaming.batches() if b["batch"]]
    assert [b["batch"] for b in batches] == list(range(1, len(batches) + 1))
    assert sum(b["sources"]["orders"]["new"] for b in batches) == 60
    assert sum(b["sinks"]["big"]["written"] for b in batches) == batches[-1]["sinks"]["big"]["rows"]
    batch = batch_of(tmp_path / "batch", 60)
    assert sinks(lockgate.root) == sinks(batch.root)
    assert lockgate.actions() == {"flow.daily": "reuse", "flow.big": "reuse"}
    [line] = batch("stream", "flow", "--once", "--json").out.splitlines()
    assert json.loads(line)["sources"]["orders"]["identity"] == batches[-1]["sources"]["orders"]["identity"]


def test_a_stream_waits_for_a_locked_sink(tmp_path: Path) -> None:
    import sqlite3

    lockgate = batch_of(tmp_path, 10)
    other = sqlite3.connect(tmp_path / "data" / "out.db", isolation_level=None)
    other.execute("begin exclusive")
    order(tmp_path, some_orders(10, 20))
    streaming = Streaming(lockgate)
    until(lambda: any("locked" in b.get("waiting", "") for b in streaming.batches()), what=streaming.batches)
    other.execute("rollback")
    other.close()
    until(lambda: streaming.rows() == 20, what=streaming.batches)
    streaming.end(signal.SIGTERM)
    assert sinks(tmp_path) == sinks(batch_of(tmp_path / "batch", 20).root)


def test_a_step_that_fails_loses_nothing(tmp_path: Path) -> None:
    lockgate = batch_of(tmp_path / "stream", 10)
    steps = lockgate.root / "flow" / "steps.py"
    good = steps.read_text()
    steps.write_text(
        good.replace("    return orders.filter", "    raise ValueError('bad day')\n    return orders.filter")
    )
    order(lockgate.root, some_orders(10, 20))
    before = sinks(lockgate.root)
    done = lockgate("stream", "flow", "--once", expect=1)
    assert "ValueError: bad day" in done.err
    assert sinks(lockgate.root) == before
    steps.write_text(good)
    lockgate("stream", "flow", "--once")
    assert sinks(lockgate.root) == sinks(batch_of(tmp_path / "batch", 20).root)


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lockgate, Lockgate, list[str]]:
    """A stream with 20 orders written and 20 more to come; what a batch makes of all 40; the sites in between."""
    folder = tmp_path_factory.mktemp("halfway")
    prepared = batch_of(folder / "stream", 20)
    order(prepared.root, some_orders(20, 40))
    counted = copy(prepared, folder / "counted")
    done = Lockgate.end(
        counted.start("0", str(folder / "sites"), "--", "stream", "flow", "--once", prefix=HARNESS), "stream"
    )
    assert done.code == GOOD, done.text
    return prepared, batch_of(folder / "batch", 40), (folder / "sites").read_text().splitlines()


@pytest.mark.parametrize("number", range(6))
def test_killed_before_a_write_it_goes_on(
    halfway: tuple[Lockgate, Lockgate, list[str]], tmp_path: Path, number: int
) -> None:
    prepared, batch, sites = halfway
    chance = random.Random(f"{SEED}-{number}")
    ours = [n for n, s in enumerate(sites, 1) if "cursors.py" in s or "sqlite.py" in s]
    site = chance.choice(ours if number % 2 and ours else range(1, len(sites) + 1))
    print(f"LOCKGATE_SEED={SEED}: {sites[site - 1]}")
    lockgate = copy(prepared, tmp_path / "stream")
    done = Lockgate.end(
        lockgate.start(str(site), str(tmp_path / "log"), "--", "stream", "flow", "--once", prefix=HARNESS), "stream"
    )
    assert done.code in (-signal.SIGKILL, GOOD), done.text
    lockgate("stream", "flow", "--once")
    assert sinks(lockgate.root) == sinks(batch.root)


def test_killed_at_any_time_it_goes_on(tmp_path: Path) -> None:
    """Orders keep coming while the stream is killed again and again."""
    chance = random.Random(SEED)
    lockgate = make(tmp_path / "stream")
    create(lockgate.root)
    total = 0
    for _ in range(5):
        streaming = Streaming(lockgate, every="0.01s")
        ends = time.monotonic() + chance.uniform(0.3, 3.0)
        while time.monotonic() < ends:
            order(lockgate.root, some_orders(total, total + 5))
            total += 5
            time.sleep(chance.uniform(0, 0.1))
        streaming.end(signal.SIGKILL)
    lockgate("stream", "flow", "--once")
    assert sinks(lockgate.root) == sinks(batch_of(tmp_path / "batch", total).root)


def test_files_that_arrive(tmp_path: Path) -> None:
    """A half-written file is not taken; what was taken stays; the files' order is that of their names."""
    lockgate = make(tmp_path / "stream", toml=DROPS)
    drops = lockgate.root / "data" / "drops"
    streaming = Streaming(lockgate)
    until(lambda: any("no file yet" in b.get("waiting", "") for b in streaming.batches()), what=streaming.batches)
    drops.mkdir()
    csv = {f"{n}.csv": "id,day,amount\n" + "".join(f"{i},{d},{a}\n" for i, (d, a) in enumerate(some_orders(n, n + 3))) for n in (1, 2, 3)}  # fmt: skip
    for name in (".hidden.csv", "9.csv.tmp", "8.csv.part"):
        (drops / name).write_text("not yet")
    (drops / "3.csv").write_text(csv["3.csv"])
    with (drops / "1.csv").open("w") as slow:
        for character in csv["1.csv"]:
            slow.write(character)
            slow.flush()
            time.sleep(0.04)
    until(lambda: _files(streaming) == 2, what=streaming.batches)
    (drops / "3.csv").unlink()
    (drops / "2.csv.part").write_text(csv["2.csv"])
    (drops / "2.csv.part").rename(drops / "2.csv")
    until(lambda: _files(streaming) == 3, what=streaming.batches)
    assert streaming.end(signal.SIGTERM) == (GOOD, "")
    assert [b["sources"]["orders"]["new"] for b in streaming.batches() if b["batch"]] == [1, 1, 1]

    batch = make(tmp_path / "batch", toml=DROPS)
    (batch.root / "data" / "drops").mkdir()
    for name, text in csv.items():
        (batch.root / "data" / "drops" / name).write_text(text)
    time.sleep(1.1)
    [line] = batch("stream", "flow", "--once", "--json").out.splitlines()
    last = [b for b in streaming.batches() if b["batch"]][-1]
    assert json.loads(line)["sources"]["orders"]["identity"] == last["sources"]["orders"]["identity"]
    assert json.loads(line)["sinks"]["daily"]["artifact"] == last["sinks"]["daily"]["artifact"]


def _files(streaming: Streaming) -> int:
    done = [b for b in streaming.batches() if b["batch"]]
    return done[-1]["sources"]["orders"]["files"] if done else 0
