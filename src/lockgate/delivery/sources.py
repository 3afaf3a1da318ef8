"""See what the sources hold now, and keep a copy: a run reads what was seen, not what the folder became since."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.trace import RACY_NS, stat_numbers
from lockgate.durable import write_atomic
from lockgate.errors import NotFound, ServiceUnavailable
from lockgate.project import adapter
from lockgate.records.digest import Json, canonical, digest, digest_file

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.ports import Source
    from lockgate.project import Project

__all__ = ["Seen", "materialise", "places", "see", "source_key"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One source as it is now.

    Attributes:
        files: (name, digest), sorted.
        single: the source is one file, not a folder or a glob that may hold more.
        places: name → file; empty when the source comes from the store.
    """

    name: str
    identity: str
    files: tuple[tuple[str, str], ...]
    single: bool
    places: Mapping[str, Path]


def see(project: Project, *, now_ns: int) -> dict[str, Seen]:
    """Every source that is here or, failing that, recorded in the shared store. Reads only what changed."""
    memory = _Memory(project.home / "seen.json", now_ns)
    found: dict[str, Seen] = {}
    for source in project.settings.sources:
        opened: Source = adapter("files", "FileSource")(project.root, source.path)
        files = opened.files()
        if files:
            digests = _digests(memory, source.name, files)
            single = (project.root / source.path).is_file()
            found[source.name] = Seen(source.name, digest("source", digests), digests, single, dict(files))
        elif record := project.results("sources").get(source_key(project, source.name)):
            digests = tuple((n, d) for n, d in record["files"])
            found[source.name] = Seen(source.name, digest("source", digests), digests, bool(record.get("single")), {})
    memory.save()
    return found


def places(project: Project) -> list[Path]:
    """Every file of every source that is here."""
    opened = (adapter("files", "FileSource")(project.root, s.path) for s in project.settings.sources)
    return [path for source in opened for _, path in source.files()]


def _digests(memory: _Memory, source: str, files: Sequence[tuple[str, Path]]) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((name, memory.digest(path)) for name, path in files)
    except OSError as error:
        raise ServiceUnavailable(
            "a source cannot be read", value=f"{source}: {error.filename}: {error.strerror}"
        ) from error


def materialise(project: Project, seen: Seen) -> Path:
    """Put a source's files into the store and answer a read-only view of exactly what was seen.

    A folder source gives a folder of links, a single file the link itself, names kept.
    """
    for name, expected in seen.files:
        if not project.store.has(expected):
            _keep(project, seen, name, expected)
    record = {"files": [list(f) for f in seen.files], "single": seen.single}
    if project.results("sources").get(source_key(project, seen.name)) != record:
        project.results("sources").put(source_key(project, seen.name), record)
    if project.results("sources").get(seen.identity) is None:  # by what it was: releases say which version they saw
        project.results("sources").put(seen.identity, {**record, "name": seen.name})
    view = project.home / "tmp" / "sources" / seen.identity.rpartition(":")[2] / seen.name
    for name, expected in seen.files:
        link = view / name
        link.parent.mkdir(parents=True, exist_ok=True)
        _link(link, project.store.get(expected))
    return view / seen.files[0][0] if seen.single else view


def _keep(project: Project, seen: Seen, name: str, expected: str) -> None:
    if name not in seen.places:
        raise NotFound(
            "a file of a source is neither here nor in the store",
            value=f"{seen.name}: {name}",
            next="bring the source's files",
        )
    from lockgate.delivery.keep import keep_copy

    if keep_copy(project, seen.places[name]) != expected:
        raise ServiceUnavailable(
            "a source changed while it was read", value=f"{seen.name}: {name}", next="lockgate run"
        )


def _link(link: Path, target: Path) -> None:
    """Point a link to an object, whole at any time: another run may use the same view."""
    if not link.is_symlink() or os.readlink(link) != str(target):
        temporary = link.with_name(f".{link.name[:80]}.{os.getpid()}.{os.urandom(4).hex()}")
        temporary.symlink_to(target)
        os.replace(temporary, link)


def source_key(project: Project, source: str) -> str:
    """Under which key a source's newest version is recorded."""
    return digest("source-key", [project.settings.name, source])


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
        """A shortcut, no more: where it cannot be written, the next command reads again."""
        if not self._changed:
            return
        with contextlib.suppress(OSError):
            write_atomic(self._path, canonical(self._known), sync=False)


def _read(path: Path) -> dict[str, Json]:
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
