"""`plan` and `run`: what would run and why, and running it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING

from lockgate.build.plan import Known, make_plan, needed
from lockgate.delivery.graph import graph_of
from lockgate.delivery.known import known_of, remembered
from lockgate.delivery.sources.seeing import Seen, see
from lockgate.durable import sweep, write_atomic
from lockgate.errors import LockgateError, NotFound, ServiceUnavailable, did_you_mean
from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json, canonical, digest
from lockgate.records.frozen import frozen
from lockgate.records.graph import AS_OF, Graph
from lockgate.records.plan import Plan, Reuse, StepRecord, reused
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import datetime as dt
    from contextlib import AbstractContextManager
    from pathlib import Path

    from lockgate.build.engine import Engine
    from lockgate.build.execute import Event
    from lockgate.project import Project

LEFTOVERS_KEPT_S = 7 * 24 * 3600

__all__ = [
    "Planned",
    "RunRecord",
    "engine_of",
    "node_named",
    "plan",
    "plan_by_partition",
    "run",
    "sources_of",
    "targets_of",
]


@frozen
class Planned:
    """A plan with what it was made from."""

    graph: Graph
    plan: Plan
    known: Known
    sources: Mapping[str, Seen]
    as_of: dt.date
    targets: tuple[str, ...]


@frozen(kw_only=True)
class RunRecord:
    """One execution of a plan. `run` names it; `error` is None when every step is done."""

    run: str
    planned: Planned
    pipeline: str
    as_of: dt.date
    started: dt.datetime
    steps: tuple[StepRecord, ...]
    artifacts: Mapping[str, Artifact]
    parameters: Mapping[str, Mapping[str, Json]]
    error: LockgateError | None = None


def plan(
    project: Project,
    pipeline: str | None = None,
    *,
    now: dt.datetime,
    to: str | None = None,
    params: Mapping[str, Mapping[str, Json]] | None = None,
    graph: Graph | None = None,
) -> Planned:
    """Decide what each needed step will do. Imports nothing of the user's while the graph's trace holds.

    `graph` is one that the caller has read already: what it decided from that one holds for this plan, too.
    """
    now_ns = int(now.timestamp() * 1e9)
    graph = graph or graph_of(project, now_ns=now_ns)
    targets = targets_of(graph, pipeline, to)
    sources = see(project, now_ns=now_ns, wanted=sources_of(graph, targets))
    as_of = project.as_of(now.date())
    externals = {f"source:{n}": s.identity for n, s in sources.items()} | {AS_OF: digest("day", as_of.isoformat())}
    absent = {s.name: s.path for s in project.settings.sources if s.name not in sources}
    parameters = {**project.settings.params, **_merged(project, params)}
    known = known_of(project, externals, parameters, absent=absent, accepting=True)
    return Planned(graph, make_plan(graph, targets, known), known, sources, as_of, targets)


def plan_by_partition(
    project: Project,
    pipeline: str | None = None,
    *,
    now: dt.datetime,
    to: str | None = None,
    params: Mapping[str, Mapping[str, Json]] | None = None,
) -> Planned:
    """`plan` for a reader: tables that only wait to be split are split, so that it names the partitions to run."""
    planned = plan(project, pipeline, now=now, to=to, params=params)
    if any(n.each for n in planned.graph.nodes.values()):
        from lockgate.delivery.sources.partitions import looked

        last: dict[str, str] = {}
        planned = looked(planned, lambda part: _carry_out(project, part, last, lambda _: None, now, keep_going=False))
        _remember(project, last)
    return planned


def run(
    project: Project,
    pipeline: str | None = None,
    *,
    now: dt.datetime,
    to: str | None = None,
    params: Mapping[str, Mapping[str, Json]] | None = None,
    tell: Callable[[Event], None] = lambda _: None,
    keep_going: bool = False,
    agreed: Planned | None = None,
) -> RunRecord:
    """Plan and execute. A failing step keeps everything already computed; its error is in the record.

    Args:
        keep_going: after a failure, run what does not depend on it.
        agreed: carry out this plan; what else is given only names the record.
    """
    tries = 0
    while True:
        tries += 1
        planned = agreed or plan(project, pipeline, now=now, to=to, params=params)
        last = _settled(project, planned)
        try:
            steps, artifacts, error = _nothing_to_do(planned.plan) or _carry_out(
                project, planned, last, tell, now, keep_going=keep_going
            )
            break
        except ServiceUnavailable:  # garbage was collected between planning and running: plan again, once
            if tries == 2 or agreed is not None or _still_there(planned):
                raise
    _remember(project, last)
    record = RunRecord(
        run=f"{now:%Y%m%dT%H%M%S}-{digest('run', [str(now), os.getpid()])[7:13]}",
        planned=planned,
        pipeline=pipeline or "all",
        as_of=planned.as_of,
        started=now,
        steps=steps,
        artifacts=artifacts,
        parameters=planned.known.parameters,
        error=error,
    )
    if any(s.action != "reuse" for s in steps):
        _save(project, record)
    return record


Outcome = tuple[tuple[StepRecord, ...], Mapping[str, Artifact], LockgateError | None]


def _nothing_to_do(plan: Plan) -> Outcome | None:
    """A plan of nothing but Reuse needs no engine; loading one costs more than all the rest."""
    known = {s.node: s.action for s in plan.steps if isinstance(s.action, Reuse)}
    if len(known) < len(plan.steps):
        return None
    return tuple(reused(n, a) for n, a in known.items()), {n: a.artifact for n, a in known.items()}, None


def _carry_out(
    project: Project, planned: Planned, last: dict[str, str], tell: Callable[[Event], None], now: dt.datetime,
    *, keep_going: bool,
) -> Outcome:  # fmt: skip
    """Execute; `last` learns the key of each step that ran."""
    from lockgate.build.execute import execute
    from lockgate.delivery.outcomes import Outcomes
    from lockgate.delivery.turns import Turns

    outcomes = Outcomes(project, planned.graph.nodes, last)

    def alone(node: str, key: str) -> AbstractContextManager[Artifact | None]:
        return turns.alone(key, made=lambda: last.update({node: key}))

    _sweep(project, now)
    with Turns(project.leases, result=planned.known.result, lasts_s=project.settings.lease_s) as turns:
        turns.pin(_read_by(planned), still_there=lambda: _still_there(planned))
        with engine_of(project, planned, holds=outcomes.keep_many is not None) as engine:
            _note_sources(project, planned, now)
            done = execute(
                planned.graph, planned.plan, planned.known,
                engine=engine, keep=outcomes.keep, keep_many=outcomes.keep_many, tell=tell, workers=project.settings.workers,
                keep_going=keep_going, alone=alone,
            )  # fmt: skip
    return done.steps, done.artifacts, done.error


def _settled(project: Project, planned: Planned) -> dict[str, str]:
    """Node → the key under which its result was found."""
    known = [(s, s.action) for s in planned.plan.steps if isinstance(s.action, Reuse) and s.fingerprint]
    for step, action in known:
        if action.under and not action.accepted:  # recognised by an older algorithm: the next plan finds it at once
            _carry_over(project, action.under, str(step.fingerprint))
    return {s.node: a.under or str(s.fingerprint) for s, a in known}


def _read_by(planned: Planned) -> tuple[str, ...]:
    """Objects that a run may read and did not make itself, and the fingerprints under which it found them."""
    reuse = [(s, s.action) for s in planned.plan.steps if isinstance(s.action, Reuse)]
    found = {d for s, a in reuse for d in (a.artifact.object, a.under or s.fingerprint)}
    parts = {
        p.object for _, a in reuse if (made := planned.known.dataset(a.artifact)) for p in (*made.parts, made.empty)
    }
    files = {d for s in planned.sources.values() for _, d in s.files}
    return tuple(sorted(d for d in found | parts | files if d))


def _still_there(planned: Planned) -> bool:
    """Whether what the plan would reuse can still be reused; a collection removes the result before its object."""
    reuse = [(s, s.action) for s in planned.plan.steps if isinstance(s.action, Reuse)]
    keys = [a.under or s.fingerprint for s, a in reuse]
    return all(key and planned.known.result(key) is not None for key in keys)


def sources_of(graph: Graph, targets: Sequence[str]) -> frozenset[str]:
    """The sources that the targets are made from."""
    inputs = (i for n in needed(graph, targets) for i in graph.nodes[n].inputs.values())
    return frozenset(i.removeprefix("source:") for i in inputs if i.startswith("source:"))


def targets_of(graph: Graph, pipeline: str | None, to: str | None) -> tuple[str, ...]:
    """The nodes that were asked for: one step, one pipeline, or every data and training pipeline."""
    if pipeline is not None and pipeline not in graph.pipelines:
        steps = {n.rpartition(".")[2] for n in graph.nodes}
        if pipeline in steps:
            raise NotFound("that is a step, not a pipeline", value=pipeline, next=f"lockgate run --to {pipeline}")
        allowed = did_you_mean(pipeline, {*graph.pipelines, *steps})
        raise NotFound("no such pipeline or step", value=pipeline, allowed=allowed, next="lockgate graph")
    nodes = tuple(graph.nodes)
    if pipeline is not None:
        info = graph.pipelines[pipeline]
        nodes = graph.pipelines[info.delivers].nodes if info.delivers else info.nodes
    return nodes if to is None else (node_named(graph, to, among=nodes),)


def node_named(graph: Graph, name: str, *, among: Sequence[str] | None = None) -> str:
    """A node by its whole name, or by the step's alone when only one of them has it."""
    nodes = graph.nodes if among is None else among
    hits = [n for n in nodes if name in (n, n.rpartition(".")[2])]
    if len(hits) == 1:
        return hits[0]
    if not hits and name in sources_of(graph, tuple(nodes)):
        raise NotFound("that is a source, not a step", value=name, next=f"lockgate data log {name}")
    if not hits and name in _predictors_of(graph):
        raise NotFound("that is a predictor, not a step", value=name, next="lockgate graph")
    allowed = ", ".join(hits) or did_you_mean(name, {n.rpartition(".")[2] for n in nodes})
    what = "the name means more than one step" if hits else "no such step"
    raise NotFound(what, value=name, allowed=allowed, next="lockgate graph")


