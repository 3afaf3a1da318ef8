"""Carry out a plan: ready steps run at the same time, each in its own process; what finished is kept.

Nothing runs that the plan did not name Run or Maybe (law 3). After each step the ones behind it are decided
again, so that a step which re-ran to the same identity wakes nobody (law 2).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.build.fingerprint import parameters_of
from lockgate.build.plan import Known, decide
from lockgate.errors import LockgateError, StepFailed
from lockgate.records.artifact import Artifact
from lockgate.records.plan import Blocked, Maybe, Plan, Result, Reuse, Run, StepRecord, reused

if TYPE_CHECKING:
    from lockgate.build.engine import Engine
    from lockgate.build.pieces import Pieces
    from lockgate.records.digest import Json
    from lockgate.records.graph import Graph, Node
    from lockgate.records.plan import Action

__all__ = ["Alone", "Event", "Executed", "execute"]

Alone = Callable[[str, str], AbstractContextManager[Artifact | None]]
"""(node, fingerprint) → a block in which nobody else runs that step; what another run made of it meanwhile, if one did."""


@dataclass(frozen=True, slots=True)
class Event:
    """A step began or ended, or (`note`, no step) something is to be said; what a progress display needs.

    `left`: steps that run now or may still run.
    """

    node: str
    state: str
    reason: str = ""
    seconds: float = 0.0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Executed:
    """What a run did: a record per step, the artifacts by node, and the first error if one failed."""

    steps: tuple[StepRecord, ...]
    artifacts: Mapping[str, Artifact]
    error: LockgateError | None


def execute(
    graph: Graph,
    plan: Plan,
    known: Known,
    *,
    engine: Engine,
    keep: Callable[[str, str, Result], None],
    tell: Callable[[Event], None],
    workers: int,
    given: Mapping[str, Artifact] | None = None,
    keep_going: bool = False,
    alone: Alone = lambda _node, _key: nullcontext(),
) -> Executed:
    """Run a plan.

    Args:
        keep: stores a result under (node, fingerprint) before the step counts as done.
        tell: hears about every step that begins or ends.
        workers: how many steps may run at once.
        given: artifacts that stand for inputs outside the graph.
        keep_going: after a failure, run what does not depend on it.
        alone: waits until nobody else runs the step.
    """
    return _Execution(
        graph, plan, known, engine, keep, tell, dict(given or {}), keep_going=keep_going, workers=workers, alone=alone
    ).run()


class _Execution:
    """The moving parts of one run: what is decided, what is running, what came out."""

    def __init__(
        self, graph: Graph, plan: Plan, known: Known, engine: Engine,
        keep: Callable[[str, str, Result], None], tell: Callable[[Event], None], given: dict[str, Artifact],
        *, keep_going: bool, workers: int, alone: Alone,
    ) -> None:  # fmt: skip
        self.alone = alone
        self.graph, self.known, self.engine, self.keep, self.tell = graph, known, engine, keep, tell
        self.allowed = {s.node for s in plan.steps if isinstance(s.action, Run | Maybe)}
        self.waiting = [s.node for s in plan.steps]
        self.planned = {s.node: s.action for s in plan.steps}
        self.identities: dict[str, str] = dict(known.externals)
        self.actions: dict[str, Action] = dict(self.planned)
        self.keys: dict[str, str] = {}  # of the steps that were begun
        self.artifacts = given
        self.keep_going, self.workers = keep_going, workers
        self.slots = threading.BoundedSemaphore(workers)  # processes at once: partitions of one step run beside others
        self.pieces: dict[str, Pieces] = {}
        self.records: dict[str, StepRecord] = {}
        self.errors: list[LockgateError] = []
        self.finished: queue.Queue[tuple[str, Result | Artifact | LockgateError]] = queue.Queue()
        self.running: set[str] = set()
        self.warned = False

    def run(self) -> Executed:
        order = list(self.waiting)
        while True:
            while len(self.running) < self.workers and (name := self._next()):
                self._begin(name)
            if not self.running:
                break
            self._end(*self.finished.get())
        for name in self.waiting:
            self._leave(name)
        records = tuple(self.records[n] for n in order)
        return Executed(records, self.artifacts, self.errors[0] if self.errors else None)

    def _next(self) -> str | None:
        """The first waiting step whose inputs are all known; reused ones are settled on the way."""
        for name in list(self.waiting):
            if self.errors and not self.keep_going:
                return None
            node = self.graph.nodes[name]
            if any(i in self.planned and i not in self.identities for i in node.inputs.values()):
                continue
            self.waiting.remove(name)
            action, key = decide(node, self.identities, {}, self.known)
            if isinstance(action, Reuse):
                self._settle(name, action.artifact, reused(name, action))
            elif isinstance(action, Blocked) or key is None:
                reason = action.reason if isinstance(action, Blocked) else "an input is unknown"
                self.errors.append(StepFailed(f"step {name} is blocked", value=reason, next="lockgate run"))
                self.records[name] = StepRecord(name=name, action="blocked", reason=reason)
            elif name not in self.allowed:
                self.errors.append(
                    StepFailed("the world moved since the plan was made", value=name, next="lockgate plan")
                )
                self.records[name] = StepRecord(name=name, action="blocked", reason="not in the plan")
            else:
                self.actions[name] = self._by_partition(node, action)
                self.keys[name] = key
                return name
        return None

    def _leave(self, name: str) -> None:
        """A step that is not reached any more; what was computed before stays known."""
        action, _ = decide(self.graph.nodes[name], self.identities, self.actions, self.known)
        if isinstance(action, Reuse):
            self._settle(name, action.artifact, reused(name, action))
        else:
            self.records[name] = StepRecord(name=name, action="blocked", reason="an earlier step failed")

    def _begin(self, name: str) -> None:
        node = self.graph.nodes[name]
        action = self.actions[name]
        reason = action.reason if isinstance(action, Run) else "inputs changed"
        keys = tuple(p.key for p in self.pieces[name] if p.made is None) if name in self.pieces else None
        self.records[name] = StepRecord(name=name, action="run", reason=reason, partitions=keys)
        self.running.add(name)
        self.tell(Event(name, "begin", reason, left=self._left()))
        threading.Thread(target=self._work, args=(node,), daemon=True).start()

    def _work(self, node: Node) -> None:
        """In a thread of its own: the step's process does the work, this one waits and stores."""
        try:
            with self.alone(node.name, self.keys[node.name]) as made:
                outcome = made or self._run_and_keep(node)
            self.finished.put((node.name, outcome))
        except LockgateError as error:
            self.finished.put((node.name, error))
        except Exception as error:  # an engine fault must end the run, not hang it
            self.finished.put(
                (node.name, StepFailed(f"step {node.name} failed", value=f"{type(error).__name__}: {error}"))
            )

    def _made(self, node: Node, parameters: Mapping[str, Json]) -> tuple[Artifact, float, Mapping[str, Json]]:
        if node.each is None:
            with self.slots:
                ran = self.engine.run(node, self.artifacts, parameters)
                return ran.artifact, ran.seconds, {"attempts": ran.attempts, "sandbox": ran.sandbox}
        if node.name not in self.pieces:
            raise StepFailed("partitions are not in the store", value=f"an input of {node.name}", next="lockgate run")
        from lockgate.build.each import Turn, run_each

        turn = Turn(
            node=node, each=node.each, pieces=self.pieces[node.name], engine=self.engine, artifacts=self.artifacts,
            parameters=parameters, slots=self.slots, keep=self.keep,
            stopped=lambda: bool(self.errors) and not self.keep_going,
        )  # fmt: skip
        return run_each(turn, workers=self.workers)

    def _by_partition(self, node: Node, action: Action) -> Action:
        """Decide which partitions will run, and say so."""
        if node.each is None:
            return action
        from lockgate.build.pieces import pieces_of, say

        pieces = pieces_of(node, node.each, self.artifacts.get, self.known)
        if pieces is None:
            return action
        self.pieces[node.name] = pieces
        return Run(say(node, pieces, self.known))

    def _run_and_keep(self, node: Node) -> Result:
        inputs = {p: self.identities[i] for p, i in node.inputs.items()}
        parameters = parameters_of(node, self.known.parameters)
        artifact, seconds, extra = self._made(node, parameters)
        result = Result(
            artifact=artifact,
            inputs=inputs,
            parameters=parameters,
            definitions=tuple((d.name, d.file, d.line, d.digest) for d in node.definitions),
            packages=node.packages,
            seconds=round(seconds, 4),
            extra=extra,
        )
        self.keep(node.name, self.keys[node.name], result)
        return result

    def _end(self, name: str, outcome: Result | Artifact | LockgateError) -> None:
        self.running.discard(name)
        record = self.records[name]
        if isinstance(outcome, LockgateError):
            self.errors.append(outcome)
            attempts = self.engine.attempts.get(name, 0)
            self.records[name] = replace(
                record, action="failed", reason=str(outcome.value or outcome.what), attempts=attempts
            )
            self.tell(Event(name, "failed", outcome.what, left=self._left()))
            return
        if isinstance(outcome, Artifact):
            made = StepRecord(name=name, action="reuse", reason="another run made it", digest=outcome.digest)
            self._settle(name, outcome, made)
            self.tell(Event(name, "done", made.reason, left=self._left()))
            return
        done = replace(
            record, digest=outcome.artifact.digest, seconds=outcome.seconds,
            attempts=int(outcome.extra.get("attempts", 1)), sandbox=str(outcome.extra.get("sandbox", self.graph.nodes[name].guard)),
        )  # fmt: skip
        self._warn(done)
        self._settle(name, outcome.artifact, done)
        self.tell(Event(name, "done", record.reason, outcome.seconds, left=self._left()))

    def _left(self) -> int:
        return len(self.running) + sum(name in self.allowed for name in self.waiting)

    def _warn(self, record: StepRecord) -> None:
        """Say once, by name, that the kernel does not hold the sandbox."""
        if not self.warned and record.sandbox != self.graph.nodes[record.name].guard:
            self.warned = True
            self.tell(Event("", "note", f"sandbox: {record.sandbox}"))

    def _settle(self, name: str, artifact: Artifact, record: StepRecord) -> None:
        self.identities[name] = artifact.digest
        self.artifacts[name] = artifact
        self.records[name] = record
