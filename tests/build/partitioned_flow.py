"""A project whose steps run per partition, run in this process; and, in plain Python, what must come out of it and run.

Only the step's process is left out: everything else, from capture to store, is the real thing.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from lockgate.build.jobs import Jobs
from lockgate.build.processes import Processes
from lockgate.build.explain import words
from lockgate.build.looking import Looking
from lockgate.build.lower import lower
from lockgate.build.protocol import Code, Job, Reply
from lockgate.build.sandbox import Machine, Sandbox
from lockgate.build.worker import run_job
from lockgate.delivery import run as delivery
from lockgate.delivery.why import why
from lockgate.project import Project, open_project
from lockgate.records.graph import Graph, Node, PipelineInfo, Trace
from lockgate.records.wire import from_json

from build.small_project import imported_from
from build.working_copy import NOW, WorkingCopy

STEPS = """
import polars as pl
from lockgate import Pipeline, step

SHIFT = {shift}

@step
def clean(sales: pl.DataFrame) -> pl.DataFrame:
    return sales.filter(pl.col("units") >= 0)

@step(each="month", lookback={lookback}, whole=["rates"])
def features(clean: pl.DataFrame, rates: pl.DataFrame, times: int = 1) -> pl.DataFrame:
    units = pl.col("units").cum_sum() * times * rates["rate"].sum() + SHIFT
    return clean.select("date", total=units // 10)

@step(each="month")
def doubled(features: pl.DataFrame) -> pl.DataFrame:
    return features.with_columns(twice=pl.col("total") * 2)

@step
def answer(doubled: pl.DataFrame) -> int:
    return doubled["twice"].sum()

flow = Pipeline("flow", kind="data", steps=[clean, features, doubled, answer])
"""

TOML = """
[sources.sales]
kind = "file"
path = "sales.csv"
[sources.rates]
kind = "file"
path = "rates.csv"
[run]
workers = 1
[params.features]
times = {times}
"""

Row = tuple[str, int]
"""A date and units."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything that an edit may change."""

    rows: tuple[Row, ...]
    rate: int = 1
    shift: int = 0
    times: int = 1
    lookback: int = 0

    @property
    def months(self) -> list[str]:
        return sorted({d[:7] for d, _ in self.rows})

    def write(self, root: Path) -> None:
        copy = WorkingCopy(
            root, STEPS.format(shift=self.shift, lookback=self.lookback), toml=TOML.format(times=self.times)
        )
        copy.write("sales.csv", "date,units\n" + "".join(f"{d},{u}\n" for d, u in self.rows))
        copy.write("rates.csv", f"rate\n{self.rate}\n")


@dataclass
class Model:
    """What one working copy has made, by what it was made from: plain Python, no digest."""

    made: set[object] = field(default_factory=set[object])

    def runs(self, state: State) -> dict[str, tuple[str, ...]]:
        """The partitions that must run now, per step; from now on they are made."""
        return {"features": self._new("features", seen(state)), "doubled": self._new("doubled", results(state))}

    def _new(self, step: str, inputs: dict[str, object]) -> tuple[str, ...]:
        fresh = [m for m, i in inputs.items() if (step, m, i) not in self.made]
        self.made |= {(step, m, i) for m, i in inputs.items()}
        return tuple(fresh)


def seen(state: State) -> dict[str, object]:
    """Month → everything its run of `features` depends on."""
    shared = (state.rate, state.shift, state.times, state.lookback)
    return {m: (shared, window(state, m)) for m in state.months}


def window(state: State, month: str) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """The months that a month sees, each with its rows in order."""
    last = number(month)
    shown = [m for m in state.months if last - state.lookback <= number(m) <= last]
    return tuple((m, tuple(r for r in state.rows if r[0].startswith(m))) for m in shown)


def results(state: State) -> dict[str, object]:
    """Month → the rows that `features` makes."""
    found: dict[str, object] = {}
    for month in state.months:
        rows = [row for _, part in window(state, month) for row in part]
        sums = itertools.accumulate(u for _, u in rows)
        totals = [(d, (s * state.times * state.rate + state.shift) // 10) for (d, _), s in zip(rows, sums, strict=True)]
        found[month] = tuple(t for t in totals if t[0].startswith(month))
    return found


def number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:])


class Here:
    """Runs projects in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Processes, "run", _in_this_process)
        monkeypatch.setattr(Jobs, "kind", lambda *_: None)
        monkeypatch.setattr(delivery, "graph_of", _captured_here)

    def run(self, root: Path) -> delivery.RunRecord:
        """Run everything; a failure is raised."""
        record = self.tried(root)
        if record.error:
            raise record.error
        return record

    def tried(self, root: Path) -> delivery.RunRecord:
        with imported_from(root):
            importlib.import_module("flow.steps")
            return delivery.run(open_project(root), now=NOW)

    def plan(self, root: Path) -> dict[str, str]:
        """Step → what it will do and why."""
        with imported_from(root):
            importlib.import_module("flow.steps")
            planned = delivery.plan_by_partition(open_project(root), now=NOW)
            return {s.node: " ".join(words(s)) for s in planned.plan.steps}

    def why(self, root: Path, step: str) -> list[str]:
        with imported_from(root):
            importlib.import_module("flow.steps")
            return why(delivery.plan_by_partition(open_project(root), now=NOW), step)[1]


def ran(record: delivery.RunRecord) -> dict[str, tuple[str, ...]]:
    """Step → the partitions that ran, of every step that has any."""
    return {s.name.removeprefix("flow."): s.partitions for s in record.steps if s.partitions is not None}


def table_of(root: Path, record: delivery.RunRecord, node: str) -> pl.DataFrame:
    """What a node made, in one piece."""
    artifact = record.artifacts[node]
    path = open_project(root).store.get(artifact.object)
    if artifact.codec != "dataset":
        return pl.read_ipc(path)
    parts = json.loads(path.read_bytes())["parts"]
    return pl.concat([pl.read_ipc(open_project(root).store.get(p["object"])) for p in parts])


def _in_this_process(_: Processes, job: Job, __: object) -> Reply:
    return run_job(job, Sandbox(job, _machine(job.root)))


@functools.cache
def _machine(root: str) -> Machine:
    """Nobody enters it here, so its descriptors are closed."""
    machine = Machine(Code(root=root))
    for descriptor in machine.opened:
        os.close(descriptor)
    return machine


def _captured_here(project: Project, **_: object) -> Graph:
    lowered = lower(
        project.root, project.settings.pipelines, sorted(s.name for s in project.settings.sources),
        looking=Looking(str(project.root)),
    )  # fmt: skip
    trace = Trace(interpreter="", files=(), listings={}, environment={}, packages={}, preload=())
    return Graph(
        nodes={n: from_json(Node, r) for n, r in lowered["nodes"].items()},
        order=tuple(lowered["order"]),
        pipelines={n: from_json(PipelineInfo, r) for n, r in lowered["pipelines"].items()},
        trace=trace,
    )
