"""The warm template: `python -P -m lockgate.build.template FD SCRATCH MODULE…`, with the project's code (a `Code`) on stdin.

It imports third-party modules only, compiles user code but never runs it, and forks a process for each step it is handed a socket for,
or for a module whose steps will be forks of that process (`zygote.py`).
Asked about a process it says whether that still runs, or how it ended; told to, it ends one. When the engine is gone,
so are the steps, whatever they started, and the scratch folder.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
from functools import cache, partial
from typing import TYPE_CHECKING

from lockgate.build.clock import CLOCK, set_clock
from lockgate.build.orphans import adopt_orphans, end_orphans, kill_group
from lockgate.build.protocol import RUNNING, WORD, Code
from lockgate.build.worker import Warm, serve_job
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__: list[str] = []

OWN = ("faulthandler", "lockgate.codecs.json_value", "lockgate.declare")
"""What every step's process would import."""


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
    adopt_orphans()
    running: set[int] = set()
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # an engine that is killed hangs up anywhere
            _serve(control, warm, running)
    finally:
        for pid in running:
            kill_group(pid)
        end_orphans()
        import shutil  # not in every step's process

        shutil.rmtree(scratch, ignore_errors=True)


def _code() -> Code:
    """From stdin, which is empty from then on. An engine that is killed leaves nothing there, or a part: nobody waits then."""
    try:
        said = json.loads(sys.stdin.buffer.read())
    except ValueError:
        sys.exit(1)
    code = from_json(Code, said)
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
            answer = _fork(control, descriptors[0], _server(message, warm))
            running.add(answer)
        else:
            pid = int.from_bytes(message[3:], "little")
            if message.startswith(b"end") and pid in running:
                kill_group(pid)
            answer = ended.get(pid, RUNNING)
        control.sendall(answer.to_bytes(WORD, "little", signed=True))


@cache
def _server(message: bytes, warm: Warm) -> Callable[[socket.socket], None]:
    """What the process will do. Where there is no zygote, what makes them is not loaded."""
    if message == b"job":
        return partial(serve_job, warm=warm)
    from lockgate.build.rehearsal import rehearse
    from lockgate.build.zygote import serve_module

    rehearse(warm.machine)
    gc.freeze()
    return partial(serve_module, warm=warm)


def _fork(control: socket.socket, descriptor: int, serve: Callable[[socket.socket], None]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            adopt_orphans()
            control.close()
            serve(socket.socket(fileno=descriptor))
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
            pid, status = found
            if pid in running:
                ended[pid] = status
                running.discard(pid)
                kill_group(pid)
                end_orphans(except_for=running)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), _code(), sys.argv[2], sys.argv[3:])
