"""Carry out a plan: ready steps run at the same time, each in its own process; what finished is kept.

Nothing runs that the plan did not name Run or Maybe (law 3). After each step the ones behind it are decided
again, so that a step which re-ran to the same identity wakes nobody (law 2).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.build.fingerprint import parameters_of
from lockgate.build.plan import Known, decide
from lockgate.build.ready import Ready
from lockgate.build.saving import Saving, Unsaved
from lockgate.errors import LockgateError, StepFailed
from lockgate.records.artifact import Artifact
from lockgate.records.frozen import frozen
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


@frozen
class Event:
    """A step began or ended, or (`note`, no step) something is to be said; what a progress display needs.

    `left`: steps that run now or may still run.
    """

    node: str
    state: str
    reason: str = ""
    seconds: float = 0.0
    left: int = 0


@frozen
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
    keep_many: Callable[[Sequence[Unsaved]], None] | None = None,
) -> Executed:
    """Run a plan.

    Args:
        keep: stores a result under (node, fingerprint) before the step counts as done.
        tell: hears about every step that begins or ends.
        workers: how many steps may run at once.
        given: artifacts that stand for inputs outside the graph.
        keep_going: after a failure, run what does not depend on it.
        alone: waits until nobody else runs the step.
        keep_many: stores results, and artifacts that the engine did not store, with one wait for the disk; without it each
            is stored by itself.
    """
    return _Execution(
        graph, plan, known, engine, keep, tell, dict(given or {}), keep_going=keep_going, workers=workers, alone=alone,
        keep_many=keep_many,
    ).run()  # fmt: skip


Outcome = Result | Unsaved | Artifact | LockgateError
"""How a step ended: stored; made, and to be stored; made by another run; failed."""


class _Execution:
    """The moving parts of one run: what is decided, what is running, what came out."""

    def __init__(
        self, graph: Graph, plan: Plan, known: Known, engine: Engine,
        keep: Callable[[str, str, Result], None], tell: Callable[[Event], None], given: dict[str, Artifact],
        *, keep_going: bool, workers: int, alone: Alone, keep_many: Callable[[Sequence[Unsaved]], None] | None,
    ) -> None:  # fmt: skip
        self.alone = alone
        self.graph, self.known, self.engine, self.keep, self.tell = graph, known, engine, keep, tell
        self.allowed = {s.node for s in plan.steps if isinstance(s.action, Run | Maybe)}
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
        self.finished: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self.saving = Saving(keep_many, self._hear_saved) if keep_many else None
        self.begun: queue.SimpleQueue[Node | None] = queue.SimpleQueue()
        self.threads = 0
        self.running: set[str] = set()
        self.unsaved: set[str] = set()
        self.warned = False
        self.order = [s.node for s in plan.steps]
        self.waiting = Ready({n: graph.nodes[n].inputs.values() for n in self.order}, known=self.identities)

    def run(self) -> Executed:
        try:
            self._run_all()
        finally:
            for _ in range(self.threads):
                self.begun.put(None)
            if self.saving:
                self.saving.close()
        for name in self.waiting.rest():
            self._leave(name)
        records = tuple(self.records[n] for n in self.order)
        lost = {r.name for r in records if r.action == "failed"}  # made and read by steps behind, maybe, but not stored
        artifacts = {name: artifact for name, artifact in self.artifacts.items() if name not in lost}
        return Executed(records, artifacts, self.errors[0] if self.errors else None)

    def _run_all(self) -> None:
        while True:
            while len(self.running) < self.workers and (name := self._next()):
                self._begin(name)
            if not (self.running or self.unsaved):
                return
            if not self.running and self.saving:
                self.saving.hurry()
            self._end(*self.finished.get())

    def _next(self) -> str | None:
        """The first waiting step whose inputs are all known; reused ones are settled on the way."""
        while (self.keep_going or not self.errors) and (name := self.waiting.next()):
            node = self.graph.nodes[name]
            action, key = decide(node, self.identities, {}, self.known)
            if isinstance(action, Reuse):
                self._settle(name, action.artifact)
                self.records[name] = reused(name, action)
            elif isinstance(action, Blocked) or key is None:
                reason = action.reason if isinstance(action, Blocked) else "an input is unknown"
                bring = "put the source there, or change its path in lockgate.toml; then lockgate run"
                self.errors.append(StepFailed(f"step {name} is blocked", value=reason, next=bring))
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
            self._settle(name, action.artifact)
            self.records[name] = reused(name, action)
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
        self.begun.put(node)
        if self.threads < len(self.running):
            self.threads += 1
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        """In a thread: steps' processes do the work, this one waits for them, one after the other."""
        while node := self.begun.get():
            outcome = self._outcome(node)
            self.finished.put((node.name, outcome))
            if isinstance(outcome, Unsaved) and self.saving:
                self.saving.add(outcome)

    def _outcome(self, node: Node) -> Outcome:
        try:
            with ExitStack() as until_stored:
                key = self.keys[node.name]
                if made := until_stored.enter_context(self.alone(node.name, key)):
                    return made
                result, text = self._made(node)
                if self.saving:
                    return Unsaved(node.name, key, result, text, until_stored.pop_all().close)
                self.keep(node.name, key, result)
                return result
        except LockgateError as error:
            return error
        except Exception as error:  # an engine fault must end the run, not hang it
            return StepFailed(f"step {node.name} failed", value=f"{type(error).__name__}: {error}")

    def _made(self, node: Node) -> tuple[Result, str]:
        """Run a step; its result, and the artifact as text if the engine did not store it."""
        inputs = {p: self.identities[i] for p, i in node.inputs.items()}
        parameters = parameters_of(node, self.known.parameters)
        artifact, seconds, extra, text = self._run(node, parameters)
        result = Result(
            artifact=artifact,
            inputs=inputs,
            parameters=parameters,
            definitions=tuple((d.name, d.file, d.line, d.digest) for d in node.definitions),
            packages=node.packages,
            seconds=round(seconds, 4),
            extra=extra,
        )
        return result, text

    def _run(self, node: Node, parameters: Mapping[str, Json]) -> tuple[Artifact, float, Mapping[str, Json], str]:
        if node.each is None:
            with self.slots:
                ran = self.engine.run(node, self.artifacts, parameters)
                return ran.artifact, ran.seconds, {"attempts": ran.attempts, "sandbox": ran.sandbox}, ran.text
        if node.name not in self.pieces:
            raise StepFailed("partitions are not in the store", value=f"an input of {node.name}", next="lockgate run")
        from lockgate.build.each import Turn, run_each

        turn = Turn(
            node=node, each=node.each, pieces=self.pieces[node.name], engine=self.engine, artifacts=self.artifacts,
            parameters=parameters, slots=self.slots, keep=self.keep,
            stopped=lambda: bool(self.errors) and not self.keep_going,
        )  # fmt: skip
        return (*run_each(turn, workers=self.workers), "")

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

    def _hear_saved(self, group: Sequence[Unsaved], error: LockgateError | None) -> None:
        """In the thread that stores."""
        if not error:
            self.engine.let_go(u.result.artifact.object for u in group if u.text)
        for unsaved in group:
            self.finished.put((unsaved.node, error or unsaved.result))

    def _end(self, name: str, outcome: Outcome) -> None:
        self.running.discard(name)
        self.unsaved.discard(name)
        if isinstance(outcome, Unsaved):
            self.unsaved.add(name)
            self._settle(name, outcome.result.artifact)
        elif isinstance(outcome, LockgateError):
            self._fail(name, outcome)
        elif isinstance(outcome, Artifact):
            self._settle(name, outcome)
            reason = "another run made it"
            self.records[name] = StepRecord(name=name, action="reuse", reason=reason, digest=outcome.digest)
            self.tell(Event(name, "done", reason, left=self._left()))
        else:
            self._done(name, outcome)

    def _fail(self, name: str, error: LockgateError) -> None:
        self.errors.append(error)
        self.records[name] = replace(
            self.records[name], action="failed", reason=str(error.value or error.what), attempts=self.engine.attempts.get(name, 0)
        )  # fmt: skip
        self.tell(Event(name, "failed", error.what, left=self._left()))

    def _done(self, name: str, result: Result) -> None:
        """It is stored."""
        record = self.records[name]
        done = replace(
            record, digest=result.artifact.digest, seconds=result.seconds,
            attempts=int(result.extra.get("attempts", 1)), sandbox=str(result.extra.get("sandbox", self.graph.nodes[name].guard)),
        )  # fmt: skip
        self._warn(done)
        self.records[name] = done
        self._settle(name, result.artifact)
        self.tell(Event(name, "done", record.reason, result.seconds, left=self._left()))

    def _left(self) -> int:
        return len(self.running) + len(self.unsaved) + self.waiting.count(self.allowed)

    def _warn(self, record: StepRecord) -> None:
        """Say once, by name, that the kernel does not hold the sandbox."""
        if not self.warned and record.sandbox != self.graph.nodes[record.name].guard:
            self.warned = True
            self.tell(Event("", "note", f"sandbox: {record.sandbox}"))

    def _settle(self, name: str, artifact: Artifact) -> None:
        """What a step made is known from now on."""
        self.artifacts[name] = artifact
        self.identities[name] = artifact.digest
        self.waiting.know(name)
