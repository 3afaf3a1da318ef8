"""See what the sources hold now."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lockgate.delivery.sources.memory import read_digests
from lockgate.errors import ServiceUnavailable, UsageError
from lockgate.project import adapter
from lockgate.records.digest import Json, digest
from lockgate.records.frozen import field, frozen
from lockgate.records.listing import NOWHERE, Listing

if TYPE_CHECKING:
    from lockgate.adapters.files import ArrivingFiles
    from lockgate.delivery.sources.memory import Read
    from lockgate.delivery.sources.packs import Pack
    from lockgate.delivery.sources.pieces import Pieces
    from lockgate.ports import Files
    from lockgate.project import Project, SourceSettings

__all__ = ["Seen", "held", "places", "see"]


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Nobody gets these by reading: it was `read`, which keeps as well."""


@frozen
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
        pieces: what large ones are made of; the same.
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
    pieces: Mapping[str, Pieces] = field(default_factory=dict[str, "Pieces"])


def see(
    project: Project, *, now_ns: int, wanted: Collection[str] | None = None, only: Collection[str] | None = None,
    read: Mapping[str, Read] | None = None,
) -> dict[str, Seen]:  # fmt: skip
    """Every source that is here or, failing that, recorded in a shared store. Reads only what changed.

    Args:
        wanted: the sources that somebody will read; databases and folders in which files arrive are asked only for these.
        only: look at no others.
        read: source → what reads one of its files, where that does more than take the digest.
    """
    found: dict[str, Seen] = {}
    for source in project.settings.sources:
        if only is not None and source.name not in only:
            continue
        if source.kind == "file":
            seen = _see_file(project, source, now_ns, read or {})
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


def _see_file(project: Project, source: SourceSettings, now_ns: int, read: Mapping[str, Read]) -> Seen | None:
    opened: Files = adapter("files", "FileSource")(project.root, source.path)
    listing = opened.files()
    if listing.names:
        digests = _digests(project, source.name, listing, now_ns, read.get(source.name))
        if not all(digests):
            gone = next(n for n, d in zip(listing.names, digests, strict=True) if not d)
            raise ServiceUnavailable(
                "a source changed while it was read", value=f"{source.name}: {gone}", next="lockgate run"
            )
        files = cast("tuple[tuple[str, str], ...]", tuple(zip(listing.names, digests, strict=True)))
        single = (project.root / source.path).is_file()
        return Seen(source.name, digest("source", files), files, single, listing)
    if project.is_shared:
        from lockgate.delivery.sources.versions import newest_version

        if kept := newest_version(project, source.name):
            return Seen(source.name, kept.identity, kept.files, kept.single, packs=kept.packs, pieces=kept.pieces)
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
    whole = {n: d for n, d in zip(listing.names, digests, strict=True) if d}
    files = arrived(project, source, listing, whole)
    if not files:
        return None
    waiting = arriving.waiting()
    return Seen(source.name, digest("source", files), files, False, listing, waiting=waiting, recorded=True)


def places(project: Project) -> list[Path]:
    """Every file of every source that is here."""
    settings = (s for s in project.settings.sources if s.kind == "file")
    opened: Iterator[Files] = (adapter("files", "FileSource")(project.root, s.path) for s in settings)
    return [Path(place) for source in opened for place in source.files().places().values()]


def _digests(
    project: Project, source: str, listing: Listing, now_ns: int, read: Read | None = None
) -> tuple[str | None, ...]:
    """The digest of each file; None for one that is gone already."""
    memory = project.home / "seen" / f"{source}.json"
    try:
        "".join(listing.names).encode()
    except UnicodeEncodeError as error:
        name = next(n for n in listing.names if n != n.encode(errors="ignore").decode())
        raise UsageError("a file's name is not UTF-8 text", value=f"{source}: {name!r}", next="rename it") from error
    try:
        return read_digests(listing, memory, now_ns=now_ns, read=read)
    except OSError as error:  # what cannot be read, and so not hashed, is an error with its path
        if error.errno in NO_ROOM:
            raise ServiceUnavailable(
                "the store has no room", value=f"{project.store_folder}: {error.strerror}", next="make room, try again"
            ) from error
        what = f"{source}: {error.filename}: {error.strerror}"
        raise ServiceUnavailable("a source cannot be read", value=what) from error
