"""Run steps once more on what they read the first time, under other circumstances, and see whether it matters."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.build.clock import CLOCK
from lockgate.build.execute import execute
from lockgate.delivery.run import engine_of
from lockgate.errors import LockgateError
from lockgate.records.graph import Graph
from lockgate.records.plan import Plan, PlannedStep, Run

if TYPE_CHECKING:
    from lockgate.delivery.run import Planned
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact

__all__ = ["ELSEWHEN", "attempts_of", "run_again", "suspect"]

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
    *, environment: Mapping[str, str],
) -> dict[str, Artifact | LockgateError]:  # fmt: skip
    """Each of these steps by itself, from the same inputs; nothing is kept under any fingerprint.

    Args:
        artifacts: what the first run made or reused; every input of the nodes.
        environment: added to what the steps' processes see.

    Answers per step what it made, or why it failed.
    """
    made: dict[str, Artifact | LockgateError] = {}
    asked = replace(planned, plan=_only(*nodes))
    with engine_of(project, asked, environment=environment) as engine:
        for name in nodes:
            node = planned.graph.nodes[name]
            alone = Graph(nodes={name: node}, order=(name,), pipelines={}, trace=planned.graph.trace)
            given = {i: artifacts[i] for i in node.inputs.values() if i in artifacts}
            known = replace(
                planned.known, externals={**planned.known.externals, **{i: a.digest for i, a in given.items()}},
                result=_nothing, record=_nothing, last=_nothing, accepted=_nothing,
            )  # fmt: skip
            done = execute(
                alone, _only(name), known, engine=engine, given=given,
                keep=lambda _node, _key, _result: None, tell=lambda _: None, workers=project.settings.workers,
            )  # fmt: skip
            made[name] = done.error or done.artifacts[name]
    return made


def attempts_of(project: Project, planned: Planned, artifacts: Mapping[str, Artifact], node: str) -> Attempt:
    """Tries of one step; one that fails is one that differs."""

    def attempt(environment: Mapping[str, str]) -> str:
        made = run_again(project, planned, artifacts, (node,), environment=environment)[node]
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


def _nothing(_: object) -> None:
    """What is known of earlier runs."""


def _only(*names: str) -> Plan:
    return Plan(tuple(PlannedStep(name, Run("run again")) for name in names))


def _agree(attempt: Attempt, environment: Mapping[str, str]) -> bool:
    return attempt(environment) == attempt(environment)
