"""A step that runs once per day over 1,000 days, and one day's rows change: what planning and running cost.

    python benchmarks/partitions.py [DAYS]

CPU seconds are user + system time of the whole command with all its processes. "planning" is measured inside the process:
the graph is known, one of the days has changed, and the plan says which partitions will run and why. The goal is one
partition run again (and none more without a lookback), planned in at most 0.3 s. No peer recomputes one partition by its
content: Dagster and Airflow know partitions by name, DVC and Hamilton have none; they run all 1,000.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DAYS = 1000
ROWS_A_DAY = 100
ROUNDS = 5
GOAL_S = 0.3
LOCKGATE = "from lockgate.cli.main import main; raise SystemExit(main())"

STEPS = """
import polars as pl
from lockgate import Pipeline, step

@step(each="day", lookback={lookback})
def features(sales: pl.DataFrame) -> pl.DataFrame:
    return sales.with_columns(total=pl.col("units").cum_sum())

flow = Pipeline("flow", kind="data", steps=[features])
"""


def main() -> None:
    """Print a table."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 else DAYS
    for lookback in (0, 2):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), days, lookback)


def measure(folder: Path, days: int, lookback: int) -> None:
    """One project from nothing to one changed day."""
    lay_out(folder, days, lookback)
    print(f"{days} days of {ROWS_A_DAY} rows, lookback {lookback}{'':<14} CPU s  wall s")
    said(command(folder, "run"), "everything, the first time")
    nothing = min(command(folder, "plan") for _ in range(ROUNDS))
    said(nothing, "plan, nothing changed")
    write(folder, days, changed=days // 2)
    said(command(folder, "plan"), "plan, one day changed: parse and split")
    said(min(command(folder, "plan") for _ in range(ROUNDS)), "plan, one day changed: again")
    seconds = planning(folder)
    print(f"  {'planning alone':<50} {seconds:6.3f}   goal {GOAL_S}: {'met' if seconds <= GOAL_S else 'MISSED'}")
    cost = command(folder, "run", "--json")
    step = next(s for s in json.loads((folder / "out").read_text())["steps"] if s["name"] == "flow.features")
    said(cost, f"run: {len(step['partitions'])} of {days} partitions")


def said(cost: tuple[float, float], what: str) -> None:
    print(f"  {what:<50} {cost[0]:6.3f}  {cost[1]:6.3f}")


def planning(folder: Path) -> float:
    """CPU seconds of planning alone, best of a few."""
    from lockgate.delivery.run import plan
    from lockgate.project import open_project

    taken: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time()
        plan(open_project(folder), now=dt.datetime.now(dt.UTC))
        taken.append(time.process_time() - started)
    return min(taken)


def lay_out(folder: Path, days: int, lookback: int) -> None:
    (folder / "flow").mkdir()
    (folder / "flow" / "__init__.py").write_text("")
    (folder / "flow" / "steps.py").write_text(STEPS.format(lookback=lookback))
    (folder / "lockgate.toml").write_text(
        '[project]\nname = "flow"\npipelines = ["flow.steps"]\n[sources.sales]\nkind = "file"\npath = "sales.csv"\n'
    )
    write(folder, days, changed=None)


def write(folder: Path, days: int, *, changed: int | None) -> None:
    first = dt.date(2020, 1, 1)
    lines = ["date,units"]
    for day in range(days):
        date = first + dt.timedelta(days=day)
        lines += [f"{date},{row * 7 % 50 + (day == changed)}" for row in range(ROWS_A_DAY)]
    (folder / "sales.csv").write_text("\n".join(lines) + "\n")


def command(folder: Path, *arguments: str) -> tuple[float, float]:
    """CPU seconds and wall seconds of a command with all its processes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with (folder / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", LOCKGATE, *arguments], cwd=folder, check=True, stdout=out,
                       stderr=subprocess.DEVNULL, env=os.environ)  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, time.monotonic() - started


if __name__ == "__main__":
    main()
