"""The process side of a step: read inputs, call the function, write the output, say its identity.

`python -P -m lockgate.build.worker FD MODULE…` is the warm template: it imports third-party modules only, never
user code, and forks a child for each socket it is handed. The child imports the project and runs one job.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any, cast

from lockgate.build.protocol import Job, Reply, receive, send
from lockgate.errors import LockgateError, StepFailed

__all__ = ["run_job"]


def run_job(job: Job) -> Reply:
    """Run one step here. A step that fails answers with the error; nothing is raised."""
    started = time.perf_counter()
    try:
        identity = _run(job)
    except LockgateError as error:
        parts = {"what": error.what, "value": error.value, "allowed": error.allowed, "next": error.next}
        return Reply(ok=False, error=parts, seconds=time.perf_counter() - started)
    except Exception as error:  # noqa: BLE001 — whatever user code raises becomes one clear message
        return Reply(ok=False, error=_told(job, error), seconds=time.perf_counter() - started)
    return Reply(ok=True, identity=identity, seconds=time.perf_counter() - started)


def _run(job: Job) -> str:
    from lockgate import codecs
    from lockgate.codecs import json_value
    from lockgate.declare import Step

    module, _, qualname = job.target.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    function = found.function if isinstance(found, Step) else found
    hints = json_value.hints(function)
    values = {n: _value(i.value, hints[n]) if not i.path else codecs.load(i.codec, Path(i.path), hints[n]) for n, i in job.inputs.items()}
    result = function(**values, **job.parameters)
    _check_type(job, result, hints["return"])
    if job.checked:
        cast("Any", found).contract.check(result)
    codecs.save(job.codec, result, Path(job.output))
    return codecs.identity(job.codec, result)


def _value(value: object, kind: Any) -> object:
    from lockgate.codecs import json_value

    return json_value.decode(kind, value)


def _check_type(job: Job, result: object, kind: Any) -> None:
    import typing

    origin = typing.get_origin(kind) or kind
    if isinstance(origin, type) and not isinstance(result, origin) and not (origin is float and isinstance(result, int)):
        raise StepFailed(
            "a step returned another type than it declares",
            value=f"{job.node}: {type(result).__module__}.{type(result).__qualname__}",
            allowed=job.type.replace(":", "."),
            next="correct the return value or the annotation",
        )


def _told(job: Job, error: Exception) -> dict[str, str]:
    """Say where user code raised: the innermost frame below the project's root."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(job.root)]
    frame = own[-1] if own else frames[-1]
    place = f"{os.path.relpath(frame.filename, job.root)}:{frame.lineno} in {frame.name}" if own else frame.name
    text = "".join(traceback.format_exception(error))
    with contextlib.suppress(OSError), Path(job.log).open("a") as log:
        log.write(text)
    return {
        "what": f"step {job.node} failed",
        "value": f"{type(error).__name__}: {error}",
        "allowed": "",
        "next": f"look at {place}; the whole traceback is in {job.log}",
    }


def _child(channel: socket.socket) -> None:
    """One job in a fresh process: its output goes to the job's log, its working folder is the project."""
    job = cast("Job | None", receive(channel, Job))
    if job is None:
        return
    descriptor = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(job.root)
    sys.path.insert(0, job.root)
    send(channel, run_job(job))
    sys.stdout.flush()
    sys.stderr.flush()


def _template(control: socket.socket, modules: list[str]) -> None:
    """Import, then fork a child per socket received, until the engine hangs up."""
    sys.dont_write_bytecode = True
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            status = 1
            try:
                _child(socket.socket(fileno=descriptors[0]))
                status = 0
            finally:
                os._exit(status)
        os.close(descriptors[0])
        control.sendall(pid.to_bytes(8, "little"))
        _reap()


def _reap() -> None:
    """Collect finished children so that none stays a zombie."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    _template(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
