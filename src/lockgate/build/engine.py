"""The local engine: step processes forked from one warm template, outputs taken over by the store."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, cast

from lockgate.build.jobs import Jobs
from lockgate.build.places import OUTPUT, Folders, Own
from lockgate.build.processes import Processes
from lockgate.build.zygotes import Zygotes
from lockgate.errors import ServiceUnavailable, StepFailed
from lockgate.records.artifact import Artifact
from lockgate.records.digest import digest_bytes
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from lockgate.build.pieces import Made, Piece
    from lockgate.build.places import Place
    from lockgate.build.protocol import Job, Reply
    from lockgate.ports import Store
    from lockgate.records.dataset import Dataset
    from lockgate.records.digest import Json
    from lockgate.records.graph import Each, Node, Trace

T = TypeVar("T")

__all__ = ["Engine", "Ran"]

FOR_STEPS = ("lockgate.declare", "lockgate.codecs.json_value")
FOR_TABLES = ("numpy", "lockgate.codecs.polars_frame", "lockgate.codecs.dataset")
"""What every step imports (10 ms), and what reading and writing a Polars table does (0.3 s): once, in the template."""
PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


@frozen(kw_only=True)
class Ran:
    """What a step made, and how: seconds of the attempt that worked, attempts, what its sandbox held.

    `text`: the artifact itself when it is not in the store, which only an engine that `holds` leaves to its caller.
    """

    artifact: Artifact
    seconds: float
    attempts: int
    sandbox: str
    text: str = ""


class Engine:
    """Runs one step at a time per caller thread; use as a context manager, so that the template ends with it.

    Args:
        root: the project's folder, from which the children import.
        scratch: where jobs write; on the same file system as the store, so that taking over is a rename.
        store: receives every output.
        files: `source:NAME` → file or folder; `@as_of` → the day as text.
        environment: what its processes see beside what every step's do: to try out whether it matters.
        trace: what the plan saw: modules to warm up with, and the text of each project file that a step may import
            (any, when the trace has none).
        holds: short values stay in memory until the caller, who has stored them, says `let_go`.
    """

    def __init__(
        self, root: Path, scratch: Path, *, store: Store, files: Mapping[str, Path | str], trace: Trace,
        environment: Mapping[str, str] | None = None, holds: bool = False,
    ) -> None:  # fmt: skip
        self.root, self.scratch, self.store, self.holds = root, scratch, store, holds
        self.attempts: dict[str, int] = {}
        self._held: dict[str, str] = {}
        self._jobs = Jobs(root, store=store, files=files, trace=trace, held=self._held, kept=self._kept)
        preload = (*FOR_STEPS, *trace.preload, *(FOR_TABLES if "polars" in trace.preload else ()))
        self._folders = Folders(scratch)
        self._processes = Processes(self._jobs.code, preload, environment or {})
        self.zygotes = None if environment else Zygotes(self._folders, self._processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up: the template ends, and with it every step that still runs and everything these wrote."""
        if self.zygotes:
            self.zygotes.close()
        self._processes.close()
        self._folders.close()

    def let_go(self, objects: Iterable[str]) -> None:
        """These are in the store now."""
        for name in objects:
            self._held.pop(name, None)

    def run(self, node: Node, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json]) -> Ran:
        """Run a step, again when its error says that this may help and it declares `retries`.

        Raises:
            StepFailed, ServiceUnavailable: the last attempt's error.
        """

        def make(folder: Path, scratch: str) -> Job:
            return self._jobs.job(node, artifacts, parameters, folder=folder, scratch=scratch)

        def take(folder: Path, reply: Reply) -> Artifact:
            return self._taken(node, folder, reply)

        kind = self._jobs.kind(node, artifacts) if self.zygotes else None
        artifact, reply, attempts = self._attempts(node, node.name, kind, make, take)
        text = reply.output if self.holds else ""
        return Ran(artifact=artifact, seconds=reply.seconds, attempts=attempts, sandbox=reply.sandbox, text=text)

    def _attempts(
        self, node: Node, name: str, kind: Hashable, make: Callable[[Path, str], Job], take: Callable[[Path, Reply], T]
    ) -> tuple[T, Reply, int]:
        """Run a job until it works or nothing helps any more; answer what was taken from the one that worked."""
        attempt, reply = 0, None
        while reply is None or (reply.retryable and attempt <= node.retries):
            if attempt:
                time.sleep(min(PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S))
            self.attempts[name] = attempt = attempt + 1
            reply, taken = self._attempt(node, name, kind, make, take)
            if taken is not None:
                return taken, reply, attempt
        parts = dict(cast("Mapping[str, str]", reply.error))
        if attempt > 1:
            parts["value"] += f" (attempt {attempt} of {node.retries + 1})"
        raise (ServiceUnavailable if reply.outside else StepFailed)(**parts)

    def _attempt(
        self, node: Node, name: str, kind: Hashable, make: Callable[[Path, str], Job], take: Callable[[Path, Reply], T]
    ) -> tuple[Reply, T | None]:
        """In a fork of a zygote if there is one; if that did not do, in a process of its own."""
        zygote = None
        if self.zygotes and kind is not None:
            zygote = self.zygotes.take(kind, node.target.partition(":")[0], partial(self._jobs.base, node))
        while True:
            place: Place = zygote or Own(name, self._folders, self._processes)
            zygote, failed = None, False
            try:
                reply = place.run(make(place.folder, place.scratch), node)
                failed = reply is not None and not reply.ok
                if reply is not None:
                    return reply, None if failed else take(place.folder, reply)
            finally:
                place.end(ok=not failed)

    def _taken(self, node: Node, folder: Path, reply: Reply) -> Artifact:
        """Move the output into the store, or hold it."""
        data = reply.output.encode()
        if data and self.holds:
            stored, size_bytes = digest_bytes(data), len(data)
            self._held[stored] = reply.output
        else:
            from lockgate.build.parts import keep_parts

            if data:
                (folder / OUTPUT).write_bytes(data)
            size_bytes = (folder / OUTPUT).stat().st_size
            keep_parts(self.store, folder)
            stored = self.store.put(folder / OUTPUT)
        return Artifact(type=node.type, codec=node.codec, digest=reply.identity, object=stored, size_bytes=size_bytes)

    def _kept(self, text: str) -> None:
        """Store a value that is held: somebody asks for it as a file."""
        folder, _ = self._folders.new("value")
        (folder / OUTPUT).write_bytes(text.encode())
        self.store.put(folder / OUTPUT)
        self._folders.remove(folder)

    def run_piece(
        self, node: Node, each: Each, piece: Piece, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json]
    ) -> tuple[Made, float]:
        """Run a step for one partition; answer its rows, which are in the store, and the seconds it took."""
        name = f"{node.name}[{piece.key}]"
        wanted = {"by": each.by, "period": each.period, "number": piece.number, "lookback": each.lookback}

        def make(folder: Path, scratch: str) -> Job:
            job = self._jobs.job(node, artifacts, parameters, folder=folder, scratch=scratch, slices=piece.slices)
            return replace(job, node=name, partition=wanted)

        def take(folder: Path, _: Reply) -> Made:
            from lockgate.build.parts import keep_parts, made_in

            made = made_in(folder)
            keep_parts(self.store, folder)
            return made

        made, reply, _ = self._attempts(node, name, None, make, take)
        return made, reply.seconds

    def keep_dataset(self, node: Node, dataset: Dataset) -> Artifact:
        """Store the record of all partitions, which are in the store already."""
        from lockgate.build.parts import keep_record

        folder, _ = self._folders.new(node.name)
        artifact = keep_record(self.store, folder, dataset, type=node.type)
        self._folders.remove(folder)
        return artifact
