"""The engine's side of the template (`template.py`): start it, have it fork, ask it how a process ended."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, cast

from lockgate.build.endings import died, last_words
from lockgate.build.environment import for_steps
from lockgate.build.limits import Watch
from lockgate.build.protocol import RUNNING, WORD, Reply, receive, send
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.build.protocol import Code, Job
    from lockgate.records.graph import Node

__all__ = ["MODULE", "Processes", "answers"]

STEP, MODULE = b"job", b"mod"


class Processes:
    """One template, started when it is first needed, and again if it died. Safe to use from several threads.

    Args:
        code: what every process is told about the project.
        preload: modules that the template imports.
        environment: what its processes see beside what every step's do.
    """

    def __init__(self, code: Code, preload: Sequence[str], environment: Mapping[str, str]) -> None:
        self._code, self._preload, self._environment = code, preload, environment
        self._template: tuple[socket.socket, subprocess.Popen[bytes]] | None = None
        self._temporary = ""
        self.closed = False
        self._lock = threading.Lock()

    def close(self) -> None:
        """Hang up: the template ends, and with it everything that it forked and the folders for temporary files."""
        with self._lock:
            self.closed = True
        if self._template:
            self._template[0].close()
            self._template[1].wait()

    def scratch(self, name: str) -> str:
        """A new folder for temporary files, with a short name: the path of a UNIX socket has 107 bytes."""
        with self._lock:
            self._started()
        scratch = os.path.join(self._temporary, name)
        os.mkdir(scratch, 0o700)
        return scratch

    def fork(self, serves: bytes) -> tuple[int, socket.socket]:
        """A process that serves a STEP or a MODULE: its number, and the socket to it."""
        ours, theirs = socket.socketpair()
        try:
            with self._lock, theirs:
                control = self._started()
                socket.send_fds(control, [serves], [theirs.fileno()])
                return _number(control), ours
        except OSError:
            ours.close()
            raise

    def run(self, job: Job, node: Node) -> Reply:
        """Run a job in a process of its own."""
        status, reply = RUNNING, None
        with contextlib.suppress(ConnectionError):
            pid, channel = self.fork(STEP)
            with channel:
                send(channel, job)
                watch = Watch(node, pid)
                while not answers(channel, within_s=watch.wait_s):
                    if broken := watch.broken():
                        return self._end(pid, job, broken)
                    if self.ask(pid) != RUNNING:  # it is dead, though a process it left may hold the socket
                        break
                reply = cast("Reply | None", receive(channel, Reply)) if answers(channel, within_s=0) else None
                status = RUNNING if reply else self._ended(pid)
        return reply or Reply(ok=False, error=died(job, status))

    def ask(self, pid: int) -> int:
        """RUNNING, or the status that `os.wait` gave."""
        return self._word(b"ask", pid)

    def _end(self, pid: int, job: Job, broken: dict[str, str]) -> Reply:
        """Kill a step that broke a limit, and what it started."""
        self._word(b"end", pid)
        self._ended(pid)
        if said := last_words(job):
            broken["value"] += f"; {said}"
            broken["next"] += f"; its output is in {job.log}"
        return Reply(ok=False, error=broken)

    def _ended(self, pid: int) -> int:
        """How a process ended that closed its socket; it may take a moment to be gone."""
        for _ in range(20):
            if (status := self.ask(pid)) != RUNNING:
                return status
            time.sleep(0.05)
        return RUNNING

    def _word(self, word: bytes, pid: int) -> int:
        with self._lock:
            control = self._started()
            control.sendall(word + pid.to_bytes(WORD, "little"))
            return _number(control)

    def _started(self) -> socket.socket:
        if self.closed:
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
                stdin.write(json.dumps(to_json(self._code)).encode())
            self._template = (ours, process)
        return self._template[0]


def answers(channel: socket.socket, *, within_s: float) -> bool:
    """Whether something comes in that time, or the end; `select` knows no descriptor above 1023."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(math.ceil(within_s * 1000)))


def _number(control: socket.socket) -> int:
    answer = control.recv(WORD, socket.MSG_WAITALL)
    if len(answer) < WORD:
        raise ConnectionResetError
    return int.from_bytes(answer, "little", signed=True)
