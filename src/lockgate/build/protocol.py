"""What engine and step processes say to each other: one JSON line each way, over a socket of their own.

A job names everything by path and type name; the step's code is imported only in the process that runs it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lockgate.errors import IntegrityError
from lockgate.records.digest import Json
from lockgate.records.frozen import field, field_names, frozen
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    import socket

__all__ = [
    "NOT_APART",
    "RUNNING",
    "SHORT",
    "WORD",
    "Code",
    "InputFile",
    "Job",
    "Reply",
    "about",
    "of_step",
    "receive",
    "reply_in",
    "send",
]

RUNNING = -1
"""What the template says of a process that has not ended."""
WORD = 8
"""Bytes of a number between engine and template."""
NOT_APART = 113
"""The exit code of a zygote's child that could not be set apart from it: its step did not begin."""
SHORT = 1 << 16
"""Bytes of JSON that travel in a message instead of in a file."""
OF_STEP = ("node", "target", "inputs", "parameters", "type", "codec", "checked", "partition", "inline")
"""What differs between jobs for one zygote; it knows the rest."""


@frozen(kw_only=True)
class InputFile:
    """One input as the step's process finds it: where, how to read it, and as what type.

    `value` replaces the file, and so does `text`, the bytes of a JSON file; `parts` do when it is a table in partitions,
    one file each.
    """

    codec: str
    type: str
    path: str = ""
    value: Json = None
    parts: tuple[str, ...] = ()
    text: str = ""


@frozen(kw_only=True)
class Code:
    """The project's code as it was planned: what every step of a run has in common, so the template alone is told.

    Attributes:
        root: the project's folder.
        texts: the modules that may be imported, path → digest of the text that was planned; None: any.
        files: the files that importing may read, relative to `root`.
    """

    root: str
    texts: Mapping[str, str] | None = None
    files: tuple[str, ...] = ()


@frozen(kw_only=True)
class Job:
    """Run one step: import `target` from `root`, read the inputs, write the output to `output`.

    Attributes:
        scratch: the folder that stands for TMPDIR and HOME.
        denied: where the names of refused files are noted.
        sandbox, network: False: the step runs without the one; True: it may use the other.
        guard: what holds around the step when the kernel does its part, in words.
        environment: names and values to add.
        reads: files and folders beside its inputs: what its modules read on import, and what it is allowed by name.
        command: the program to start instead of importing `target`; as in the node.
        inline: answer with the output's text when it is JSON and short, instead of writing a file.
        partition: `by`, `period`, `number`, `lookback` of the one whose rows are asked for; None: the step makes all.
    """

    node: str
    target: str
    root: str
    inputs: Mapping[str, InputFile]
    parameters: Mapping[str, Json]
    type: str
    codec: str
    output: str
    log: str
    checked: bool = False
    inline: bool = False
    partition: Mapping[str, Json] | None = None
    scratch: str = ""
    denied: str = ""
    sandbox: bool = True
    network: bool = False
    guard: str = "on"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    reads: tuple[str, ...] = ()
    command: Mapping[str, Json] | None = None


@frozen(kw_only=True)
class Reply:
    """The identity of what was written, or the four parts of an error.

    Attributes:
        outside: something outside failed (the disk, a service), not the step.
        retryable: the error says that trying again may help.
        sandbox: what held around the step: the job's `guard`, or `audit hooks only`.
        output: the text of an output that no file was written for.
    """

    ok: bool
    identity: str = ""
    seconds: float = 0.0
    error: Mapping[str, str] | None = None
    outside: bool = False
    retryable: bool = False
    sandbox: str = ""
    output: str = ""


NOT_OF_STEP = tuple(name for name in field_names(Job) or () if name not in OF_STEP)


def send(channel: socket.socket, record: Job | Reply) -> None:
    """Send one record."""
    channel.sendall(json.dumps(to_json(record)).encode() + b"\n")


def receive(channel: socket.socket, kind: type[Job | Reply]) -> Job | Reply | None:
    """Receive one record, or None when the other side is gone."""
    parts: list[bytes] = []
    while not (parts and parts[-1].endswith(b"\n")):
        chunk = channel.recv(1 << 16)
        if not chunk:
            return None
        parts.append(chunk)
    return from_json(kind, json.loads(b"".join(parts)))


def about(job: Job) -> bytes:
    """One line with what a zygote does not know of a job yet."""
    return json.dumps({n: to_json(getattr(job, n)) for n in OF_STEP}).encode() + b"\n"


def of_step(base: Job, line: bytes) -> Job:
    """The job that a line is about."""
    parts: dict[str, Any] = {name: getattr(base, name) for name in NOT_OF_STEP}
    parts.update(json.loads(line))
    parts["inputs"] = {name: InputFile(**given) for name, given in parts["inputs"].items()}
    return Job(**parts)


def reply_in(line: bytes) -> Reply | None:
    """The reply in a line; None when there is none, or not all of it."""
    try:
        return from_json(Reply, json.loads(line))
    except (ValueError, IntegrityError):
        return None
