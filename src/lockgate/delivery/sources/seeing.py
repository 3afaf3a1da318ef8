"""See what the sources hold now."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.trace import RACY_NS, stat_numbers
from lockgate.durable import write_atomic
from lockgate.errors import ServiceUnavailable
from lockgate.project import adapter
from lockgate.records.digest import Json, canonical, digest, digest_file

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.delivery.sources.packs import Pack
    from lockgate.ports import Files
    from lockgate.project import Project, SourceSettings

__all__ = ["Seen", "held", "places", "see", "source_key"]


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
        packs: where small files lie, of a source that comes from the store.
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
    packs: tuple[Pack, ...] = ()


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
        from lockgate.delivery.sources.packs import packs_in

        single, packs = bool(record.get("single")), packs_in(record)
        return Seen(source.name, digest("source", digests), digests, single, {}, packs=packs)
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
