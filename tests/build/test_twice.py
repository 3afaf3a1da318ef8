"""`run --twice` names the steps that do not make the same again, and why; what the first run made stays."""

from __future__ import annotations

import json
from pathlib import Path

from build.working_copy import WorkingCopy

STEPS = """
import datetime as dt, random, time
from lockgate import Pipeline, step

@step
def good() -> int: return 1

@step
def rolled(good: int) -> list[float]: return [random.random() for _ in range(3)]

@step
def named(good: int) -> list[str]: return list({"a", "b", "c", "dd", "ee"})

@step
def stamped(good: int) -> float: return time.time()

@step
def dated(good: int) -> str: return dt.date.today().isoformat()

@step
def formatted(good: int) -> str: return time.strftime("%Y-%m-%d")

@step
def zoned(good: int) -> list[str]:
    here, there = time.localtime(), time.gmtime()
    return [time.strftime("%Y-%m-%d", here), time.strftime("%Y-%m-%d", there), time.ctime()[:10], time.asctime()[:10]]

@step
def of_a_moment(good: int) -> list[str]:
    at = time.gmtime(0)
    return [time.strftime("%Y", at), time.asctime(at), time.ctime(0), str(time.localtime(0))]

@step
def after(dated: str) -> int: return len(dated)

flow = Pipeline("flow", kind="data", steps=[good, rolled, named, stamped, dated, formatted, zoned, of_a_moment, after])
"""
WHY = {
    "rolled": "random numbers without a seed",
    "named": "the order of a set",
    "stamped": "the time",
    "dated": "the date or the time",
    "formatted": "the date or the time",
    "zoned": "the date or the time",
}


def test_every_kind_of_chance_is_named(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, STEPS)
    done = copy.command("run", "--twice", "--json")
    assert done.returncode == 1, done.stderr
    found = {s["name"].removeprefix("flow."): s for s in json.loads(done.stdout)["twice"]}
    assert {n for n, s in found.items() if not s["same"]} == set(WHY)
    assert {n for n, s in found.items() if s["same"]} == {"good", "after", "of_a_moment"}
    for name, words in WHY.items():
        assert found[name]["suspected"].startswith(words)
        assert found[name]["how_far"]["places"]
    assert (
        "a step did not make the same twice: flow.rolled, flow.named, flow.stamped, flow.dated, flow.formatted, flow.zoned"
        in done.stderr
    )
    first = {s["name"]: s["digest"] for s in json.loads(done.stdout)["steps"]}
    again = copy.command("run", "--json")
    assert {s["name"]: s["digest"] for s in json.loads(again.stdout)["steps"]} == first
    assert {s["action"] for s in json.loads(again.stdout)["steps"]} == {"reuse"}


def test_nothing_ran_and_nothing_differs(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, STEPS)
    done = copy.command("run", "--to", "good", "--twice")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done  1 run twice, 1 the same"
    assert copy.command("run", "--to", "good", "--twice").stdout == "done  nothing ran, so nothing ran twice\n"


def test_runs_and_results_know_their_machine(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, STEPS)
    assert copy.command("run", "--to", "good").returncode == 0
    (run,) = (tmp_path / ".lockgate" / "runs").glob("*.json")
    (result,) = (tmp_path / ".lockgate" / "results").glob("??/*")
    for machine in (json.loads(run.read_text())["machine"], json.loads(result.read_text())["record"]["machine"]):
        assert machine["OMP_NUM_THREADS"] == "1"
        assert machine["cores"] >= 1
        assert machine["cpu"]


WAITING = """
import datetime as dt, time
from lockgate import Pipeline, step

@step
def boxed() -> float:
    began, end = time.time(), dt.datetime.now() + dt.timedelta(seconds=1)
    while time.time() < began + 1 or dt.datetime.now() < end:
        pass
    return time.time()

flow = Pipeline("flow", kind="data", steps=[boxed])
"""


def test_a_step_that_waits_for_time_to_pass_is_tried_and_named(tmp_path: Path) -> None:
    """While the clock stands still, every look at it takes a millisecond."""
    done = WorkingCopy(tmp_path, WAITING).command("run", "--twice", "--json")
    assert done.returncode == 1, done.stderr
    (found,) = json.loads(done.stdout)["twice"]
    assert found["suspected"].startswith("the time: it agrees with itself while the clock stands still")
    assert "trying flow.boxed again under" in done.stderr
