"""Run steps once more on what they read the first time, under other circumstances, and see whether it matters."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.build.clock import CLOCK
from lockgate.build.execute import Event, execute
from lockgate.delivery.run import engine_of
from lockgate.errors import LockgateError
from lockgate.records.graph import Graph
from lockgate.records.plan import Plan, PlannedStep, Run, StepRecord

if TYPE_CHECKING:
    from lockgate.delivery.run import Planned
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.graph import Node

__all__ = ["ELSEWHEN", "attempts_of", "deadlines", "run_again", "suspect"]

SHORTEST_S = 30.0
TIMES = 3
"""A try may take that many times as long as the first run did: another clock can make a step wait forever."""

OTHER_SEED = {"PYTHONHASHSEED": "1"}
STILL = {CLOCK: "still 1000000000"}
LATER = {CLOCK: "shift 40000000"}
ELSEWHEN = {**OTHER_SEED, **LATER}
"""Another hash seed and another day: what a capture is checked with, too."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
Attempt = Callable[[Mapping[str, str]], str]
"""What is added to the environment → identity of what the step makes then."""


def run_again(
    project: Project, planned: Planned, artifacts: Mapping[str, Artifact], nodes: Sequence[str],
    *, environment: Mapping[str, str], seconds: Mapping[str, float], tell: Callable[[Event], None],
) -> dict[str, Artifact | LockgateError]:  # fmt: skip
    """Each of these steps by itself, from the same inputs; nothing is kept under any fingerprint.

    Args:
        artifacts: what the first run made or reused; every input of the nodes.
        environment: added to what the steps' processes see.
        seconds: node → how long it may take, see `deadlines`.
        tell: hears about every step that begins or ends.

    Answers per step what it made, or why it failed: taking too long is failing.
    """
    made: dict[str, Artifact | LockgateError] = {}
    asked = replace(planned, plan=_only(*nodes))
    with engine_of(project, asked, environment=environment) as engine:
        for name in nodes:
            node = _within(planned.graph.nodes[name], seconds.get(name, SHORTEST_S))
            alone = Graph(nodes={name: node}, order=(name,), pipelines={}, trace=planned.graph.trace)
            given = {i: artifacts[i] for i in node.inputs.values() if i in artifacts}
            known = replace(
                planned.known, externals={**planned.known.externals, **{i: a.digest for i, a in given.items()}},
                result=_nothing, record=_nothing, last=_nothing, accepted=_nothing,
            )  # fmt: skip
            done = execute(
                alone, _only(name), known, engine=engine, given=given,
                keep=lambda _node, _key, _result: None, tell=tell, workers=project.settings.workers,
            )  # fmt: skip
            made[name] = done.error or done.artifacts[name]
    return made


def deadlines(steps: Sequence[StepRecord]) -> dict[str, float]:
    """Step → seconds that a try of it may take.

    >>> deadlines([StepRecord(name="a", action="run", reason="", seconds=20), StepRecord(name="b", action="run", reason="")])
    {'a': 60, 'b': 30.0}
    """
    return {s.name: max(TIMES * s.seconds, SHORTEST_S) for s in steps}


def attempts_of(
    project: Project, planned: Planned, artifacts: Mapping[str, Artifact], node: str,
    *, seconds: Mapping[str, float], tell: Callable[[Event], None],
) -> Attempt:  # fmt: skip
    """Tries of one step; one that fails, or takes too long, is one that differs."""

    def attempt(environment: Mapping[str, str]) -> str:
        under = ", ".join(f"{n}={v}" for n, v in environment.items()) or "the same circumstances"
        tell(Event("", "note", f"trying {node} again under {under}"))
        run = run_again(project, planned, artifacts, (node,), environment=environment, seconds=seconds, tell=tell)
        made = run[node]
        return f"failed: {made.value}" if isinstance(made, LockgateError) else made.digest

    return attempt


def suspect(made: str, attempt: Attempt) -> str:
    """Why a step may have made something else, found out by trying; "" when nothing of this changes what it makes.

    A step that does not agree with itself under one seed and one clock is tried with one thread, then with a clock that
    stands still. One that does is tried with another order of sets, another day, more threads and fewer.

    >>> suspect("a", lambda environment: "b" if "PYTHONHASHSEED" in environment else "a")
    'the order of a set or dict (PYTHONHASHSEED)'
    """
    if {attempt({}), attempt({})} != {made}:
        if _agree(attempt, dict.fromkeys(THREADS, "1")):
            return "threads: it agrees with itself with one"
        if _agree(attempt, STILL):
            return "the time: it agrees with itself while the clock stands still"
        return "random numbers without a seed: two runs of it differ"
    many = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    tried: dict[str, Mapping[str, str]] = {
        "the order of a set or dict (PYTHONHASHSEED)": OTHER_SEED,
        "the date or the time": LATER,
        "the number of threads": dict.fromkeys(THREADS, "2" if many == "1" else many),
        "the number of Polars' threads": {THREADS[-1]: "1"},
    }
    return ", ".join(words for words, environment in tried.items() if attempt(environment) != made)


def _within(node: Node, limit_s: float) -> Node:
    """The step with a deadline, unless its own is nearer."""
    return replace(node, timeout_s=min(limit_s, math.inf if node.timeout_s is None else node.timeout_s), retries=0)


def _nothing(_: object) -> None:
    """What is known of earlier runs."""


def _only(*names: str) -> Plan:
    return Plan(tuple(PlannedStep(name, Run("run again")) for name in names))


def _agree(attempt: Attempt, environment: Mapping[str, str]) -> bool:
    return attempt(environment) == attempt(environment)
