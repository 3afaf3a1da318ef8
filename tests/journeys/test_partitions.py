"""A data pipeline that works month by month, as its user holds it: late readings, a lost month, a kill in the middle."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
from pathlib import Path

import pytest

from journeys.killing import HARNESS, whole
from journeys.walking import FAILED, WIDTH, Lockgate

METERS = Path(__file__).parents[1] / "projects" / "meters"
SEED = int(os.environ.get("LOCKGATE_KILL_SEED", "2"))
FIRST = dt.date(2011, 9, 1)
MONTHS = ("2011-09", "2011-10", "2011-11", "2011-12")
KILLS = 3


def readings(root: Path, *more: str, without: str = "-") -> None:
    """A reading every second day of four months: 3 kWh each time."""
    days = [FIRST + dt.timedelta(days=2 * n) for n in range(61)]
    lines = [f"{d}T06:00:00,{n * 3}" for n, d in enumerate(days)]
    kept = [line for line in (*lines, *more) if not line.startswith(without)]
    (root / "readings.csv").write_text("time,counter\n" + "\n".join(kept) + "\n")


@pytest.fixture
def meters(tmp_path: Path) -> Lockgate:
    shutil.copytree(METERS, tmp_path / "meters", ignore=shutil.ignore_patterns("__pycache__", ".lockgate"))
    readings(tmp_path / "meters")
    (tmp_path / "meters" / "tariffs.csv").write_text("cents\n20\n")
    return Lockgate(tmp_path / "meters")


def ran(lockgate: Lockgate) -> dict[str, list[str]]:
    """Run; step → its partitions that ran."""
    steps = lockgate.json("run")["steps"]
    return {s["name"].removeprefix("billing."): s["partitions"] for s in steps if s["partitions"] is not None}


def digests(lockgate: Lockgate) -> dict[str, str]:
    return {s["name"]: s["digest"] for s in lockgate.json("plan")["steps"]}


def in_an_empty_store(lockgate: Lockgate, folder: Path) -> dict[str, str]:
    """What a full run makes."""
    shutil.copytree(lockgate.root, folder, ignore=shutil.ignore_patterns(".lockgate"))
    other = Lockgate(folder)
    other("run")
    return digests(other)


def test_a_late_reading(meters: Lockgate, tmp_path: Path) -> None:
    assert ran(meters) == {"used": list(MONTHS), "costs": list(MONTHS)}
    assert ran(meters) == {}
    bill = meters.json("show", "bill")["value"]
    assert bill["2011-09"] == 14 * 3 * 20  # the first reading of all has none before it
    assert bill["2011-10"] == 16 * 3 * 20  # the first of a month is counted from the last of the month before
    readings(meters.root, "2011-11-02T18:00:00,93")
    told = meters("plan").out
    assert "run     2 of 4 partitions: 2011-11, 2011-12 (input readings changed)" in told
    assert all(len(line) <= WIDTH for line in told.splitlines())
    assert meters("why", "used").out.splitlines()[2:] == [
        "  2011-11: input readings changed",
        "  2011-12: input readings changed in 2011-11",
    ]
    assert ran(meters) == {"used": ["2011-11", "2011-12"], "costs": ["2011-11"]}  # December came out as it was
    assert digests(meters) == in_an_empty_store(meters, tmp_path / "full")


def test_a_month_is_lost_and_comes_back(meters: Lockgate, tmp_path: Path) -> None:
    ran(meters)
    before = digests(meters)
    readings(meters.root, without="2011-10")
    assert ran(meters) == {"used": ["2011-11"], "costs": ["2011-11"]}
    assert list(meters.json("show", "bill")["value"]) == ["2011-09", "2011-11", "2011-12"]
    assert digests(meters) == in_an_empty_store(meters, tmp_path / "full")
    readings(meters.root)
    assert ran(meters) == {}  # this very table was seen before
    assert digests(meters) == before


def test_what_is_read_whole_wakes_everybody(meters: Lockgate) -> None:
    ran(meters)
    (meters.root / "tariffs.csv").write_text("cents\n21\n")
    assert "run     4 of 4 partitions (input tariffs changed)" in meters("plan").out
    assert ran(meters) == {"costs": list(MONTHS)}
    assert meters("plan", "--param", "costs.fee=3").out.count("parameter fee 0 → 3") == 1


def test_a_row_without_a_time_is_refused_with_words(meters: Lockgate) -> None:
    readings(meters.root, ",77")
    meters("plan")
    done = meters("run", expect=FAILED)
    assert "a table cannot be partitioned: 1 rows have no time" in done.err


def test_kill_before_a_write_loses_no_partition(meters: Lockgate, tmp_path: Path) -> None:
    """A seeded sample of all writes of a first run: what is stored is whole, is used, and the result is the same."""
    meters("plan")
    expected = in_an_empty_store(meters, tmp_path / "full")
    sites = len(_stopped(_copied(meters, tmp_path / "count"), 0).read_text().splitlines())
    assert sites > KILLS * 4
    chance = random.Random(SEED)
    for part in range(KILLS):
        site = 1 + int((part + chance.random()) / KILLS * sites)
        print(f"seed {SEED}: killed before write {site} of {sites}")
        copy = _copied(meters, tmp_path / f"killed{site}")
        _stopped(copy, site)
        whole(copy.root)
        stored = len(list(copy.root.glob(".lockgate/results/??/*")))
        again = ran(copy)
        assert sum(len(p) for p in again.values()) <= 2 * len(MONTHS) - max(0, stored - len(expected))
        assert digests(copy) == expected
        whole(copy.root)


def _copied(lockgate: Lockgate, folder: Path) -> Lockgate:
    shutil.copytree(lockgate.root, folder / "meters")
    return Lockgate(folder / "meters")


def _stopped(lockgate: Lockgate, site: int) -> Path:
    """Run until the N-th write, or to the end; answers the list of writes."""
    log = lockgate.root.parent / "sites"
    Lockgate.end(lockgate.start(str(site), str(log), "--", "run", prefix=HARNESS), "run")
    return log
