"""What an import leaves that a fork does not have as a process that imports by itself has it.

A zygote (`zygote.py`) imports a module once, and every step of that module is a fork of it. That is the same as an import in
each step's own process when the import made nothing but Python objects, and made them of nothing that differs from process to
process. So what is looked for: threads, which a fork loses; children, timers, open files, shared memory and written files, which
all forks would have in common; and whoever asked for the time, the process's number or randomness, started a thread or a program, or
waits for forks. Not heard: native code that asks the system by itself, and calls from native code (`functools.partial(time.time)()`).
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["Remains"]

CLOCKS = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns",
    "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns", "localtime", "gmtime", "ctime", "asctime", "strftime",
)  # fmt: skip
OF_PROCESS = (
    "getpid", "getppid", "getpgid", "getsid", "urandom", "getrandom", "times", "fork", "forkpty", "setsid", "setpgid",
    "posix_spawn", "posix_spawnp", "system",
)  # fmt: skip
ASKED = frozenset(
    [*(getattr(time, n) for n in CLOCKS if hasattr(time, n)), *(getattr(os, n) for n in OF_PROCESS if hasattr(os, n))]
)
"""Functions whose answers are not the same in every process."""
NOT_LOADED = frozenset({
    "_thread.start_new_thread", "_thread.start_joinable_thread", "_thread.get_native_id", "_posixsubprocess.fork_exec",
    "_uuid.generate_time_safe", "_ssl.RAND_bytes", "resource.getrusage", "sys.setprofile",
})  # fmt: skip
"""More of them, of modules that the template may lack; and what a listener does not follow."""
OF_DATES = frozenset({"now", "utcnow", "today"})
OF_SYSTEM = ("/dev/", "/proc/", "/sys/")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
OPENS = frozenset({"open", "os.listdir", "os.scandir"})
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Remains:
    """Look around when it is made, and again when asked. `folders`: where the import may write; they are empty before.

    Linux only: what else a process has is read from /proc.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self._asked = ""
        self._listens = False
        self._before = _process()

    def watch(self) -> None:
        """Listen to every call of a C function in this thread, from Python code, and to what is opened."""
        self._listens = True
        sys.addaudithook(self._hear_opened)
        sys.setprofile(self._hear)

    def found(self) -> str:
        """What is wrong, in words; empty when forks will be as good as imports of their own. Ends `watch`."""
        heard = sys.getprofile() == self._hear
        self._listens = False
        sys.setprofile(None)
        if self._asked:
            return f"it {self._asked}"
        if not heard:
            return "it set a profiler"
        for (name, before), after in zip(self._before.items(), _process().values(), strict=True):
            if before != after:
                return f"{name} differ"
        for folder in self._folders:
            if written := sorted(os.listdir(folder)):
                return f"it wrote {written[0]}"
        return ""

    def _hear(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and self._listens and not self._asked and _differs(frame, called):
            self._asked = f"called {called.__qualname__}"

    def _hear_opened(self, event: str, arguments: tuple[Any, ...]) -> None:
        """A device or the kernel's own files; a file to write, which says when that was. The hook stays, deaf."""
        if (
            not self._listens
            or self._asked
            or event not in OPENS
            or not isinstance(arguments[0], (str, bytes, os.PathLike))
        ):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        flags = arguments[2] if event == "open" else 0
        if path != os.devnull and (path.startswith(OF_SYSTEM) or flags & WRITES):
            self._asked = f"opened {path}"


def _differs(frame: FrameType, called: Any) -> bool:
    """Whether a call answers, or does, something else in each process. `frame`: from where."""
    name = called.__name__
    if called in ASKED or f"{called.__module__}.{name}" in NOT_LOADED:
        return True
    if name in OF_DATES:
        return _is_of_date(called)
    if name == "seed":  # of `random.Random`, which passes on what it was given
        return type(called.__self__).__module__ != "builtins" and frame.f_locals.get("a") is None
    return called is os.register_at_fork and not _is_of_python(frame)


def _process() -> dict[str, Any]:
    """What a process has beside Python objects."""
    return {
        "threads": len(os.listdir("/proc/self/task")),
        "children": _children(),
        "timers": [signal.getitimer(t) for t in TIMERS],
        "handlers of ended children": signal.getsignal(signal.SIGCHLD),
        "random numbers": getattr(sys.modules.get("random"), "getstate", object)() if "random" in sys.modules else None,
        "open files": _descriptors(),
        "shared memory": _shared(),
    }


def _children() -> object:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None


def _descriptors() -> dict[str, str]:
    """Number → what is open there. The one that the listing itself needs is the same before and after if nothing else differs."""
    found: dict[str, str] = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            found[number] = ""
    return found


def _shared() -> list[str]:
    """The places of memory that is shared with other processes and may be written."""
    with open("/proc/self/maps") as maps:
        return [line for line in maps if line.split(maxsplit=2)[1].endswith("s")]


def _is_of_date(called: Any) -> bool:
    return isinstance(getattr(called, "__self__", None), type) and issubclass(called.__self__, dt.date)


def _is_of_python(frame: FrameType) -> bool:
    """Whether a module of the standard library registers: its handlers make a fork like a new process."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in sys.stdlib_module_names
