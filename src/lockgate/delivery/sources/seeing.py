"""See what the sources hold now."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.sources.memory import read_digests
from lockgate.errors import ServiceUnavailable
from lockgate.project import adapter
from lockgate.records.digest import Json, digest
from lockgate.records.listing import NOWHERE, Listing

if TYPE_CHECKING:
    from lockgate.adapters.files import ArrivingFiles
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
        here: its files as they lie here; nothing when the source comes from the store.
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
    here: Listing = NOWHERE
    rows: int | None = None
    cursor: Json = None
    waiting: int = 0
    recorded: bool = False
    packs: tuple[Pack, ...] = ()


def see(project: Project, *, now_ns: int, wanted: Collection[str] | None = None) -> dict[str, Seen]:
    """Every source that is here or, failing that, recorded in a shared store. Reads only what changed.

    `wanted`: the sources that somebody will read; databases and folders in which files arrive are asked only for these.
    """
    found: dict[str, Seen] = {}
    for source in project.settings.sources:
        if source.kind == "file":
            seen = _see_file(project, source, now_ns)
        elif wanted is not None and source.name not in wanted:
            continue
        else:
            seen = _see_rows(project, source) if source.kind == "sqlite" else _see_folder(project, source, now_ns)
        if seen is not None:
            found[source.name] = seen
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


def _see_file(project: Project, source: SourceSettings, now_ns: int) -> Seen | None:
    opened: Files = adapter("files", "FileSource")(project.root, source.path)
    listing = opened.files()
    if listing.names:
        found = _digests(project, source.name, listing, now_ns)
        digests = tuple((n, d) for n, d in found if d)
        if gone := [n for n, d in found if not d]:
            raise ServiceUnavailable(
                "a source changed while it was read", value=f"{source.name}: {gone[0]}", next="lockgate run"
            )
        single = (project.root / source.path).is_file()
        return Seen(source.name, digest("source", digests), digests, single, listing)
    if project.is_shared and (record := project.results("sources").get(source_key(project, source.name))):
        digests = tuple((n, d) for n, d in record["files"])
        from lockgate.delivery.sources.packs import packs_in

        single, packs = bool(record.get("single")), packs_in(record)
        return Seen(source.name, digest("source", digests), digests, single, packs=packs)
    return None


def _see_rows(project: Project, source: SourceSettings) -> Seen:
    from lockgate.delivery.sources.cursors import version_of

    version = version_of(project, source)
    pages = tuple((f"{n:06d}.arrow", page.object) for n, page in enumerate(version.pages))
    return Seen(source.name, version.identity, pages, False, rows=version.rows, cursor=version.cursor, recorded=True)


def _see_folder(project: Project, source: SourceSettings, now_ns: int) -> Seen | None:
    from lockgate.delivery.sources.arrivals import arrived

    arriving: ArrivingFiles = adapter("files", "ArrivingFiles")(
        project.root, source.path, settle_s=source.settle_s, now_ns=now_ns
    )
    listing = arriving.files()
    digests = _digests(project, source.name, listing, now_ns)
    files = arrived(project, source, listing, {n: d for n, d in digests if d})
    if not files:
        return None
    waiting = arriving.waiting()
    return Seen(source.name, digest("source", files), files, False, listing, waiting=waiting, recorded=True)


def places(project: Project) -> list[Path]:
    """Every file of every source that is here."""
    settings = (s for s in project.settings.sources if s.kind == "file")
    opened: Iterator[Files] = (adapter("files", "FileSource")(project.root, s.path) for s in settings)
    return [Path(place) for source in opened for place in source.files().places().values()]


def _digests(project: Project, source: str, listing: Listing, now_ns: int) -> tuple[tuple[str, str | None], ...]:
    """(name, digest); None for a file that is gone already."""
    try:
        digests = read_digests(listing, project.home / "seen" / f"{source}.json", now_ns=now_ns)
    except OSError as error:  # what cannot be read, and so not hashed, is an error with its path
        what = f"{source}: {error.filename}: {error.strerror}"
        raise ServiceUnavailable("a source cannot be read", value=what) from error
    return tuple(zip(listing.names, digests, strict=True))


def source_key(project: Project, source: str) -> str:
    """Under which key a source's newest version is recorded."""
    return digest("source-key", [project.settings.name, source])
