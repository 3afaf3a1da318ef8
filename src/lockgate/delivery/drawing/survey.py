"""What `graph` shows: every source, step, predictor and release with its state, freshness and cost, and what made it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lockgate.build.explain import words
from lockgate.delivery.known import stored_result
from lockgate.delivery.run import Planned, plan, targets_of
from lockgate.errors import LockgateError
from lockgate.records.digest import short
from lockgate.records.graph import AS_OF
from lockgate.records.plan import Result, Reuse

if TYPE_CHECKING:
    from lockgate.delivery.sources.seeing import Seen
    from lockgate.project import Project
    from lockgate.records.graph import Graph, Node
    from lockgate.records.plan import PlannedStep

__all__ = ["Box", "Survey", "survey"]

RUNS_READ = 500
Kind = Literal["source", "step", "predictor", "release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One thing in the graph.

    Attributes:
        key: unique: a node's name, `source:NAME`, `predictor:PIPELINE` or `release:DIGEST`.
        state: of a step `reuse`, `run`, `maybe`, `blocked`; of a source `here` or `missing`; of a release its own.
        why: the state in words: a reason, what was accepted, where it is live.
        holds: what it holds, e.g. `table`, `Choice`, `3 files`.
        seconds, computed, computed_as_of: of the run that made the result; None when that was elsewhere.
        reads_day: its result depends on the project's day.
    """

    key: str
    name: str
    kind: Kind
    state: str
    group: str = ""
    why: str = ""
    doc: str = ""
    holds: str = ""
    published: bool = False
    reads_day: bool = False
    digest: str = ""
    size_bytes: int | None = None
    seconds: float | None = None
    computed: dt.datetime | None = None
    computed_as_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The graph in topological order; `arrows` go from what is read to what reads it."""

    project: str
    as_of: dt.date
    now: dt.datetime
    boxes: tuple[Box, ...]
    arrows: tuple[tuple[str, str], ...]
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    banner: str = ""


def survey(project: Project, pipeline: str | None = None, *, now: dt.datetime) -> Survey:
    """Look at the graph as it stands. Runs nothing; imports nothing of the user's while the trace holds."""
    planned = plan(project, pipeline, now=now)
    graph = planned.graph
    steps = {s.node: s for s in planned.plan.steps}
    sources = sorted({i for n in steps for i in graph.nodes[n].inputs.values() if i.startswith("source:")})
    made = _computed(project)
    published = {f"{p.name}.{d}" for p in graph.pipelines.values() for d in p.publishes}
    boxes = [_source(name, planned.sources.get(name.removeprefix("source:"))) for name in sources]
    boxes += [_step(project, graph.nodes[n], s, planned, made.get(n, ()), published) for n, s in steps.items()]
    arrows = [(i, n) for n in steps for i in dict.fromkeys(graph.nodes[n].inputs.values()) if i != AS_OF]
    _add_releases(project, planned, pipeline, boxes, arrows, now)
    groups = {
        p.name: p.kind
        for p in graph.pipelines.values()
        if pipeline is None or p.name == pipeline or any(n in steps for n in p.nodes)
    }
    return Survey(
        project=project.settings.name, as_of=planned.as_of, now=now, boxes=tuple(boxes), arrows=tuple(arrows),
        groups=groups, banner=project.settings.banner,
    )  # fmt: skip