def _predictors_of(graph: Graph) -> frozenset[str]:
    return frozenset(str(p.predictor["target"]).rpartition(":")[2] for p in graph.pipelines.values() if p.predictor)


@contextlib.contextmanager
def engine_of(
    project: Project, planned: Planned, *, environment: Mapping[str, str] | None = None, holds: bool = False
) -> Generator[Engine]:
    """Sources are copied in only when a step will read them. `environment`, `holds`: see `Engine`."""
    from lockgate.build.engine import Engine
    from lockgate.delivery.sources.materialise import materialise
    from lockgate.delivery.sources.views import in_use

    files: dict[str, Path | str] = {AS_OF: planned.as_of.isoformat()}
    with contextlib.ExitStack() as views:
        for seen in _to_read(planned):
            views.enter_context(in_use(project, seen))
            files[f"source:{seen.name}"] = materialise(project, seen)
        yield views.enter_context(
            Engine(
                project.root, project.store_folder / "tmp",
                store=project.store, files=files, trace=planned.graph.trace, environment=environment, holds=holds,
            )
        )  # fmt: skip


def _to_read(planned: Planned) -> list[Seen]:
    """The sources that a step will read."""
    todo = [planned.graph.nodes[s.node] for s in planned.plan.steps if not isinstance(s.action, Reuse)]
    read = {i.removeprefix("source:") for n in todo for i in n.inputs.values() if i.startswith("source:")}
    return [planned.sources[n] for n in sorted(read) if n in planned.sources]


