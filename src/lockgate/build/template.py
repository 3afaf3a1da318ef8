"""The warm template: `python -P -m lockgate.build.template FD MODULE…`.

It imports third-party modules only, never user code, and forks a process for each step it is handed a socket for.
Asked about a process it says whether that still runs, or how it ended. When the engine is gone, so are the steps.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from lockgate.build.worker import serve_job

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RUNNING", "ask", "start_job"]

RUNNING = -1
WORD = 8


def start_job(control: socket.socket, channel: socket.socket) -> int:
    """The engine's side: hand over a socket; answers the id of the process that serves it."""
    socket.send_fds(control, [b"job"], [channel.fileno()])
    return _number(control)


def ask(control: socket.socket, pid: int) -> int:
    """The engine's side: RUNNING, or the status that `os.wait` gave."""
    control.sendall(b"ask" + pid.to_bytes(WORD, "little"))
    return _number(control)


def _number(control: socket.socket) -> int:
    answer = control.recv(WORD, socket.MSG_WAITALL)
    if len(answer) < WORD:
        raise ConnectionResetError
    return int.from_bytes(answer, "little", signed=True)


def main(control: socket.socket, modules: Sequence[str]) -> None:
    """Import, then serve the engine until it hangs up."""
    sys.dont_write_bytecode = True
    for module in modules:
        with contextlib.suppress(Exception):  # the step that needs it will say what is wrong
            importlib.import_module(module)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine decides when to stop
    ended: dict[int, int] = {}
    running: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            break
        _reap(running, ended)
        if descriptors:
            answer = _fork(control, descriptors[0])
            running.add(answer)
        else:
            answer = ended.get(int.from_bytes(message[3:], "little"), RUNNING)
        control.sendall(answer.to_bytes(WORD, "little", signed=True))
    for pid in running:
        _kill_group(pid)


def _fork(control: socket.socket, descriptor: int) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            control.close()
            serve_job(socket.socket(fileno=descriptor))
            status = 0
        finally:
            os._exit(status)
    os.close(descriptor)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # here too: whichever of the two comes first
    return pid


def _reap(running: set[int], ended: dict[int, int]) -> None:
    """Collect finished processes, and end what they left behind."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            pid, ended[found[0]] = found
            running.discard(pid)
            _kill_group(pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
