"""The kernel's part of the sandbox: Landlock for files and TCP, seccomp for every other socket. Linux only.

Both bind the calling thread and what it starts, and neither can be undone. Numbers are from linux/landlock.h,
linux/seccomp.h and linux/audit.h; no third-party package.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import stat
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["apartness", "deny_sockets", "drop_capabilities", "landlock_version", "restrict", "set_apart"]

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION, PATH_BENEATH, NET_PORT = 1, 1, 2
NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
"""What may be granted on a file; the rest is about folders."""
REFER = 1 << 13
"""To move and link between folders: the one right that every set of rules takes away that does not grant it; since version 2."""
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Version → every right on files that it knows; a version between two has the rights of the older."""
MAKE_BLOCK = 1 << 11  # a right that nobody was granted outside of scratch
TCP = 3  # bind, connect; since version 4
CONNECT = 2
SCOPES = 3  # abstract UNIX sockets, signals to the outside; since version 6

CAPABILITIES = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
ABOUT_FILES = 0b11111  # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID

# machine → (AUDIT_ARCH_…, number of socket(2))
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
IO_URING_SETUP = 425
FOREIGN = 0x40000000  # x32 numbers calls from here on
AF_UNIX, EACCES, ENOSYS = 1, 13, 38
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
AT_NUMBER, AT_ARCH, AT_FIRST = 0, 4, 16
"""Offsets in struct seccomp_data: the call's number, the machine, the low half of the first argument."""


@functools.cache
def landlock_version() -> int:
    """The version of Landlock that this kernel offers, 0 for none."""
    if sys.platform != "linux" or os.uname().machine not in MACHINES:
        return 0
    return max(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(VERSION)), 0)


def restrict(reads: Iterable[str | int], writes: Iterable[str], *, network: bool, connects: Iterable[int] = ()) -> bool:
    """From now on, reach only these files and folders, with all below them. Answers whether the kernel does it.

    Args:
        reads: paths, or descriptors opened with O_PATH, to read and execute. What is not there is left out.
        writes: paths to do anything with.
        network: leave TCP alone.
        connects: ports that may be connected to all the same.
    """
    version = landlock_version()
    if not version:
        return False
    rights = RIGHTS[max(v for v in RIGHTS if v <= version)]
    attributes = struct.pack("QQQ", rights, 0 if network or version < 4 else TCP, SCOPES if version >= 6 else 0)
    ruleset = _libc().syscall(CREATE_RULESET, attributes, ctypes.c_size_t(_size(version)), ctypes.c_uint(0))
    if ruleset < 0:
        return False
    for path in reads:
        _grant(ruleset, path, READ)
    for path in writes:
        _grant(ruleset, path, rights)
    for port in connects if version >= 4 and not network else ():
        _libc().syscall(ADD_RULE, ruleset, NET_PORT, struct.pack("=QQ", CONNECT, port), ctypes.c_uint(0))
    done = _no_new_privileges() and _libc().syscall(RESTRICT_SELF, ruleset, ctypes.c_uint(0)) == 0
    os.close(ruleset)
    return done


def apartness() -> int:
    """Rules for `set_apart`, as a descriptor; -1 where the kernel has none. Make them outside of any sandbox.

    They leave files as they are: the one right that they are about, they grant everywhere.
    """
    version = landlock_version()
    if not version:
        return -1
    rights = REFER if version >= 2 else MAKE_BLOCK
    attributes = struct.pack("QQQ", rights, 0, SCOPES if version >= 6 else 0)
    ruleset = _libc().syscall(CREATE_RULESET, attributes, ctypes.c_size_t(_size(version)), ctypes.c_uint(0))
    if ruleset >= 0 and version >= 2:
        _grant(ruleset, "/", REFER)
    return ruleset


def set_apart(apartness: int) -> bool:
    """From now on, no process outside of this one and what it starts is signalled, traced or looked into.

    Whoever called `restrict` is shut off from what is outside of it; this is for a process forked from there, which shares its
    sandbox with the one it was forked from. Answers whether the kernel does it.
    """
    return _libc().syscall(RESTRICT_SELF, apartness, 0) == 0


def deny_sockets() -> bool:
    """From now on, only UNIX sockets can be made. Answers whether the kernel does it.

    Programs for another machine type are refused every call, and io_uring, which makes sockets by itself, is not there.
    """
    if sys.platform != "linux" or os.uname().machine not in MACHINES or not _no_new_privileges():
        return False
    code = _filter()
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    return _libc().prctl(SET_SECCOMP, ctypes.c_ulong(FILTER), ctypes.c_char_p(program), 0, 0) == 0


def drop_capabilities() -> None:
    """Root keeps what it may do to files; what looks into other processes (CAP_PERFMON, CAP_SYS_PTRACE) goes."""
    if sys.platform == "linux" and os.geteuid() == 0:
        kept = struct.pack("6I", ABOUT_FILES, ABOUT_FILES, ABOUT_FILES, 0, 0, 0)
        _libc().capset(struct.pack("Ii", CAPABILITIES, 0), kept)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _no_new_privileges() -> bool:
    return _libc().prctl(NO_NEW_PRIVS, *(ctypes.c_ulong(n) for n in (1, 0, 0, 0))) == 0


def _size(version: int) -> int:
    """Bytes of struct landlock_ruleset_attr."""
    return 24 if version >= 6 else 16 if version >= 4 else 8


def _grant(ruleset: int, path: str | int, rights: int) -> None:
    """Add a rule; a path that is not there, or not ours to open, gets none."""
    with contextlib.suppress(OSError):
        descriptor = path if isinstance(path, int) else os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= OF_FILES
        _libc().syscall(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), ctypes.c_uint(0))
        if descriptor is not path:
            os.close(descriptor)


@functools.cache
def _filter() -> bytes:
    """The filter as BPF. Jumps count instructions from the next one."""
    machine, socket_call = MACHINES[os.uname().machine]
    lines = [
        (LOAD, 0, 0, AT_ARCH),
        (EQUAL, 0, 6, machine),
        (LOAD, 0, 0, AT_NUMBER),
        (AT_LEAST, 4, 0, FOREIGN),
        (EQUAL, 3, 0, IO_URING_SETUP),
        (EQUAL, 0, 4, socket_call),
        (LOAD, 0, 0, AT_FIRST),
        (EQUAL, 2, 1, AF_UNIX),
        (RETURN, 0, 0, ERRNO | ENOSYS),
        (RETURN, 0, 0, ERRNO | EACCES),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
