"""What a capture looked at, and whether all of it still holds. Stat calls only, on the way that runs every time."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.records.digest import digest, digest_bytes
from lockgate.records.graph import FileState, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.records.digest import Json

__all__ = ["file_state", "holds", "interpreter", "stat_numbers", "take_trace"]

RACY_NS = 2_000_000_000
"""A file changed within this time of being seen may change again without moving its mtime."""


def interpreter() -> str:
    """The interpreter as it enters every key."""
    return f"{sys.implementation.name}-{platform.python_version()}-{sys.platform}-{platform.machine()}"


def take_trace(root: Path, looked_at: Mapping[str, Json], *, now_ns: int) -> Trace:
    """Record the state of everything the capture child reports."""
    return Trace(
        interpreter=interpreter(),
        files=tuple(file_state(root, name, now_ns=now_ns) for name in looked_at["files"]),
        listings={name: _listing(root / name) for name in looked_at["listings"]},
        environment={name: _environment(name) for name in looked_at["environment"]},
        packages=dict(looked_at["packages"]),
        preload=tuple(looked_at["preload"]),
    )


def holds(trace: Trace, root: Path) -> str | None:
    """None while the trace holds; else the first thing that moved."""
    if trace.interpreter != interpreter():
        return f"interpreter {trace.interpreter} → {interpreter()}"
    for folder, mtime_ns in trace.packages.items():
        if not os.path.isdir(folder) or os.stat(folder).st_mtime_ns != mtime_ns:  # noqa: PTH
            return "installed packages"
    for file in trace.files:
        if not _same(file, root):
            return file.path
    for name, listed in trace.listings.items():
        if _listing(root / name) != listed:
            return f"files in {name}/"
    for name, value in trace.environment.items():
        if _environment(name) != value:
            return f"environment variable {name}"
    return None


def file_state(root: Path, name: str, *, now_ns: int) -> FileState:
    """See a file now. `name` is relative to the root, or absolute for an editable package."""
    path = root / name
    numbers = stat_numbers(path)
    return FileState(name, numbers, now_ns, digest_bytes(path.read_bytes()))


def stat_numbers(path: Path | str) -> tuple[int, int, int, int, int]:
    """Device, inode, size, mtime and ctime in ns."""
    s = os.stat(path)
    return (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)


def _same(file: FileState, root: Path) -> bool:
    path = os.path.join(root, file.path)  # noqa: PTH118 — pathlib costs as much as the stat
    try:
        numbers = stat_numbers(path)
    except OSError:
        return False
    trusted = file.seen_ns - max(numbers[3], numbers[4]) > RACY_NS
    if numbers == tuple(file.state) and trusted:
        return True
    return digest_bytes(Path(path).read_bytes()) == file.digest


def _listing(folder: Path) -> str:
    try:
        names = sorted(e.name for e in os.scandir(folder) if e.name.endswith(".py") or e.is_dir() and not e.name.startswith((".", "__")))
    except OSError:
        names = ["<absent>"]
    return digest("listing", names)


def _environment(name: str) -> str | None:
    value = os.environ.get(name)
    return None if value is None else digest("environment", value)