def _note_sources(project: Project, planned: Planned, now: dt.datetime) -> None:
    from lockgate.delivery.sources.history import note

    for seen in _to_read(planned):
        if seen.here.names or seen.rows is not None:  # an old version that is only read again is no news
            note(project, seen, now=now, by="run")


def _sweep(project: Project, now: dt.datetime) -> None:
    """Leftovers of killed processes, logs of failed steps and views of sources go after a week: no step runs that long."""
    before_s = now.timestamp() - LEFTOVERS_KEPT_S
    for folder in {project.store_folder, project.home}:
        sweep(folder / "tmp", "[0-9]*", before_s=before_s)
    sweep(project.home / "tmp" / "sources", "*", before_s=before_s)  # views that no step asked for since
    sweep(project.home / "releases", ".*-*", before_s=before_s)


def _carry_over(project: Project, before: str, now: str) -> None:
    if record := project.results("results").get(before):
        project.results("results").put(now, record)


def _merged(project: Project, params: Mapping[str, Mapping[str, Json]] | None) -> dict[str, Mapping[str, Json]]:
    given = params or {}
    return {s: {**project.settings.params.get(s, {}), **v} for s, v in given.items()}


def _remember(project: Project, last: Mapping[str, str]) -> None:
    known = remembered(project)
    if any(known.get(n) != k for n, k in last.items()):
        with contextlib.suppress(OSError):  # only reasons come from it
            write_atomic(project.home / "last.json", canonical({**known, **last}), sync=False)


def _save(project: Project, record: RunRecord) -> None:
    """The run's own record: what `runs` lists."""
    from lockgate.build.machine import machine

    content = {
        "machine": machine(), "run": record.run, "pipeline": record.pipeline, "as_of": record.as_of.isoformat(), "started": record.started.isoformat(),
        "steps": [to_json(s) for s in record.steps], "parameters": to_json(record.parameters),
        "error": record.error.what if record.error else None,
    }  # fmt: skip
    write_atomic(project.home / "runs" / f"{record.run}.json", canonical(content))
