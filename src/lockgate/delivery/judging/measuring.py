"""Run steps that ask releases and measure answers, through the engine: what was measured once is known wherever the store is shared.

Judging a release and comparing two go this way. These steps are Lockgate's own, so their nodes are made here and not captured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.engine import Engine
from lockgate.build.execute import Event, Executed, execute
from lockgate.build.plan import make_plan
from lockgate.delivery.known import known_of
from lockgate.delivery.releases import fetch
from lockgate.delivery.turns import Turns
from lockgate.gates.measure import INPUTS
from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json
from lockgate.records.graph import Graph, Node, Trace
from lockgate.records.plan import Result, Reuse, reused
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project

__all__ = ["PATH", "answering", "json_step", "known_already", "load_json", "measure", "measured_with"]

PATH = "pathlib:Path"
MEASURED_WITH = ("numpy", "scipy")
"""What `lockgate.evaluation` computes with: loaded once, for all steps."""


def measure(
    project: Project, nodes: Mapping[str, Node], *, releases: Mapping[str, str], given: Mapping[str, Artifact],
    trace: Trace, tell: Callable[[Event], None] = lambda _: None, anew: bool = False,
) -> Executed:  # fmt: skip
    """Run what is not known yet. A step that fails stops only what depends on it.

    Args:
        nodes: name → step, in an order in which every step stands behind its inputs.
        releases: input name → digest of the release that it stands for; unpacked and verified.
        given: input name → stored artifact.
        trace: that of the graph which the caller read: code of the project must still be the text that it captured.
        anew: as if nothing were known: what the store has under a step's key is somebody's word.
    """
    trace = replace(trace, preload=tuple(dict.fromkeys((*trace.preload, *MEASURED_WITH))))
    graph = Graph(nodes=nodes, order=tuple(nodes), pipelines={}, trace=trace)
    identities = {name: a.digest for name, a in given.items()} | dict(releases)
    files: dict[str, Path | str] = {name: fetch(project, release) for name, release in releases.items()}
    known = known_of(project, identities, {})
    known = replace(known, result=_nothing, record=_nothing, last=_nothing) if anew else known
    plan = make_plan(graph, tuple(nodes), known)
    if all(isinstance(step.action, Reuse) for step in plan.steps):  # an engine costs more than all the rest
        found = {s.node: s.action for s in plan.steps if isinstance(s.action, Reuse)}
        made = {n: a.artifact for n, a in found.items()}
        return Executed(tuple(reused(n, a) for n, a in found.items()), {**given, **made}, None)
    results = project.results("results")

    def keep(node: str, key: str, result: Result) -> None:
        results.put(key, {**to_json(result), "node": node})

    with (
        Turns(project.leases, result=known.result, lasts_s=project.settings.lease_s) as turns,
        Engine(project.root, project.store_folder / "tmp", store=project.store, files=files, trace=trace) as engine,
    ):
        return execute(graph, plan, known, engine=engine, keep=keep, tell=tell, workers=project.settings.workers,
                       given=given, keep_going=True, alone=lambda _, key: turns.alone(key))  # fmt: skip


def _nothing(_: str) -> None:
    """What is known of any step to who measures anew."""


def known_already(
    project: Project, nodes: Mapping[str, Node], *, releases: Mapping[str, str], given: Mapping[str, Artifact]
) -> dict[str, Artifact]:
    """What `measure` would reuse, by step; nothing runs and nothing is fetched."""
    identities = {name: a.digest for name, a in given.items()} | dict(releases)
    nowhere = Trace(interpreter="", files=(), listings={}, environment={}, packages={}, preload=())
    graph = Graph(nodes=nodes, order=tuple(nodes), pipelines={}, trace=nowhere)
    plan = make_plan(graph, tuple(nodes), known_of(project, identities, {}))
    return {s.node: s.action.artifact for s in plan.steps if isinstance(s.action, Reuse)}


def measured_with(walk: Walk) -> tuple[str, ...]:
    """The packages that answers and their measurement depend on; they go into every key."""
    predictor = walk.training.predictor or {}
    return tuple(sorted({*predictor.get("packages", ()), *predictor.get("measured_with", ())}))


def answering(name: str, target: str, inputs: Mapping[str, str], packages: Sequence[str]) -> Node:
    """A step that asks a release and makes a table of its answers."""
    return Node(
        name=name, target=target, inputs=inputs, input_types=dict.fromkeys(inputs, PATH), parameters={}, type=INPUTS["scored"],
        codec="columns.npz", definitions=(), packages=tuple(packages),
    )  # fmt: skip


def json_step(
    name: str, target: str, inputs: Mapping[str, str], types: Mapping[str, str], parameters: Mapping[str, Json],
    packages: Sequence[str],
) -> Node:  # fmt: skip
    """A step that makes a JSON value."""
    return Node(
        name=name, target=target, inputs=inputs, input_types=types, parameters=parameters, type="builtins:dict",
        codec="json", definitions=(), packages=tuple(packages),
    )  # fmt: skip


def load_json(project: Project, artifact: Artifact) -> Json:
    """A JSON artifact as it is."""
    import json

    return json.loads(project.store.get(artifact.object).read_bytes())
