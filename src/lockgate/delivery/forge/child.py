"""`gitlab render --child`: the plan as a pipeline of its own, with a job for each step that runs or may run, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.build.explain import words
from lockgate.delivery.forge.render import declared
from lockgate.delivery.run import plan
from lockgate.durable import write_atomic
from lockgate.errors import StepFailed
from lockgate.forge import gitlab_yaml
from lockgate.forge.declared import Runs
from lockgate.forge.jobs import child_graph, pipelines_graph
from lockgate.forge.settings import GitlabSettings
from lockgate.records.frozen import frozen
from lockgate.records.plan import Blocked, Maybe, Run

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.delivery.run import Planned
    from lockgate.project import Project
    from lockgate.records.jobs import JobGraph

__all__ = ["LARGEST", "Child", "child"]

LARGEST: Final = 5_000_000
"""Bytes that GitLab takes of a generated file."""


@frozen(kw_only=True)
class Child:
    """What was written.

    Attributes:
        runs, reused: how many steps have a job, and how many need none.
        whole: the file would have been too large, so each pipeline is one job.
    """

    graph: JobGraph
    runs: int
    reused: int
    size_bytes: int
    whole: bool


def child(project: Project, path: Path, *, now: dt.datetime, day: str) -> Child:
    """Plan, and write the plan as a child pipeline. Nothing runs.

    `day`: what its jobs take for the project's day; empty: the project's day now. Raises StepFailed when a step is
    blocked: a pipeline without it would be green.
    """
    planned = plan(project, now=now)
    runs = tuple(_runs(planned))
    settings = project.settings.gitlab or GitlabSettings()
    found, _ = declared(project, planned.graph)
    graph, day = child_graph(runs, found, settings), day or planned.as_of.isoformat()
    text, most = gitlab_yaml.render(graph, settings, day=day), min(settings.child_bytes, LARGEST)
    if whole := len(text.encode()) > most:
        graph = pipelines_graph(found, settings)
        text = gitlab_yaml.render(graph, settings, day=day)
    write_atomic(path.absolute(), text.encode())
    return Child(
        graph=graph, runs=len(runs), reused=len(planned.plan.steps) - len(runs), size_bytes=len(text.encode()), whole=whole
    )  # fmt: skip


def _runs(planned: Planned) -> Iterator[Runs]:
    """The steps with a job, each waiting for those of its inputs that have one."""
    todo: set[str] = set()
    for step in planned.plan.steps:
        action, reason = words(step)
        if isinstance(step.action, Blocked):
            raise StepFailed("a step cannot run", value=f"{step.node}: {reason}", next="lockgate plan")
        if isinstance(step.action, Run | Maybe):
            inputs = planned.graph.nodes[step.node].inputs.values()
            yield Runs(node=step.node, reason=f"{action}: {reason}", after=tuple(sorted(todo & {*inputs})))
            todo.add(step.node)
