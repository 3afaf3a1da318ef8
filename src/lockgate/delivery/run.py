"""`plan` and `run`: what would run and why, and running it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lockgate.build.explain import differences, words
from lockgate.build.fingerprint import parameters_of
from lockgate.build.plan import Known, make_plan
from lockgate.build.trace import interpreter
from lockgate.delivery.graph import graph_of
from lockgate.delivery.sources import Seen, materialise, see
from lockgate.durable import sweep, write_atomic
from lockgate.errors import IntegrityError, LockgateError, NotFound, ServiceUnavailable, did_you_mean
from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json, canonical, digest
from lockgate.records.graph import AS_OF, Graph
from lockgate.records.plan import Plan, Result, Reuse, StepRecord
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    import datetime as dt
    from contextlib import AbstractContextManager
    from pathlib import Path

    from lockgate.build.engine import Engine
    from lockgate.build.execute import Event
    from lockgate.project import Project

R = TypeVar("R")
LEFTOVERS_KEPT_S = 7 * 24 * 3600

__all__ = ["Planned", "RunRecord", "known_of", "last_keys", "node_named", "plan", "run", "targets_of", "why"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from."""

    graph: Graph
    plan: Plan
    known: Known
    sources: Mapping[str, Seen]
    as_of: dt.date
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
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
) -> Planned:
    """Decide what each needed step will do. Imports nothing of the user's while the graph's trace holds."""
    now_ns = int(now.timestamp() * 1e9)
    graph = graph_of(project, now_ns=now_ns)
    targets = targets_of(graph, pipeline, to)
    sources = see(project, now_ns=now_ns)
    as_of = project.as_of(now.date())
    externals = {f"source:{n}": s.identity for n, s in sources.items()} | {AS_OF: digest("day", as_of.isoformat())}
    known = known_of(project, externals, {**project.settings.params, **_merged(project, params)})
    return Planned(graph, make_plan(graph, targets, known), known, sources, as_of, targets)


def run(
    project: Project,
    pipeline: str | None = None,
    *,
    now: dt.datetime,
    to: str | None = None,
    params: Mapping[str, Mapping[str, Json]] | None = None,
    tell: Callable[[Event], None] = lambda _: None,
) -> RunRecord:
    """Plan and execute. A failing step keeps everything already computed; its error is in the record."""
    tries = 0
    while True:
        tries += 1
        planned = plan(project, pipeline, now=now, to=to, params=params)
        last = {s.node: s.fingerprint for s in planned.plan.steps if isinstance(s.action, Reuse) and s.fingerprint}
        try:
            outcome = _nothing_to_do(planned.plan) or _carry_out(project, planned, last, tell, now)
            break
        except ServiceUnavailable:
            if tries == 2 or _still_there(planned):
                raise
    steps, artifacts, error = outcome
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
    known = {s.node: s.action.artifact for s in plan.steps if isinstance(s.action, Reuse)}
    if len(known) < len(plan.steps):
        return None
    return tuple(StepRecord(name=n, action="reuse", reason="", digest=a.digest) for n, a in known.items()), known, None


def _carry_out(
    project: Project, planned: Planned, last: dict[str, str], tell: Callable[[Event], None], now: dt.datetime
) -> Outcome:
    """Execute; `last` learns the key of each step that ran."""
    from lockgate.build.execute import execute
    from lockgate.delivery.turns import Turns

    results = project.results("results")

    def keep(node: str, key: str, result: Result) -> None:
        results.put(key, {**to_json(result), "node": node})
        last[node] = key

    def alone(node: str, key: str) -> AbstractContextManager[Artifact | None]:
        return turns.alone(key, made=lambda: last.update({node: key}))

    _sweep(project, now)
    with Turns(project.leases, result=planned.known.result, lasts_s=project.settings.lease_s) as turns:
        turns.pin(_read_by(planned), still_there=lambda: _still_there(planned))
        with _engine(project, planned) as engine:
            done = execute(
                planned.graph, planned.plan, planned.known,
                engine=engine, keep=keep, tell=tell, workers=project.settings.workers, alone=alone,
            )  # fmt: skip
    return done.steps, done.artifacts, done.error


def _read_by(planned: Planned) -> tuple[str, ...]:
    """Objects that a run may read and did not make itself, and the fingerprints under which it found them."""
    reused = {
        d for s in planned.plan.steps if isinstance(s.action, Reuse) for d in (s.action.artifact.object, s.fingerprint)
    }
    return tuple(sorted(d for d in reused | {d for s in planned.sources.values() for _, d in s.files} if d))


