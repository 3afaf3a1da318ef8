"""Hear of every file that a started program opens, by seccomp's user notification: Linux 5.5 and later, no root.

The kernel stops the program at each open, tells us, and goes on with the call as it was: this only listens; what may be
opened is Landlock's to decide. It costs some 0.3 ms per open on a busy machine, so only commands are listened to, not Python steps,
whose opens the interpreter tells for nothing (ADR 17).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import os
import platform
import select
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["run_heard"]

# machine → (AUDIT_ARCH_…, seccomp, openat, open)
MACHINES = {"x86_64": (0xC000003E, 317, 257, 2), "aarch64": (0xC00000B7, 277, 56, None)}
SET_FILTER, NEW_LISTENER, NO_NEW_PRIVS = 1, 8, 38
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
AT_NUMBER, AT_ARCH = 0, 4
ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000
RECEIVE, ANSWER, GO_ON = 0xC0502100, 0xC0182101, 1
NOTIFICATION = struct.Struct("QIIiIQ6Q")  # id, pid, flags; number, machine, instruction, six arguments
HERE = -100  # AT_FDCWD
LONGEST = 4096
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def run_heard(words: Sequence[str], *, folder: str, hear: Callable[[str], None] | None) -> int:
    """Run a program to its end; answer its exit code, negative for a signal. Its output is ours.

    `hear` (None: nobody listens) gets the absolute path of each file or folder that it or what it starts opens to read, before that happens;
    nothing where the kernel cannot tell.
    """
    if hear is None or sys.platform != "linux" or platform.machine() not in MACHINES:
        return subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode
    for name in os.listdir(
        "/proc/self/fd"
    ):  # to close them after `_offer` would open that folder, which nobody answers
        with contextlib.suppress(OSError):
            os.set_inheritable(int(name), int(name) < 3)
    ours, theirs = socket.socketpair()
    offer = functools.partial(_offer, theirs)
    stdin = subprocess.DEVNULL
    with ours, theirs, subprocess.Popen(words, cwd=folder, stdin=stdin, preexec_fn=offer, close_fds=False) as process:  # noqa: PLW1509
        _, given, _, _ = socket.recv_fds(ours, 1, 1)
        if given:
            try:
                _listen(given[0], process, hear)
            finally:
                os.close(given[0])
        return process.wait()


def _offer(channel: socket.socket) -> None:
    """In the new process, before the program starts: ask to be told about, and hand over the ear."""
    libc, code = ctypes.CDLL(None), _filter()
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    libc.prctl(NO_NEW_PRIVS, *(ctypes.c_ulong(n) for n in (1, 0, 0, 0)))
    ear = libc.syscall(MACHINES[platform.machine()][1], SET_FILTER, NEW_LISTENER, program)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", ear))] if ear >= 0 else []
    channel.sendmsg([b"x"], rights)  # nothing may be imported from here on: nobody listens yet


def _filter() -> bytes:
    """Jumps count instructions from the next one."""
    machine, _, openat, open_ = MACHINES[platform.machine()]
    lines = [
        (LOAD, 0, 0, AT_ARCH),
        (EQUAL, 0, 3, machine),
        (LOAD, 0, 0, AT_NUMBER),
        (EQUAL, 2, 0, openat),
        (EQUAL, 1, 0, open_ if open_ is not None else openat),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, NOTIFY),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _listen(ear: int, process: subprocess.Popen[bytes], hear: Callable[[str], None]) -> None:
    """Until the program is gone; what it left running is ended with the step."""
    waiting = select.poll()
    waiting.register(ear, select.POLLIN)
    ending = os.pidfd_open(process.pid)
    waiting.register(ending, select.POLLIN)
    try:
        while ending not in (events := dict(waiting.poll())) and events.get(ear, 0) & select.POLLIN:
            _answer(ear, hear)
    finally:
        os.close(ending)


def _answer(ear: int, hear: Callable[[str], None]) -> None:
    said = bytearray(NOTIFICATION.size)
    try:
        fcntl.ioctl(ear, RECEIVE, said)
    except OSError:  # it was killed meanwhile
        return
    number, pid, _, call, _, _, *arguments = NOTIFICATION.unpack(said)
    try:
        with contextlib.suppress(OSError, ValueError):
            if path := _path(pid, call, arguments):
                hear(path)
    finally:
        with contextlib.suppress(OSError):
            fcntl.ioctl(ear, ANSWER, struct.pack("QqiI", number, 0, 0, GO_ON))


def _path(pid: int, call: int, arguments: Sequence[int]) -> str:
    """The absolute path; empty when it is opened to be written."""
    folder, place, flags = (HERE, *arguments[:2]) if call == MACHINES[platform.machine()][3] else arguments[:3]
    if flags & WRITES:
        return ""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(place)
        text = b""
        while b"\0" not in text and len(text) < LONGEST:  # a page may be the last one
            text += memory.read(256 - (place + len(text)) % 256)
    name = os.fsdecode(text.partition(b"\0")[0])
    if not name or name.startswith("/"):
        return os.path.normpath(name) if name else ""
    descriptor = ctypes.c_int(folder & 0xFFFFFFFF).value
    above = os.readlink(f"/proc/{pid}/cwd" if descriptor == HERE else f"/proc/{pid}/fd/{descriptor}")
    return os.path.normpath(os.path.join(above, name))
