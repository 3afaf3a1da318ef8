"""A zygote: a process that has imported one module of the project and runs no step, but forks a process for each.

The template forks it. It enters the sandbox of its steps before it imports; what it forks is in that sandbox, and set apart
from the zygote itself. Between two steps nothing of the first is left: its process and what that started are gone before the
engine hears so, and the engine empties the folders. What a step changes in a module, it changes in its own copy.

A module whose import leaves more than Python objects has no zygote (`remains.py`): its steps import it themselves.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from os import _exit, fork, setpgid, waitpid  # as they are before the project's modules put others in their place
from typing import TYPE_CHECKING, cast

from lockgate.build.orphans import end_orphans
from lockgate.build.protocol import NOT_APART, Job, Reply, of_step, receive, send
from lockgate.build.remains import Remains
from lockgate.build.worker import enter, run_job

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from lockgate.build.sandbox import Sandbox
    from lockgate.build.worker import Warm

__all__ = ["serve_module"]


def serve_module(channel: socket.socket, warm: Warm) -> None:
    """Import the module of the first job, say whether that can be shared, then run a job per line until the engine hangs up."""
    base = cast("Job | None", receive(channel, Job))
    if base is None:
        return
    sandbox = enter(base, warm)
    why = _import(base, sandbox)
    send(channel, Reply(ok=not why, error={"why": why}))
    if why:
        return
    collects = gc.isenabled()
    gc.disable()  # what the import left for a collection to end (and weak references to see), each step ends for itself
    for line in _lines(channel):
        pid = fork()
        if not pid:
            _serve(channel, base, line, sandbox, collects=collects)
        _, status = waitpid(pid, 0)
        if not _alone():
            return
        channel.sendall(b"\n%d\n" % status)


def _import(base: Job, sandbox: Sandbox) -> str:
    """Import; answer why its steps had better do so themselves, or nothing."""
    remains = Remains((base.scratch,))
    remains.watch()
    try:
        importlib.import_module(base.target.partition(":")[0])
    except BaseException as error:  # each step will say what is wrong
        return type(error).__name__
    why = remains.found()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    if os.path.getsize(base.log):
        return "it printed"
    return "it was refused a file" if sandbox.denied() else why


def _serve(channel: socket.socket, base: Job, line: bytes, sandbox: Sandbox, *, collects: bool) -> None:
    """One step, in a process forked for it, which ends here."""
    status = 1
    try:
        setpgid(0, 0)
        if not sandbox.set_apart():
            status = NOT_APART
        else:
            if collects:
                gc.enable()
            send(channel, run_job(of_step(base, line), sandbox))
            status = 0
    finally:
        _exit(status)


def _alone() -> bool:
    """End what a step left running; answers whether all of it is gone."""
    if not _has_children():
        return True
    end_orphans()
    return not _has_children()


def _has_children() -> bool:
    try:
        waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _lines(channel: socket.socket) -> Iterator[bytes]:
    held = b""
    while chunk := channel.recv(1 << 16):
        held += chunk
        *whole, held = held.split(b"\n")
        yield from whole
