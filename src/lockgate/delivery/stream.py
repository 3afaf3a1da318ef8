"""`stream`: run a pipeline whenever its sources have something new, and bring its sinks up to date.

The steps are those of `run`, over the whole table each time: what a stream ends with is what one batch would have made.
Nothing is remembered here. Sources keep their cursor with the rows, sinks the artifact they hold, so a process that is
killed anywhere is replaced by a new one that goes on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.graph import graph_of
from lockgate.delivery.run import RunRecord, run, sources_of, targets_of
from lockgate.delivery.sources.seeing import Seen, held, see
from lockgate.delivery.sources.sinks import Written, sinks_of, write
from lockgate.errors import ServiceUnavailable, UsageError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

    from lockgate.build.execute import Event
    from lockgate.project import Project, SinkSettings

__all__ = ["Batched", "Waiting", "stream"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batched:
    """One turn that ran.

    Attributes:
        new: source → how many rows (or files) more than before.
        ran, reused: how many steps.
    """

    number: int
    sources: Mapping[str, Seen]
    new: Mapping[str, int]
    ran: int
    reused: int
    written: tuple[Written, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why nothing can run now; it is tried again."""

    reason: str


def stream(
    project: Project,
    pipeline: str,
    *,
    once: bool,
    now: Callable[[], dt.datetime],
    wait: Callable[[], bool],
    tell: Callable[[Event], None] = lambda _: None,
) -> Iterator[Batched | Waiting]:
    """Turn after turn, until `wait` answers that it is time to stop; `once`: until nothing is new and no file is half arrived.

    A step that fails ends the stream: what was read stays read, and the next start runs the step again. A source or
    sink that does not answer is asked again, unless `once`.
    """
    turns = _Turns(project, pipeline, now, tell)
    said = ""
    while True:
        try:
            done = turns.turn()
            said = "" if done else said
            if done:
                yield done
            elif once and not turns.waiting:
                return
        except ServiceUnavailable as error:
            if once or error.exit_code != ServiceUnavailable.exit_code:  # who is not let in waits for nothing
                raise
            if said != error.what + error.value:
                yield Waiting(f"{error.what}: {error.value}")
            said = error.what + error.value
        if wait():
            return


class _Turns:
    """What was seen in the last turn that went through."""

    def __init__(
        self, project: Project, pipeline: str, now: Callable[[], dt.datetime], tell: Callable[[Event], None]
    ) -> None:
        self._project, self._pipeline, self._now, self._tell = project, pipeline, now, tell
        graph = graph_of(project, now_ns=int(now().timestamp() * 1e9))
        self._targets = targets_of(graph, pipeline, None)
        self._wanted = sources_of(graph, self._targets)
        self._sinks: tuple[tuple[SinkSettings, str], ...] = sinks_of(project, graph, self._targets)
        self._last: dict[str, Seen] = {}
        self._held = {s.name: held(project, s) for s in project.settings.sources if s.name in self._wanted}
        self._number = 0
        self.waiting = 0
        if not self._wanted:
            raise UsageError(
                "a pipeline without a source has nothing to wait for", value=pipeline, next=f"lockgate run {pipeline}"
            )

    def turn(self) -> Batched | None:
        """Run if something is new; None when nothing is."""
        started = time.perf_counter()
        now = self._now()
        seen = see(self._project, now_ns=int(now.timestamp() * 1e9), wanted=self._wanted)
        seen = {n: seen[n] for n in sorted(self._wanted) if n in seen}
        self.waiting = sum(s.waiting for s in seen.values())
        if missing := sorted(self._wanted - seen.keys()):
            raise ServiceUnavailable("a source has no file yet", value=", ".join(missing), next="bring the files")
        if self._number and {n: s.identity for n, s in seen.items()} == {n: s.identity for n, s in self._last.items()}:
            return None
        record = run(self._project, self._pipeline, now=now, tell=self._tell)
        if record.error is not None:
            raise record.error
        written = write(self._project, self._sinks, record)
        return self._done(record, written, started)

    def _done(self, record: RunRecord, written: tuple[Written, ...], started: float) -> Batched:
        """What the run itself saw counts: it may be newer than what woke it."""
        sources = {n: record.planned.sources[n] for n in sorted(self._wanted)}
        sizes = {n: len(s.files) if s.rows is None else s.rows for n, s in sources.items()}
        new = {n: size - self._held[n] for n, size in sizes.items()}
        self._last, self._held = sources, sizes
        self._number += 1
        ran = sum(s.action == "run" for s in record.steps)
        return Batched(
            number=self._number, sources=sources, new=new, ran=ran, reused=len(record.steps) - ran, written=written,
            seconds=time.perf_counter() - started,
        )  # fmt: skip
