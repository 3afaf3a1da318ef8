"""What a capture looked at, and whether all of it still holds. Stat calls only, on the way that runs every time."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lockgate.records.digest import digest, digest_bytes
from lockgate.records.graph import FileState, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockgate.records.digest import Json

__all__ = [
    "environment_digest", "file_state", "holds", "interpreter", "listing_digest", "site_folders", "stat_numbers", "take_trace",
]  # fmt: skip

RACY_NS = 2_000_000_000
"""A file changed within this time of being seen may change again without moving its mtime."""

MODULES = (".py", ".so", ".pyd")


def interpreter() -> str:
    """The interpreter as it enters every key."""
    version = sys.version.partition(" ")[0]
    return f"{sys.implementation.name}-{version}-{sys.platform}-{os.uname().machine}"


def site_folders() -> dict[str, int]:
    """The folders that hold packages here and now → mtime; installing or removing a distribution changes it."""
    folders = [p for p in sys.path if p.endswith(("site-packages", "dist-packages")) and os.path.isdir(p)]
    return {p: os.stat(p).st_mtime_ns for p in folders}


def take_trace(root: Path, looked_at: Mapping[str, Json], *, now_ns: int) -> Trace:
    """Record the state of everything the capture child reports. A file that is gone raises FileNotFoundError."""
    return Trace(
        interpreter=interpreter(),
        files=tuple(file_state(root, name, now_ns=now_ns) for name in sorted(looked_at["files"])),
        listings={name: _listing(root, name) for name in sorted(looked_at["listings"])},
        environment={name: environment_digest(name) for name in sorted(looked_at["environment"])},
        packages=site_folders(),
        preload=tuple(looked_at["preload"]),
    )


def holds(trace: Trace, root: Path) -> str | None:
    """None while the trace holds; else the first thing that moved."""
    if trace.interpreter != interpreter():
        return f"interpreter {trace.interpreter} → {interpreter()}"
    if dict(trace.packages) != site_folders():
        return "installed packages"
    top = str(root)  # pathlib costs as much as the stat
    for file in trace.files:
        if not _same(file, top):
            return file.path
    for name, listed in trace.listings.items():
        if _listing(root, name) != listed:
            return f"files in {name.removesuffix('*')}"
    for name, value in trace.environment.items():
        if environment_digest(name) != value:
            return f"environment variable {name}"
    return None


def file_state(root: Path, name: str, *, now_ns: int) -> FileState:
    """See a file now. `name` is relative to the root, or absolute for what lies outside."""
    path = os.path.join(root, name)
    numbers = stat_numbers(path)
    return FileState(name, numbers, now_ns, _digest(path))


def stat_numbers(path: Path | str) -> tuple[int, int, int, int, int]:
    """Device, inode, size, mtime and ctime in ns."""
    s = os.stat(path)
    return (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)


def listing_digest(folder: str, *, every_name: bool) -> str:
    """Digest of the names in a folder: all of them, or those that an import could find."""
    try:
        found = list(os.scandir(folder))
    except OSError:
        return digest("listing", None)
    names = [
        e.name
        for e in found
        if every_name or e.name.endswith(MODULES) or (not e.name.startswith((".", "__")) and e.is_dir())
    ]
    return digest("listing", sorted(names))


def environment_digest(name: str) -> str | None:
    """Digest of an environment variable's value as user code sees it: None when it is absent, or holds a secret."""
    value = os.environ.get(name)
    if value is None:
        return None
    from lockgate.build.environment import hidden  # most plans ask for nothing

    return None if hidden(name, value) else digest("environment", value)


def _same(file: FileState, root: str) -> bool:
    path = os.path.join(root, file.path)
    try:
        numbers = stat_numbers(path)
        trusted = file.seen_ns - max(numbers[3], numbers[4]) > RACY_NS
        return (trusted and numbers == file.state) or _digest(path) == file.digest
    except OSError:
        return False


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return digest_bytes(file.read())


def _listing(root: Path, name: str) -> str:
    every_name = name.endswith("/*")
    return listing_digest(os.path.join(root, name.removesuffix("/*")), every_name=every_name)
