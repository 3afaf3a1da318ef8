"""The warm template: `python -P -m lockgate.build.template FD SCRATCH MODULE…`, with the project's code (a `Code`) on stdin.

It imports third-party modules only, compiles user code but never runs it, and forks a process for each step it is handed a socket for.
Asked about a process it says whether that still runs, or how it ended; told to, it ends one. When the engine is gone,
so are the steps, whatever they started, and the scratch folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

from lockgate.build.clock import CLOCK, set_clock
from lockgate.build.protocol import Code
from lockgate.build.worker import Warm, serve_job
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RUNNING", "ask", "end_job", "start_job"]

RUNNING = -1
WORD = 8
OWN = ("faulthandler", "lockgate.codecs.json_value", "lockgate.declare")
"""What every step's process would import."""
ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


def start_job(control: socket.socket, channel: socket.socket) -> int:
    """The engine's side: hand over a socket; answers the id of the process that serves it."""
    socket.send_fds(control, [b"job"], [channel.fileno()])
    return _number(control)


def ask(control: socket.socket, pid: int) -> int:
    """The engine's side: RUNNING, or the status that `os.wait` gave."""
    control.sendall(b"ask" + pid.to_bytes(WORD, "little"))
    return _number(control)


def end_job(control: socket.socket, pid: int) -> int:
    """The engine's side: kill a step's process and its group; answers like `ask`."""
    control.sendall(b"end" + pid.to_bytes(WORD, "little"))
    return _number(control)


def _number(control: socket.socket) -> int:
    answer = control.recv(WORD, socket.MSG_WAITALL)
    if len(answer) < WORD:
        raise ConnectionResetError
    return int.from_bytes(answer, "little", signed=True)


def main(control: socket.socket, code: Code, scratch: str, modules: Sequence[str]) -> None:
    """Import, then serve the engine until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine decides when to stop
    sys.dont_write_bytecode = True
    for module in (*OWN, *modules):
        with contextlib.suppress(Exception):  # the step that needs it will say what is wrong
            importlib.import_module(module)
    set_clock(os.environ.pop(CLOCK, ""))
    warm = Warm(code)
    gc.freeze()  # a collection in a step would copy every page of what it shares with the template
    _adopt_orphans()
    running: set[int] = set()
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # an engine that is killed hangs up anywhere
            _serve(control, warm, running)
    finally:
        for pid in running:
            _kill_group(pid)
        _end_orphans()
        shutil.rmtree(scratch, ignore_errors=True)


def _code() -> Code:
    """From stdin, which is empty from then on."""
    code = from_json(Code, json.loads(sys.stdin.buffer.read()))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return code


def _serve(control: socket.socket, warm: Warm, running: set[int]) -> None:
    ended: dict[int, int] = {}
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            return
        _reap(running, ended)
        if descriptors:
            answer = _fork(control, descriptors[0], warm)
            running.add(answer)
        else:
            pid = int.from_bytes(message[3:], "little")
            if message.startswith(b"end") and pid in running:
                _kill_group(pid)
            answer = ended.get(pid, RUNNING)
        control.sendall(answer.to_bytes(WORD, "little", signed=True))


def _fork(control: socket.socket, descriptor: int, warm: Warm) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            _adopt_orphans()
            control.close()
            serve_job(socket.socket(fileno=descriptor), warm)
            status = 0
        finally:
            os._exit(status)
    os.close(descriptor)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # here too: whichever of the two comes first
    return pid


def _adopt_orphans() -> None:
    """What a step leaves behind, even in a session of its own, becomes a child of the step, then of the template."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT_ORPHANS, *(ctypes.c_ulong(n) for n in (1, 0, 0, 0)))


def _reap(running: set[int], ended: dict[int, int]) -> None:
    """Collect finished processes, and end what they left behind."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = found
            if pid in running:
                ended[pid] = status
                running.discard(pid)
                _kill_group(pid)
                _end_orphans(except_for=running)


def _end_orphans(*, except_for: set[int] = frozenset()) -> None:  # type: ignore[assignment]
    """Kill every child that is no running step, until none comes after."""
    for _ in range(100):
        orphans = _children() - except_for
        if not orphans:
            return
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.01)


def _children() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return {int(n) for n in file.read().split()}
    except OSError:  # not Linux, or a kernel without this list
        return set()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), _code(), sys.argv[2], sys.argv[3:])