def _source(key: str, seen: Seen | None) -> Box:
    name = key.removeprefix("source:")
    if seen is None:
        return Box(key=key, name=name, kind="source", state="missing", why="neither here nor in the store")
    count, unit = (len(seen.files), "file") if seen.rows is None else (seen.rows, "row")
    holds = f"{count:,} {unit}{'' if count == 1 else 's'}"
    newest_ns = max(seen.here.modified_ns(), default=None)
    return Box(
        key=key, name=name, kind="source", state="here", holds=holds, digest=seen.identity,
        why="kept in the store; not at its place" if newest_ns is None else "read from its place",
        size_bytes=None if newest_ns is None else sum(seen.here.sizes_bytes()),
        computed=None if newest_ns is None else dt.datetime.fromtimestamp(newest_ns // 10**9, dt.UTC),
    )  # fmt: skip


def _step(
    project: Project, node: Node, step: PlannedStep, planned: Planned,
    made: tuple[_Made, ...] | list[_Made], published: set[str],
) -> Box:  # fmt: skip
    action, why = words(step)
    reuse = step.action if isinstance(step.action, Reuse) else None
    result = planned.known.last(node.name) if reuse is None else _result(project, step, reuse)
    artifact = reuse.artifact if reuse else (result.artifact if result else None)
    when = next((m for m in made if reuse is None or m.digest == reuse.artifact.digest), None)
    return Box(
        key=node.name, name=node.name.rpartition(".")[2], kind="step", state=action, group=node.name.rpartition(".")[0],
        why=(reuse.accepted if reuse else why), doc=node.doc, holds=_holds(node), published=node.name in published,
        reads_day=AS_OF in node.inputs.values(), digest=artifact.digest if artifact else "",
        size_bytes=artifact.size_bytes if artifact else None, seconds=result.seconds if result else None,
        computed=when.at if when else None, computed_as_of=when.as_of if when else "",
    )  # fmt: skip


def _result(project: Project, step: PlannedStep, reuse: Reuse) -> Result | None:
    return stored_result(project, reuse.under or str(step.fingerprint))


def _holds(node: Node) -> str:
    """What a step makes, in a word: a table, or the name of its type."""
    return "table" if node.codec.endswith(".ipc") else node.type.rpartition(":")[2].rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class _Made:
    at: dt.datetime
    as_of: str
    digest: str


def _computed(project: Project) -> dict[str, list[_Made]]:
    """Step → when this working copy made it, newest first."""
    found: dict[str, list[_Made]] = {}
    for file in sorted((project.home / "runs").glob("*.json"), reverse=True)[:RUNS_READ]:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(file.read_bytes())
            at = dt.datetime.fromisoformat(record["started"])
            for step in record["steps"]:
                if step["action"] == "run" and step["digest"]:
                    found.setdefault(step["name"], []).append(_Made(at, str(record["as_of"]), step["digest"]))
    return found


def _add_releases(
    project: Project, planned: Planned, pipeline: str | None, boxes: list[Box], arrows: list[tuple[str, str]],
    now: dt.datetime,
) -> None:  # fmt: skip
    """Predictors behind what they read, and behind them the releases that are live and the newest one."""
    graph = planned.graph
    shown = {b.key for b in boxes}
    for info in graph.pipelines.values():
        inputs = [i for i in dict.fromkeys((info.predictor or {}).get("inputs", {}).values()) if i in shown]
        asked = pipeline is None or set(info.nodes) <= {*targets_of(graph, pipeline, None)}
        if not info.predictor or not inputs or not asked:
            continue
        key = f"predictor:{info.name}"
        states = {b.state for b in boxes if b.key in inputs}
        state = next((s for s in ("blocked", "run", "maybe") if s in states), "reuse")
        boxes.append(Box(key=key, name=str(info.predictor["target"]).rpartition(":")[2], kind="predictor", state=state,
                         group=info.name, holds="answers requests"))  # fmt: skip
        arrows += [(i, key) for i in inputs]
        for release in _releases(project, graph, info.name, now):
            boxes.append(release)
            arrows.append((key, release.key))


def _releases(project: Project, graph: Graph, training: str, now: dt.datetime) -> list[Box]:
    """None when the project delivers nothing, or the ledger cannot be read: the graph of steps stands without it."""
    if not any(p.delivers == training for p in graph.pipelines.values()):
        return []
    from lockgate.delivery import status

    try:
        states = [r for r in status.releases(project, now=now) if r.name == training]
        places = [(s.environment, s.release) for s in status.status(project, now=now) if s.release]
    except LockgateError:
        return []
    found: list[Box] = []
    for release in states:
        live = [environment for environment, r in places if r == release.release]
        if release is states[0] or live:
            why = f"live in {' and '.join(live)}" if live else f"{release.state}: {release.why}"
            found.append(Box(key=f"release:{release.release}", name=short(release.release), kind="release",
                             state="live" if live else release.state, group=training, why=why, holds="release",
                             digest=release.release, computed=release.proposed))  # fmt: skip
    return found
