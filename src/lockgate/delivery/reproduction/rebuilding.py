"""The rebuilding process: `python -P -m lockgate.delivery.reproduction.rebuilding`, in the packages that a release locks.

Reads one order (JSON) from stdin, runs the training pipeline it names, and prints JSON lines: events, then what came
out, or the error that stopped it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.build.machine import machine
from lockgate.build.plan import make_plan
from lockgate.delivery.graph import graph_of
from lockgate.delivery.known import known_of
from lockgate.delivery.lineage import code_digest
from lockgate.delivery.releases import build_release
from lockgate.delivery.reproduction.interpreter import installed
from lockgate.delivery.reproduction.other_circumstances import attempts_of, deadlines, suspect
from lockgate.delivery.run import Planned, run, sources_of, targets_of
from lockgate.delivery.sources.packs import packs_in
from lockgate.delivery.sources.pieces import pieces_in
from lockgate.delivery.sources.seeing import Seen
from lockgate.errors import LockgateError
from lockgate.project import Project, Settings, SourceSettings
from lockgate.records.digest import Json, digest
from lockgate.records.graph import AS_OF, Graph
from lockgate.records.wire import from_json, to_json
from lockgate.release.training_lock import Locked, differing

if TYPE_CHECKING:
    from lockgate.delivery.run import RunRecord

__all__: list[str] = []

Order = Mapping[str, Any]


def main() -> None:
    """Do what stdin says; whatever else prints goes to stderr."""
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def say(**line: Json) -> None:
        answer_to.write(json.dumps(line) + "\n")

    try:
        say(done=_done(json.load(sys.stdin), lambda event: say(event=to_json(event))))
    except LockgateError as error:
        say(error=_parts(error))


def _done(order: Order, tell: Callable[[Any], None]) -> dict[str, Json]:
    project = Project(Path(order["root"]), _settings(order["settings"]))
    now = dt.datetime.fromisoformat(order["now"])
    planned = _planned(project, order, now_ns=int(now.timestamp() * 1e9))
    record = run(project, order["pipeline"], now=now, agreed=planned, tell=tell)
    nodes = [planned.graph.nodes[n] for n in record.artifacts if n in planned.graph.nodes]
    locked = [from_json(Locked, k) for k in order["locked"]]
    return {
        "artifacts": {n.name: to_json(record.artifacts[n.name]) for n in nodes},
        "steps": [to_json(s) for s in record.steps],
        "code": {n.name: code_digest(n) for n in nodes},
        "definitions": {d.name: d.digest for n in nodes for d in n.definitions},
        "parameters": {n.name: _used(n.name, n.parameters, planned) for n in nodes if n.parameters},
        "inputs": {n.name: dict(n.inputs) for n in planned.graph.nodes.values()},
        "packages": differing(locked, installed(k.name for k in locked)),
        "release": _released(project, order, record),
        "suspicions": _suspicions(project, record, order["expected"], tell),
        "machine": machine(),
        "error": _parts(record.error) if record.error else None,
    }


def _settings(said: Mapping[str, Any]) -> Settings:
    sources = tuple(SourceSettings(n, kind, "") for n, kind in said["sources"].items())
    return Settings(
        name=said["name"], pipelines=tuple(said["pipelines"]), sources=sources, sinks=(), params={}, store=said["store"],
        workers=said["workers"], lease_s=said["lease_s"],
    )  # fmt: skip


def _planned(project: Project, order: Order, *, now_ns: int) -> Planned:
    graph = graph_of(project, now_ns=now_ns)
    targets = targets_of(graph, order["pipeline"], None)
    wanted = sources_of(graph, targets)
    sources = {n: _seen(n, s) for n, s in order["sources"].items() if n in wanted}
    as_of = dt.date.fromisoformat(order["as_of"])
    externals = {f"source:{n}": s.identity for n, s in sources.items()} | {AS_OF: digest("day", as_of.isoformat())}
    known = known_of(project, externals, _overrides(graph, order["parameters"]))
    return Planned(graph, make_plan(graph, targets, known), known, sources, as_of, targets)


def _seen(name: str, record: Mapping[str, Json]) -> Seen:
    """As it is in the store; `recorded`, so that this old version does not become the newest one."""
    files = tuple((str(n), str(d)) for n, d in record["files"])
    return Seen(
        name, record["identity"], files, record["single"],
        recorded=True, packs=packs_in(record), pieces=pieces_in(record),
    )  # fmt: skip


def _overrides(graph: Graph, recorded: Mapping[str, Mapping[str, Json]]) -> dict[str, dict[str, Json]]:
    """By step, as `lockgate.toml` would say it: what is not the code's own default. What this code has not is left out."""
    found: dict[str, dict[str, Json]] = {}
    for name, node in graph.nodes.items():
        given = {p: v for p, v in recorded.get(name, {}).items() if p in node.parameters and node.parameters[p] != v}
        if given:
            found.setdefault(name.rpartition(".")[2], {}).update(given)
    return found


def _used(name: str, defaults: Mapping[str, Json], planned: Planned) -> dict[str, Json]:
    return {**defaults, **planned.known.parameters.get(name.rpartition(".")[2], {})}


def _released(project: Project, order: Order, record: RunRecord) -> str | None:
    if not order["release"] or record.error is not None:
        return None
    commit, dirty = order["origin"]
    training = record.planned.graph.pipelines[order["pipeline"]]
    return build_release(project, training, record, origin=(commit, dirty)).digest


def _suspicions(
    project: Project, record: RunRecord, expected: Mapping[str, str], tell: Callable[[Any], None]
) -> dict[str, str]:
    """Steps that differ though everything they read is as expected: where a difference begins."""
    nodes, made = record.planned.graph.nodes, {n: a.digest for n, a in record.artifacts.items()}
    begins = [
        n
        for n, wanted in expected.items()
        if n in made
        and made[n] != wanted
        and all(made[i] == expected.get(i) for i in nodes[n].inputs.values() if i in made)
    ]
    limits = deadlines(record.steps)
    tried = {n: attempts_of(project, record.planned, record.artifacts, n, seconds=limits, tell=tell) for n in begins}
    return {n: suspect(made[n], attempt) for n, attempt in tried.items()}


def _parts(error: LockgateError) -> dict[str, str]:
    return {
        "kind": type(error).__name__, "what": error.what, "value": error.value, "allowed": error.allowed,
        "next": error.next,
    }  # fmt: skip


if __name__ == "__main__":
    main()
