"""The local engine: step processes forked from one warm template, outputs taken over by the store."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self, cast

from lockgate.build.endings import died, last_words
from lockgate.build.environment import for_steps
from lockgate.build.jobs import Jobs
from lockgate.build.limits import Watch
from lockgate.build.parts import keep_parts, keep_record, made_in
from lockgate.build.protocol import Job, Reply, receive, send
from lockgate.build.template import RUNNING, ask, end_job, start_job
from lockgate.errors import ServiceUnavailable, StepFailed
from lockgate.records.artifact import Artifact
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockgate.build.pieces import Made, Piece
    from lockgate.ports import Store
    from lockgate.records.dataset import Dataset
    from lockgate.records.digest import Json
    from lockgate.records.graph import Each, Node, Trace

__all__ = ["Engine", "Ran"]

FOR_STEPS = ("lockgate.declare", "lockgate.codecs.json_value")
FOR_TABLES = ("numpy", "lockgate.codecs.polars_frame", "lockgate.codecs.dataset")
"""What every step imports (10 ms), and what reading and writing a Polars table does (0.3 s): once, in the template."""
PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a step left in the store, and how: seconds of the attempt that worked, attempts, what its sandbox held."""

    artifact: Artifact
    seconds: float
    attempts: int
    sandbox: str


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
    """

    def __init__(
        self, root: Path, scratch: Path, *, store: Store, files: Mapping[str, Path | str], trace: Trace,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.root, self.scratch, self.store = root, scratch, store
        self.attempts: dict[str, int] = {}
        self._environment = environment or {}
        self._jobs = Jobs(root, store=store, files=files, trace=trace)
        self._preload = (*FOR_STEPS, *trace.preload, *(FOR_TABLES if "polars" in trace.preload else ()))
        self._template: tuple[socket.socket, subprocess.Popen[bytes]] | None = None
        self._temporary = ""
        self._open: set[Path] = set()
        self._closed = False
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up: the template ends, and with it every step that still runs and everything these wrote."""
        with self._lock:
            self._closed = True
        if self._template:
            self._template[0].close()
            self._template[1].wait()
        for folder in tuple(self._open):
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, node: Node, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json]) -> Ran:
        """Run a step, again when its error says that this may help and it declares `retries`.

        Raises:
            StepFailed, ServiceUnavailable: the last attempt's error.
        """

        def make(folder: Path, scratch: str) -> Job:
            return self._jobs.job(node, artifacts, parameters, folder=folder, scratch=scratch)

        job, reply, attempt = self._attempts(node, node.name, make)
        return self._take(node, job, reply, attempt)

    def _attempts(self, node: Node, name: str, make: Callable[[Path, str], Job]) -> tuple[Job, Reply, int]:
        """Run a job until it works or nothing helps any more; answer the one that worked."""
        attempt, reply = 0, None
        while reply is None or (reply.retryable and attempt <= node.retries):
            if attempt:
                time.sleep(min(PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S))
            self.attempts[name] = attempt = attempt + 1
            folder = self._folder(name)
            job = make(folder, self._scratch_of(folder))
            reply = self._in_child(job, node)
            shutil.rmtree(job.scratch, ignore_errors=True)
            if reply.ok:
                return job, reply, attempt
            Path(job.output).unlink(missing_ok=True)
            if not self._closed:
                self._open.discard(folder)  # its log stays
        parts = dict(cast("Mapping[str, str]", reply.error))
        if attempt > 1:
            parts["value"] += f" (attempt {attempt} of {node.retries + 1})"
        raise (ServiceUnavailable if reply.outside else StepFailed)(**parts)

    def _take(self, node: Node, job: Job, reply: Reply, attempt: int) -> Ran:
        """Move the output into the store."""
        folder = Path(job.output).parent
        size_bytes = Path(job.output).stat().st_size
        keep_parts(self.store, folder)
        stored = self.store.put(Path(job.output))
        shutil.rmtree(folder, ignore_errors=True)
        self._open.discard(folder)
        artifact = Artifact(
            type=node.type, codec=node.codec, digest=reply.identity, object=stored, size_bytes=size_bytes
        )
        return Ran(artifact=artifact, seconds=reply.seconds, attempts=attempt, sandbox=reply.sandbox)

    def run_piece(
        self, node: Node, each: Each, piece: Piece, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json]
    ) -> tuple[Made, float]:
        """Run a step for one partition; answer its rows, which are in the store, and the seconds it took."""
        name = f"{node.name}[{piece.key}]"
        wanted = {"by": each.by, "period": each.period, "number": piece.number, "lookback": each.lookback}

        def make(folder: Path, scratch: str) -> Job:
            job = self._jobs.job(node, artifacts, parameters, folder=folder, scratch=scratch, slices=piece.slices)
            return replace(job, node=name, partition=wanted)

        job, reply, _ = self._attempts(node, name, make)
        folder = Path(job.output).parent
        made = made_in(folder)
        keep_parts(self.store, folder)
        shutil.rmtree(folder, ignore_errors=True)
        self._open.discard(folder)
        return made, reply.seconds

    def keep_dataset(self, node: Node, dataset: Dataset) -> Artifact:
        """Store the record of all partitions, which are in the store already."""
        folder = self._folder(node.name)
        artifact = keep_record(self.store, folder, dataset, type=node.type)
        shutil.rmtree(folder, ignore_errors=True)
        self._open.discard(folder)
        return artifact

    def _folder(self, name: str) -> Path:
        with self._lock:
            self._count += 1
            folder = self.scratch / f"{os.getpid()}-{os.urandom(3).hex()}-{self._count}-{name}"
        try:
            folder.mkdir(parents=True)
            self._open.add(folder)
        except OSError as error:
            raise ServiceUnavailable(
                "the store's folder cannot be written",
                value=f"{folder.parent}: {error.strerror}",
                next="check disk and permissions",
            ) from error
        return folder

    def _scratch_of(self, folder: Path) -> str:
        """A folder for temporary files with a short name: the path of a UNIX socket has 107 bytes."""
        with self._lock:
            self._started()
        scratch = os.path.join(self._temporary, folder.name.split("-")[2])
        os.mkdir(scratch, 0o700)
        return scratch

    def _in_child(self, job: Job, node: Node) -> Reply:
        ours, theirs = socket.socketpair()
        status, broken = RUNNING, None
        with ours:
            try:
                with self._lock, theirs:
                    pid = start_job(self._started(), theirs)
                send(ours, job)
                watch = Watch(node, pid)
                while not _answers(ours, within_s=watch.wait_s):
                    if broken := watch.broken():
                        return self._end(pid, job, broken)
                    if self._ask(pid) != RUNNING:  # it is dead, though a process it left may hold the socket
                        break
                reply = cast("Reply | None", receive(ours, Reply)) if _answers(ours, within_s=0) else None
                status = RUNNING if reply else self._ended(pid)
            except ConnectionError:
                reply = None
        return reply or Reply(ok=False, error=died(job, status))

    def _end(self, pid: int, job: Job, broken: dict[str, str]) -> Reply:
        """Kill a step that broke a limit, and what it started."""
        with self._lock:
            end_job(self._started(), pid)
        self._ended(pid)
        if said := last_words(job):
            broken["value"] += f"; {said}"
            broken["next"] += f"; its output is in {job.log}"
        return Reply(ok=False, error=broken)

    def _started(self) -> socket.socket:
        if self._closed:
            raise ConnectionResetError
        if self._template is None or self._template[1].poll() is not None:
            ours, theirs = socket.socketpair()
            self._temporary = os.path.realpath(tempfile.mkdtemp(prefix="lockgate-"))
            command = [
                sys.executable, "-P", "-m", "lockgate.build.template",
                str(theirs.fileno()), self._temporary, *self._preload,
            ]  # fmt: skip
            process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.PIPE, env={**for_steps(os.environ), **self._environment},
                process_group=0,  # Ctrl-C in a terminal reaches the engine alone
            )  # fmt: skip
            theirs.close()
            with contextlib.suppress(BrokenPipeError), cast("IO[bytes]", process.stdin) as stdin:
                stdin.write(json.dumps(to_json(self._jobs.code)).encode())
            self._template = (ours, process)
        return self._template[0]

    def _ask(self, pid: int) -> int:
        with self._lock:
            return ask(self._started(), pid)

    def _ended(self, pid: int) -> int:
        """How a process ended that closed its socket; it may take a moment to be gone."""
        for _ in range(20):
            if (status := self._ask(pid)) != RUNNING:
                return status
            time.sleep(0.05)
        return RUNNING


def _answers(channel: socket.socket, *, within_s: float) -> bool:
    """Whether something comes in that time, or the end; `select` knows no descriptor above 1023."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(math.ceil(within_s * 1000)))
