"""The local engine: step processes forked from one warm template, outputs taken over by the store."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from lockgate.build.environment import without_secrets
from lockgate.build.parts import keep_parts, keep_record, made_in, read_record
from lockgate.build.protocol import InputFile, Job, Reply, receive, send
from lockgate.build.template import RUNNING, ask, start_job
from lockgate.errors import ServiceUnavailable, StepFailed
from lockgate.records.artifact import Artifact
from lockgate.records.dataset import DATASET
from lockgate.records.graph import AS_OF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.build.pieces import Made, Piece
    from lockgate.ports import Store
    from lockgate.records.dataset import Dataset, Part
    from lockgate.records.digest import Json
    from lockgate.records.graph import Each, Node, Trace

__all__ = ["Engine"]

LAST_LINES = 8
FOR_STEPS = ("lockgate.declare", "lockgate.codecs.json_value")
FOR_TABLES = ("numpy", "lockgate.codecs.polars_frame", "lockgate.codecs.dataset")
"""What every step imports (10 ms), and what reading and writing a Polars table does (0.3 s): once, in the template."""
PATIENCE_S = 1.0
# Steps run beside each other; numeric libraries that each take every core slow all of them down, and another thread
# count may round differently: the count is the same for everybody, so it needs no place in the key.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Engine:
    """Runs one step at a time per caller thread; use as a context manager, so that the template ends with it.

    Args:
        root: the project's folder, from which the children import.
        scratch: where jobs write; on the same file system as the store, so that taking over is a rename.
        store: receives every output.
        files: `source:NAME` → file or folder; `@as_of` → the day as text.
        trace: what the plan saw: modules to warm up with, and the text of each project file that a step may import
            (any, when the trace has none).
    """

    def __init__(
        self, root: Path, scratch: Path, *, store: Store, files: Mapping[str, Path | str], trace: Trace
    ) -> None:
        self.root, self.scratch, self.store, self.files = root, scratch, store, files
        self._preload = (*FOR_STEPS, *trace.preload, *(FOR_TABLES if "polars" in trace.preload else ()))
        self._texts = {f.path: f.digest for f in trace.files if f.path.endswith(".py")} or None
        self._template: tuple[socket.socket, subprocess.Popen[bytes]] | None = None
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up: the template ends, and with it every step that still runs."""
        if self._template:
            self._template[0].close()
            self._template[1].wait()

    def run(
        self, node: Node, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json]
    ) -> tuple[Artifact, float]:
        """Run a step; answer what it left in the store and the seconds it took."""
        folder = self._folder(node.name)
        job = self._job(node, artifacts, parameters, folder)
        reply = self._done(job)
        size_bytes = Path(job.output).stat().st_size
        keep_parts(self.store, folder)
        stored = self.store.put(Path(job.output))
        shutil.rmtree(folder, ignore_errors=True)
        return Artifact(
            type=node.type, codec=node.codec, digest=reply.identity, object=stored, size_bytes=size_bytes
        ), reply.seconds

    def run_piece(
        self, node: Node, each: Each, piece: Piece, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json]
    ) -> tuple[Made, float]:
        """Run a step for one partition; answer its rows, which are in the store, and the seconds it took."""
        name = f"{node.name}[{piece.key}]"
        folder = self._folder(name)
        cut = {p: self._parts(s, node.input_types[p]) for p, s in piece.slices.items()}
        whole = {p: self._input(i, node.input_types[p], artifacts) for p, i in node.inputs.items() if p not in cut}
        wanted = {"by": each.by, "period": each.period, "number": piece.number, "lookback": each.lookback}
        job = self._job(node, artifacts, parameters, folder, inputs={**whole, **cut})
        reply = self._done(replace(job, node=name, partition=wanted))
        made = made_in(folder)
        keep_parts(self.store, folder)
        shutil.rmtree(folder, ignore_errors=True)
        return made, reply.seconds

    def keep_dataset(self, node: Node, dataset: Dataset) -> Artifact:
        """Store the record of all partitions, which are in the store already."""
        folder = self._folder(node.name)
        artifact = keep_record(self.store, folder, dataset, type=node.type)
        shutil.rmtree(folder, ignore_errors=True)
        return artifact

    def _done(self, job: Job) -> Reply:
        """Run a job to its end. Raises what its process answered when that is an error."""
        reply = self._in_child(job)
        if not reply.ok:
            Path(job.output).unlink(missing_ok=True)
            raise (ServiceUnavailable if reply.outside else StepFailed)(**cast("dict[str, str]", reply.error))
        return reply

    def _folder(self, name: str) -> Path:
        with self._lock:
            self._count += 1
            folder = self.scratch / f"{os.getpid()}-{os.urandom(3).hex()}-{self._count}-{name}"
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise ServiceUnavailable(
                "the store's folder cannot be written",
                value=f"{folder.parent}: {error.strerror}",
                next="check disk and permissions",
            ) from error
        return folder

    def _job(
        self, node: Node, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json], folder: Path,
        *, inputs: Mapping[str, InputFile] | None = None,
    ) -> Job:  # fmt: skip
        return Job(
            node=node.name,
            target=node.target,
            root=str(self.root),
            inputs=inputs or {p: self._input(i, node.input_types[p], artifacts) for p, i in node.inputs.items()},
            parameters=parameters,
            type=node.type,
            codec=node.codec,
            output=str(folder / "output"),
            log=str(folder / "log.txt"),
            checked=node.checked,
            files=self._texts,
        )

    def _input(self, source: str, kind: str, artifacts: Mapping[str, Artifact]) -> InputFile:
        if source == AS_OF:
            return InputFile(codec="json", type=kind, value=str(self.files[AS_OF]))
        if source in artifacts:
            artifact = artifacts[source]
            if artifact.codec == DATASET:
                dataset = read_record(self.store, artifact)
                return self._parts(dataset.parts or (dataset.empty,), kind)
            return InputFile(codec=artifact.codec, type=kind, path=str(self.store.get(artifact.object)))
        return InputFile(codec="file", type=kind, path=str(self.files[source]))

    def _parts(self, parts: Sequence[Part], kind: str) -> InputFile:
        return InputFile(codec=DATASET, type=kind, parts=tuple(str(self.store.get(p.object)) for p in parts))

    def _in_child(self, job: Job) -> Reply:
        ours, theirs = socket.socketpair()
        with ours:
            try:
                with self._lock, theirs:
                    pid = start_job(self._started(), theirs)
                send(ours, job)
                while not select.select([ours], [], [], PATIENCE_S)[0]:
                    if self._ask(pid) != RUNNING:  # it is dead, though a process it left may hold the socket
                        break
                reply = cast("Reply | None", receive(ours, Reply)) if select.select([ours], [], [], 0)[0] else None
                status = RUNNING if reply else self._ended(pid)
            except ConnectionError:
                reply, status = None, RUNNING
        return reply or Reply(ok=False, error=_died(job, status))

    def _started(self) -> socket.socket:
        if self._template is None or self._template[1].poll() is not None:
            ours, theirs = socket.socketpair()
            command = [sys.executable, "-P", "-m", "lockgate.build.template", str(theirs.fileno()), *self._preload]
            environment = {
                **without_secrets(os.environ),
                **ONE_THREAD,
                "PYTHONHASHSEED": "0",
            }  # a set has one order in every run
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment)
            theirs.close()
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


def _died(job: Job, status: int) -> dict[str, str]:
    """A process that ended without an answer: killed by a signal, out of memory, or `os._exit`."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        text = Path(job.log).read_text(errors="replace").partition("Fatal Python error")[0]  # a stack follows
        lines = text.splitlines()[-LAST_LINES:]
    said = f"its last output: {'; '.join(lines)}" if lines else "it said nothing"
    return {
        "what": f"step {job.node} died without an answer",
        "value": f"{_how(status)}; {said}",
        "next": f"its output is in {job.log}" if lines else "lockgate run",
    }


def _how(status: int) -> str:
    if status == RUNNING:
        return "lost"
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"exit code {os.waitstatus_to_exitcode(status)}"
