"""The process side of a step: read inputs, call the function, write the output, say its identity."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import time
import traceback
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lockgate.build.loading import as_planned, compile_texts, is_project_path, load_from_text
from lockgate.build.protocol import SHORT, InputFile, Job, Reply, receive, send
from lockgate.build.sandbox import ALLOWED, Machine, Sandbox, refused
from lockgate.errors import LockgateError, ServiceUnavailable, StepFailed
from lockgate.records.digest import canonical, digest_canonical
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from lockgate.build.protocol import Code

__all__ = ["Warm", "enter", "run_job", "serve_job"]

NO_INPUT = InputFile(codec="", type="")
SOME_JOB = Job(node="", target="", root="", inputs={"": NO_INPUT}, parameters={}, type="", codec="", output="", log="")
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})


class Warm:
    """What the template made ready for every step of a run."""

    def __init__(self, code: Code) -> None:
        self.code, self.machine = code, Machine(code)
        self.compiled = compile_texts(code.root, code.texts or ())
        from_json(Job, to_json(SOME_JOB))  # reading the first one takes 2 ms


def run_job(job: Job, sandbox: Sandbox) -> Reply:
    """Run one step here, inside its sandbox. A step that fails answers with the error; nothing is raised.

    A file that was refused fails the step even if it caught the error: its result could depend on what it did not see.
    """
    started = time.perf_counter()
    parts: dict[str, Any] = _attempt(job)
    if names := sandbox.denied():
        also = parts["error"]["value"] if "error" in parts else ""
        parts = {"ok": False, "error": refused(job.node, names, also, command=job.command is not None)}
    return Reply(**parts, seconds=time.perf_counter() - started, sandbox=sandbox.level)


def _attempt(job: Job) -> dict[str, Any]:
    """The parts of a reply."""
    try:
        identity, text = _run(job)
    except LockgateError as error:
        parts = {"what": error.what, "value": error.value, "allowed": error.allowed, "next": error.next}
        outside = isinstance(error, ServiceUnavailable)
        return {"ok": False, "error": parts, "outside": outside, "retryable": outside}
    except (Exception, SystemExit) as error:  # whatever user code raises becomes one clear message
        return {"ok": False, "error": _told(job, error), "retryable": getattr(error, "retryable", None) is True}
    return {"ok": True, "identity": identity, "output": text}


def serve_job(channel: socket.socket, warm: Warm) -> None:
    """One job in a fresh process."""
    job = cast("Job | None", receive(channel, Job))
    if job is not None:
        sandbox = enter(job, warm)
        send(channel, run_job(job, sandbox))


def enter(job: Job, warm: Warm) -> Sandbox:
    """Make a fresh process ready to import the project: output goes to the job's log, the working folder is the project."""
    import faulthandler

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    descriptor = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for stream in (sys.stdout, sys.stderr):
        cast("Any", stream).reconfigure(line_buffering=True)  # so that the log has the last words of one that dies
    faulthandler.enable()
    os.chdir(job.root)
    os.environ.update({n: v for n, v in job.environment.items() if os.environ.get(n) != v})
    if tempfile := cast("Any", sys.modules.get("tempfile")):
        tempfile.tempdir = None  # a library may have asked for it in the template
    sandbox = Sandbox(job, warm.machine)
    sandbox.enter()
    sys.path.insert(0, job.root)
    load_from_text(job.root, as_planned(warm.code.texts), listing=not job.sandbox, compiled=warm.compiled)
    return sandbox


def _run(job: Job) -> tuple[str, str]:
    """The identity of what was made, and its text if no file was written."""
    from lockgate import codecs
    from lockgate.declare import Step

    if job.command:
        from lockgate.build.program import make

        return _kept(job, make(job))
    found: Any = codecs.resolve(job.target)
    function = found.function if isinstance(found, Step) else found
    hints = _hints(function)
    values = {n: _input(job, n, i, hints[n]) for n, i in job.inputs.items()}
    result = function(**values, **_parameters(function, job.parameters, hints))
    if not _is_a(result, hints["return"]):
        raise StepFailed(
            "a step returned another type than it declares",
            value=f"{job.node}: {type(result).__module__}.{type(result).__qualname__}",
            allowed=job.type.replace(":", "."),
            next="correct the return value or the annotation",
        )
    made = result
    if job.partition:
        from lockgate.codecs import dataset

        made = dataset.cut(cast("Any", result), job.partition)
        result = made.frames[0][1]
    if job.checked:
        cast("Any", found).contract.check(result)
    return _kept(job, made)


