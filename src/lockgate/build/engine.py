"""The local engine: step processes forked from one warm template, outputs taken over by the store."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lockgate.build.protocol import InputFile, Job, Reply, receive, send
from lockgate.errors import StepFailed
from lockgate.records.artifact import Artifact
from lockgate.records.graph import AS_OF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.ports import Store
    from lockgate.records.digest import Json
    from lockgate.records.graph import Node

__all__ = ["Engine"]

LAST_LINES = 8
# Steps run beside each other; numeric libraries that each take every core slow all of them down, and another thread
# count may round differently. A value in the caller's environment wins.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Engine:
    """Runs one step at a time per caller thread; use as a context manager, so that the template ends with it.

    Args:
        root: the project's folder, from which the children import.
        scratch: where jobs write; on the same file system as the store, so that taking over is a rename.
        store: receives every output.
        files: `source:NAME` → file or folder; `@as_of` → the day as text.
        preload: third-party modules for the template.
    """

    def __init__(self, root: Path, scratch: Path, *, store: Store, files: Mapping[str, Path | str], preload: Sequence[str]) -> None:
        self.root, self.scratch, self.store, self.files = root, scratch, store, files
        self._preload = preload
        self._template: tuple[socket.socket, subprocess.Popen[bytes]] | None = None
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> Engine:
        self.scratch.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._template:
            self._template[0].close()
            self._template[1].wait(timeout=10)

    def run(self, node: Node, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json]) -> tuple[Artifact, float]:
        """Run a step; answer what it left in the store and the seconds it took."""
        folder = self._folder(node.name)
        job = self._job(node, artifacts, parameters, folder)
        reply = self._in_child(job) if node.isolate else self._in_process(job)
        if not reply.ok:
            raise StepFailed(**cast("dict[str, str]", reply.error))
        size_bytes = Path(job.output).stat().st_size
        stored = self.store.put(Path(job.output))
        shutil.rmtree(folder, ignore_errors=True)
        return Artifact(type=node.type, codec=node.codec, digest=reply.identity, object=stored, size_bytes=size_bytes), reply.seconds

    def _folder(self, name: str) -> Path:
        with self._lock:
            self._count += 1
            folder = self.scratch / f"{os.getpid()}-{os.urandom(3).hex()}-{self._count}-{name}"
        folder.mkdir(parents=True)
        return folder

    def _job(self, node: Node, artifacts: Mapping[str, Artifact], parameters: Mapping[str, Json], folder: Path) -> Job:
        return Job(
            node=node.name,
            target=node.target,
            root=str(self.root),
            inputs={p: self._input(source, node.input_types[p], artifacts) for p, source in node.inputs.items()},
            parameters=parameters,
            type=node.type,
            codec=node.codec,
            output=str(folder / "output"),
            log=str(folder / "log.txt"),
            checked=node.checked,
        )

    def _input(self, source: str, kind: str, artifacts: Mapping[str, Artifact]) -> InputFile:
        if source == AS_OF:
            return InputFile(codec="json", type=kind, value=str(self.files[AS_OF]))
        if source in artifacts:
            artifact = artifacts[source]
            return InputFile(codec=artifact.codec, type=kind, path=str(self.store.get(artifact.object)))
        return InputFile(codec="file", type=kind, path=str(self.files[source]))

    def _in_process(self, job: Job) -> Reply:
        from lockgate.build.worker import run_job

        if job.root not in sys.path:
            sys.path.insert(0, job.root)
        return run_job(job)

    def _in_child(self, job: Job) -> Reply:
        ours, theirs = socket.socketpair()
        with ours:
            with self._lock:
                control = self._started()
                socket.send_fds(control, [b"job"], [theirs.fileno()])
                theirs.close()
                control.recv(8)
            with contextlib.suppress(BrokenPipeError):
                send(ours, job)
            reply = cast("Reply | None", receive(ours, Reply))
        return reply or Reply(ok=False, error=_died(job))

    def _started(self) -> socket.socket:
        if self._template is None:
            ours, theirs = socket.socketpair()
            command = [sys.executable, "-P", "-m", "lockgate.build.worker", str(theirs.fileno()), *self._preload]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env={**ONE_THREAD, **os.environ})
            theirs.close()
            self._template = (ours, process)
        return self._template[0]


def _died(job: Job) -> dict[str, str]:
    """A process that ended without an answer: killed by a signal, out of memory, or `os._exit`."""
    with contextlib.suppress(OSError):
        lines = Path(job.log).read_text(errors="replace").splitlines()[-LAST_LINES:]
        return {"what": f"step {job.node} died without an answer", "value": "; ".join(lines) or "no output", "next": f"its output is in {job.log}"}
    return {"what": f"step {job.node} died without an answer", "value": "no output", "next": "lockgate run"}
