"""See what the sources hold now, and keep a copy: a run reads what was seen, not what the folder became since."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.trace import RACY_NS, stat_numbers
from lockgate.durable import write_atomic
from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable
from lockgate.project import adapter
from lockgate.records.digest import Json, canonical, digest, digest_file

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.ports import Files
    from lockgate.project import Project, SourceSettings

__all__ = ["Seen", "held", "materialise", "places", "see", "source_key"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One source as it is now.

    Attributes:
        files: (name, digest), sorted; pages of rows are files, too.
        single: the source is one file, not a folder or a glob that may hold more.
        places: name → file; empty when the source comes from the store.
        rows: how many there are, None when the source is files.
        cursor: how far rows were read.
        waiting: files that are not whole yet and were left out.
        recorded: the record was written when it was seen.
    """

    name: str
    identity: str
    files: tuple[tuple[str, str], ...]
    single: bool
    places: Mapping[str, Path]
    rows: int | None = None
    cursor: Json = None
    waiting: int = 0
    recorded: bool = False


def see(project: Project, *, now_ns: int, wanted: Collection[str] | None = None) -> dict[str, Seen]:
    """Every source that is here or, failing that, recorded in a shared store. Reads only what changed.

    `wanted`: the sources that somebody will read; databases and folders in which files arrive are asked only for these.
    """
    memory = _Memory(project.home / "seen.json", now_ns)
    found: dict[str, Seen] = {}
    for source in project.settings.sources:
        if source.kind == "file":
            seen = _see_file(project, source, memory)
        elif wanted is not None and source.name not in wanted:
            continue
        else:
            seen = (
                _see_rows(project, source) if source.kind == "sqlite" else _see_folder(project, source, memory, now_ns)
            )
        if seen is not None:
            found[source.name] = seen
    memory.save()
    return found


def held(project: Project, source: SourceSettings) -> int:
    """How many rows or files were read of a source before; 0 of a `file`, which is not read bit by bit."""
    if source.kind == "sqlite":
        from lockgate.delivery.sources import cursors

        version = cursors.recorded(project, source)
        return version.rows if version else 0
    if source.kind == "folder":
        from lockgate.delivery.sources import arrivals

        return len(arrivals.recorded(project, source))
    return 0


def _see_file(project: Project, source: SourceSettings, memory: _Memory) -> Seen | None:
    opened: Files = adapter("files", "FileSource")(project.root, source.path)
    files = opened.files()
    if files:
        digests = _digests(memory, source.name, files)
        single = (project.root / source.path).is_file()
        return Seen(source.name, digest("source", digests), digests, single, dict(files))
    if project.is_shared and (record := project.results("sources").get(source_key(project, source.name))):
        digests = tuple((n, d) for n, d in record["files"])
        return Seen(source.name, digest("source", digests), digests, bool(record.get("single")), {})
    return None


def _see_rows(project: Project, source: SourceSettings) -> Seen:
    from lockgate.delivery.sources.cursors import version_of

    version = version_of(project, source)
    pages = tuple((f"{n:06d}.arrow", page.object) for n, page in enumerate(version.pages))
    return Seen(
        source.name, version.identity, pages, False, {}, rows=version.rows, cursor=version.cursor, recorded=True
    )


def _see_folder(project: Project, source: SourceSettings, memory: _Memory, now_ns: int) -> Seen | None:
    from lockgate.delivery.sources.arrivals import arrived

    def digest_of(path: Path) -> str:
        try:
            return memory.digest(path)
        except FileNotFoundError:  # taken away while we looked
            raise
        except OSError as error:
            raise _unreadable(source.name, error) from error

    files, places, waiting = arrived(project, source, digest_of, now_ns=now_ns)
    if not files:
        return None
    return Seen(source.name, digest("source", files), files, False, places, waiting=waiting, recorded=True)


def places(project: Project) -> list[Path]:
    """Every file of every source that is here."""
    settings = (s for s in project.settings.sources if s.kind == "file")
    opened = (adapter("files", "FileSource")(project.root, s.path) for s in settings)
    return [path for source in opened for _, path in source.files()]


def _digests(memory: _Memory, source: str, files: Sequence[tuple[str, Path]]) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((name, memory.digest(path)) for name, path in files)
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: str, error: OSError) -> ServiceUnavailable:
    """What cannot be read, and so not hashed, is an error with its path."""
    return ServiceUnavailable("a source cannot be read", value=f"{source}: {error.filename}: {error.strerror}")


def materialise(project: Project, seen: Seen) -> Path:
    """Put a source's files into the store and answer a read-only view of exactly what was seen.

    A folder source gives a folder of links, a single file the link itself, names kept.
    """
    for name, expected in seen.files:
        if not project.store.has(expected):
            _keep(project, seen, name, expected)
    record = {"files": [list(f) for f in seen.files], "single": seen.single}
    if not seen.recorded and project.results("sources").get(source_key(project, seen.name)) != record:
        project.results("sources").put(source_key(project, seen.name), record)
    if project.results("sources").get(seen.identity) is None:  # by what it was: releases say which version they saw
        project.results("sources").put(seen.identity, {**record, "name": seen.name})
    version = seen.identity.rpartition(":")[2]
    for name in (version, seen.name, *(n for n, _ in seen.files)):
        _check_name(name, seen.name)
    view = project.home / "tmp" / "sources" / version / seen.name
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


def _check_name(name: str, source: str) -> None:
    """Others may write a shared store's records: no link is made outside of the view."""
    if name.startswith("/") or {"", ".", ".."} & set(name.split("/")) or "\0" in name:
        raise IntegrityError(
            "a recorded file of a source leaves the source's folder", value=f"{source}: {name!r}",
            allowed="a relative path", next="lockgate store check",
        )  # fmt: skip


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