def _still_there(planned: Planned) -> bool:
    """Whether what the plan would reuse can still be reused; a collection removes the result before its object."""
    reused = (s.fingerprint for s in planned.plan.steps if isinstance(s.action, Reuse))
    return all(key and planned.known.result(key) is not None for key in reused)


def why(planned: Planned, step: str) -> tuple[str, list[str]]:
    """What a step will do, and every difference to its last result here, one line each."""
    name = node_named(planned.graph, step)
    found = next(s for s in planned.plan.steps if s.node == name)
    action, reason = words(found)
    node, last = planned.graph.nodes[name], planned.known.last(name)
    if action == "reuse" or last is None:
        return action, [reason]
    identities = {s.node: s.action.artifact.digest for s in planned.plan.steps if isinstance(s.action, Reuse)} | dict(
        planned.known.externals
    )
    inputs = {p: identities.get(i, "") for p, i in node.inputs.items()}
    known = inputs if all(inputs.values()) else None
    lines = list(differences(node, last, known, parameters_of(node, planned.known.parameters)))
    return action, lines or [reason]


def targets_of(graph: Graph, pipeline: str | None, to: str | None) -> tuple[str, ...]:
    """The nodes that were asked for: one step, one pipeline, or every data and training pipeline."""
    if pipeline is not None and pipeline not in graph.pipelines:
        raise NotFound("no such pipeline", value=pipeline, allowed=did_you_mean(pipeline, graph.pipelines))
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
    allowed = ", ".join(hits) or did_you_mean(name, {n.rpartition(".")[2] for n in nodes})
    raise NotFound("no such step" if not hits else "the name means more than one step", value=name, allowed=allowed)


def known_of(project: Project, externals: Mapping[str, str], params: Mapping[str, Mapping[str, Json]]) -> Known:
    """What the planner may know: identities from outside, stored results, and what ran here last."""
    results = project.results("results")
    last = last_keys(project)

    def result(key: str) -> Artifact | None:
        found = _read(Artifact, (results.get(key) or {}).get("artifact"))
        return found if found and project.store.has(found.object) else None

    def last_result(node: str) -> Result | None:
        return _read(Result, results.get(last[node])) if node in last else None

    return Known(externals, result, last_result, params, interpreter())


def _read(kind: type[R], record: Json) -> R | None:
    """A record of another shape, from another version, is as good as none."""
    with contextlib.suppress(IntegrityError):
        return from_json(kind, record) if record else None
    return None


def _engine(project: Project, planned: Planned) -> Engine:
    """Sources are copied in only when a step will read them."""
    todo = [planned.graph.nodes[s.node] for s in planned.plan.steps if not isinstance(s.action, Reuse)]
    read = {i.removeprefix("source:") for n in todo for i in n.inputs.values() if i.startswith("source:")}
    files: dict[str, Path | str] = {
        f"source:{n}": materialise(project, planned.sources[n]) for n in read if n in planned.sources
    }
    files[AS_OF] = planned.as_of.isoformat()
    from lockgate.build.engine import Engine

    scratch = project.store_folder / "tmp"
    return Engine(project.root, scratch, store=project.store, files=files, trace=planned.graph.trace)


def _sweep(project: Project, now: dt.datetime) -> None:
    """Leftovers of killed processes and logs of failed steps go after a week: no step runs that long."""
    before_s = now.timestamp() - LEFTOVERS_KEPT_S
    sweep(project.store_folder / "tmp", "[0-9]*", before_s=before_s)
    sweep(project.home / "releases", ".*-*", before_s=before_s)


def _merged(project: Project, params: Mapping[str, Mapping[str, Json]] | None) -> dict[str, Mapping[str, Json]]:
    given = params or {}
    return {s: {**project.settings.params.get(s, {}), **v} for s, v in given.items()}


def last_keys(project: Project) -> dict[str, str]:
    """Node → the fingerprint of its last result in this working copy."""
    try:
        known = json.loads((project.home / "last.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(project: Project, last: Mapping[str, str]) -> None:
    known = last_keys(project)
    if any(known.get(n) != k for n, k in last.items()):
        with contextlib.suppress(OSError):  # only reasons come from it
            write_atomic(project.home / "last.json", canonical({**known, **last}), sync=False)


def _save(project: Project, record: RunRecord) -> None:
    """The run's own record: what `runs` lists."""
    content = {
        "run": record.run, "pipeline": record.pipeline, "as_of": record.as_of.isoformat(), "started": record.started.isoformat(),
        "steps": [to_json(s) for s in record.steps], "parameters": to_json(record.parameters),
        "error": record.error.what if record.error else None,
    }  # fmt: skip
    write_atomic(project.home / "runs" / f"{record.run}.json", canonical(content))