def _hints(function: Any) -> Mapping[str, Any]:
    """Resolved annotations. Classes are what they are; everything else has to be looked at."""
    from lockgate.codecs import json_value

    said: Mapping[str, Any] = getattr(function, "__annotations__", {"": None})
    return said if all(type(kind) is type for kind in said.values()) else json_value.hints(function)


def _kept(job: Job, made: object) -> tuple[str, str]:
    """Write the output, or say it; answer its identity, and its text if no file was written."""
    from lockgate import codecs

    if job.inline and (said := _said(made)):
        return said
    try:
        codecs.save(job.codec, made, Path(job.output))
    except OSError as error:
        if error.errno not in DISK:
            raise
        raise ServiceUnavailable(
            "an output cannot be written", value=f"{job.node}: {error.strerror}", next="make room on the disk"
        ) from error
    return codecs.identity(job.codec, made), ""


def _said(made: object) -> tuple[str, str] | None:
    """Identity and text of a short JSON value; None for a long one, and for what the codec will say is wrong."""
    from lockgate.codecs import json_value

    try:
        text = canonical(json_value.encode(made))
    except ValueError:
        return None
    return (digest_canonical("json", text), text.decode()) if len(text) <= SHORT else None


def _input(job: Job, name: str, given: InputFile, kind: Any) -> object:
    """Read one input as the step's own annotation wants it."""
    from lockgate.codecs import json_value

    if not (given.path or given.parts or given.text):
        return json_value.decode(kind, given.value)
    try:
        value = _read(given, kind)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _not_as_annotated(job, name, kind, f"{type(error).__name__}: {error}") from error
    if not _is_a(value, kind):
        raise _not_as_annotated(job, name, kind, f"it is a {type(value).__module__}.{type(value).__qualname__}")
    return value


def _read(given: InputFile, kind: Any) -> object:
    from lockgate import codecs

    if given.text:
        from lockgate.codecs import json_value

        return json_value.decode(codecs.plain(kind), json.loads(given.text))
    if not given.parts:
        return codecs.load(given.codec, Path(given.path), kind, mapped=True)
    from lockgate.codecs import dataset

    return dataset.load_parts([Path(p) for p in given.parts], codecs.plain(kind))


def _not_as_annotated(job: Job, name: str, kind: Any, why: str) -> StepFailed:
    return StepFailed(
        "an input cannot be read as its annotation says", value=f"{job.node}({name}: {getattr(kind, '__name__', kind)}): {why}"[:300],
        next="correct the annotation",
    )  # fmt: skip


def _parameters(function: Any, given: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that differ from their defaults, as annotated; the others are left to Python, which has them exactly."""
    if not given:
        return {}
    import inspect

    from lockgate.codecs import json_value

    defaults = {n: p.default for n, p in inspect.signature(function).parameters.items()}
    changed = {
        n: v for n, v in given.items() if defaults[n] is inspect.Parameter.empty or json_value.encode(defaults[n]) != v
    }
    return {n: json_value.decode(hints[n], v) if n in hints else v for n, v in changed.items()}


def _is_a(value: object, kind: Any) -> bool:
    """Whether a value is of an annotated type, as far as its outermost class tells."""
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_is_a(value, a) for a in arguments)
    if origin is None or origin is type(None):
        return value is None
    if origin is typing.Literal:
        return value in arguments
    return not isinstance(origin, type) or isinstance(value, origin) or (origin is float and isinstance(value, int))


def _told(job: Job, error: BaseException) -> dict[str, str]:
    """Say where user code raised: the innermost frame below the project's root."""
    from lockgate.build.environment import missed

    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if is_project_path(f.filename, job.root)]
    frame = own[-1] if own else frames[-1]
    place = f"{os.path.relpath(frame.filename, job.root)}:{frame.lineno} in {frame.name}" if own else frame.name
    with contextlib.suppress(OSError), Path(job.log).open("a") as log:
        log.write("".join(traceback.format_exception(error)))
    next_ = f"look at {place}; the whole traceback is in {job.log}"
    if not job.sandbox or not _is_refusal(error):
        return {
            "what": f"step {job.node} failed",
            "value": f"{type(error).__name__}: {error}",
            "allowed": missed(f"{type(error).__name__}: {error}"),
            "next": next_,
        }
    return {"what": f"step {job.node} failed", "value": f"{type(error).__name__}: {error}", "allowed": ALLOWED,
            "next": f"declare what it reads as a source, or write @step(sandbox=False); {next_}"}  # fmt: skip


def _is_refusal(error: BaseException) -> bool:
    """Native code says it in its own words, some in an error of its own kind."""
    return isinstance(error, PermissionError) or "os error 13" in str(error) or "Permission denied" in str(error)
