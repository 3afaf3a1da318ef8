"""See what the sources hold now, and keep a copy: a run reads what was seen, not what the folder became since."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.trace import RACY_NS, stat_numbers
from lockgate.delivery.keep import keep_copy
from lockgate.durable import write_atomic
from lockgate.project import adapter
from lockgate.records.digest import Json, canonical, digest, digest_file

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.project import Project

__all__ = ["Seen", "materialise", "see"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One source as it is now. `files` are (name, digest); `places` is empty when it comes from the store."""

    name: str
    identity: str
    files: tuple[tuple[str, str], ...]
    places: Mapping[str, Path]


def see(project: Project, *, now_ns: int) -> dict[str, Seen]:
    """Every source that is here or, failing that, recorded in the shared store. Reads only what changed."""
    memory = _Memory(project.home / "seen.json", now_ns)
    found: dict[str, Seen] = {}
    for source in project.settings.sources:
        files = adapter("files", "FileSource")(project.root, source.path).files()
        if files:
            digests = tuple((name, memory.digest(path)) for name, path in files)
            found[source.name] = Seen(source.name, digest("source", digests), digests, dict(files))
        elif record := project.results("sources").get(f"source:{project.settings.name}-{source.name}"):
            digests = tuple((n, d) for n, d in record["files"])
            found[source.name] = Seen(source.name, digest("source", digests), digests, {})
    memory.save()
    return found


def materialise(project: Project, seen: Seen) -> Path:
    """Put a source's files into the store and answer a read-only view of exactly what was seen.

    A folder source gives a folder of links, a single file the link itself, names kept.
    """
    for name, expected in seen.files:
        if not project.store.has(expected):
            keep_copy(project, seen.places[name])
    record = {"files": [list(f) for f in seen.files]}
    key = f"source:{project.settings.name}-{seen.name}"
    if project.results("sources").get(key) != record:
        project.results("sources").put(key, record)
    view = project.home / "tmp" / "sources" / seen.identity.rpartition(":")[2] / seen.name
    for name, expected in seen.files:
        link = view / name
        link.parent.mkdir(parents=True, exist_ok=True)
        target = project.store.get(expected)
        if not link.is_symlink() or os.readlink(link) != str(target):
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    is_file = len(seen.files) == 1 and _is_single(project, seen.name)
    return view / seen.files[0][0] if is_file else view


def _is_single(project: Project, name: str) -> bool:
    path = next(s.path for s in project.settings.sources if s.name == name)
    return bool(os.path.splitext(path)[1]) and not any(c in path for c in "*?[")  # noqa: PTH122


class _Memory:
    """Digests by (dev, inode, size, mtime, ctime), not trusted within 2 s of recording."""

    def __init__(self, path: Path, now_ns: int) -> None:
        self._path, self._now_ns = path, now_ns
        self._known: dict[str, Json] = _read(path)
        self._changed = False

    def digest(self, path: Path) -> str:
        numbers = list(stat_numbers(path))
        known = self._known.get(str(path))
        if known and known[0] == numbers and known[1] - max(numbers[3], numbers[4]) > RACY_NS:
            return known[2]
        found = digest_file(path)
        self._known[str(path)] = [numbers, self._now_ns, found]
        self._changed = True
        return found

    def save(self) -> None:
        if self._changed:
            write_atomic(self._path, canonical(self._known), sync=False)


def _read(path: Path) -> dict[str, Json]:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
