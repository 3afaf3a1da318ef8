"""Put a source's files into the store: small ones into packs, of a large one's next version what is new, the rest as objects."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.put import keep_copy
from lockgate.delivery.sources.kept import Kept, packs_here, pieces_here
from lockgate.delivery.sources.packs import MOST_PACKS, Pack, Packed, Packing, keep_packs, small_bytes
from lockgate.delivery.sources.pieces import LARGE_BYTES, Pieces, keep_pieces, whole
from lockgate.delivery.sources.versions import SourceVersion, keep_version, newest_version, source_key
from lockgate.errors import LockgateError, NotFound, ServiceUnavailable
from lockgate.records.digest import digest_bytes
from lockgate.records.listing import state_of

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from lockgate.delivery.sources.seeing import Seen
    from lockgate.project import Project

__all__ = ["ReadAndKeep", "keep"]

LIVE_SHARE = 4
"""A pack of whose files less than one in so many is still wanted is left to the garbage collection."""


def keep(
    project: Project, seen: Seen, *, packs: tuple[Pack, ...] = (), pieces: dict[str, Pieces] | None = None
) -> Kept:
    """Every file is in the store when this returns, and the version is recorded, as the newest unless it came from there.

    Args:
        packs: made of the source's files just now.
        pieces: the same.

    Raises NotFound for a file that is neither here nor there, ServiceUnavailable for one that changed since it was seen.
    """
    if _is_here(seen):
        kept = _kept_anew(project, seen, packs=packs, pieces=pieces or {})
    else:
        kept = Kept(project.store, seen.packs, seen.pieces)
    places = seen.here.places()
    for name, digest in seen.files:
        if digest not in kept and not project.store.has(digest):
            _keep_whole(project, seen.name, name, digest, places.get(name))
    _record(project, seen, kept)
    return kept


def _is_here(seen: Seen) -> bool:
    """Whether these are files of this working copy; what came from the store may not be the newest any more."""
    return not seen.recorded and bool(seen.here.names)


def _kept_anew(project: Project, seen: Seen, *, packs: tuple[Pack, ...], pieces: dict[str, Pieces]) -> Kept:
    """What of the version before still holds, and packs and pieces of what is new."""
    before = newest_version(project, seen.name)
    wanted = {d for _, d in seen.files}
    packs = (*_worth_keeping(project, before, wanted), *packs)
    pieces = {
        d: p
        for d, p in {**pieces_here(project.store, before), **pieces}.items()
        if d in wanted and not project.store.has(d)
    }
    kept = Kept(project.store, packs, pieces)
    places = seen.here.places()
    missing = {d: (n, places[n]) for n, d in seen.files if d not in kept and not project.store.has(d)}
    for digest, (name, place) in missing.items():
        found = _pieces_of(project, before, name, Path(place))
        if found and found[0] != digest:
            raise _changed(seen.name, name)
        pieces |= dict([found]) if found else {}
    new = keep_packs(project, {d: p for d, (_, p) in missing.items() if d not in pieces}, source=seen.name)
    return Kept(project.store, (*packs, *new), pieces)


class ReadAndKeep:
    """Reads the new files of a source and keeps them in one go, so that each is read once. Use it as `read` of `see`.

    `packs` and `pieces` are whole behind the block. What does not fit in there, a few small files, is left to `keep`.
    """

    def __init__(self, project: Project, source: str) -> None:
        self._project, self._source, self._before = project, source, newest_version(project, source)
        self._packing = Packing(project)
        self._packed = Packed(project.store, packs_here(project.store, self._before)).members
        self.packs: tuple[Pack, ...] = ()
        self.pieces: dict[str, Pieces] = {}

    def __enter__(self) -> Self:
        """Nothing is read yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Finish the last pack, unless something went wrong."""
        with self._packing:
            if kind is None:
                self.packs = self._packing.packs()

    def __call__(self, name: str, place: str) -> str:
        """A file's digest; afterwards its bytes are kept."""
        data = small_bytes(place)
        if data is not None:
            digest = digest_bytes(data)
            if digest not in self._packed:
                self._packing.add(digest, data)
            return digest
        was = os.stat(place)
        digest = self._keep_large(name, Path(place))
        if state_of(os.stat(place)) != state_of(was):  # half of one content and half of the next is no version
            raise _changed(self._source, name)
        return digest

    def _keep_large(self, name: str, place: Path) -> str:
        found = _pieces_of(self._project, self._before, name, place)
        if found is None:
            return keep_copy(self._project, place)
        self.pieces |= dict([found])
        return found[0]


def _pieces_of(project: Project, before: SourceVersion | None, name: str, place: Path) -> tuple[str, Pieces] | None:
    """A large file by what its version before has of it; None where there is none, or it helps little."""
    if before is None or place.stat().st_size < LARGE_BYTES:
        return None
    digest = before.by_name.get(name, "")
    try:
        known = before.pieces.get(digest) or (whole(project.store, digest) if project.store.has(digest) else None)
        return keep_pieces(project, place, before=known) if known else None
    except LockgateError:  # the version before is damaged: it is no help, and `store check` says so
        return None


def _worth_keeping(project: Project, before: SourceVersion | None, wanted: set[str]) -> tuple[Pack, ...]:
    """The packs of the version before of which enough is wanted still; none when there are too many: all is packed anew."""
    here = packs_here(project.store, before)
    held = Packed(project.store, here).members
    size = Counter(m.pack for m in held.values())
    live = Counter(held[d].pack for d in wanted & held.keys())
    worth = tuple(p for p in here if live[p] * LIVE_SHARE >= size[p])
    return worth if len(worth) <= MOST_PACKS else ()


def _keep_whole(project: Project, source: str, name: str, expected: str, place: str | None) -> None:
    if place is None:
        raise NotFound(
            "a file of a source is neither here nor in the store", value=f"{source}: {name}",
            next="bring the source's files",
        )  # fmt: skip
    if keep_copy(project, Path(place)) != expected:
        raise _changed(source, name)


def _changed(source: str, name: str) -> ServiceUnavailable:
    return ServiceUnavailable("a source changed while it was read", value=f"{source}: {name}", next="try again")


def _record(project: Project, seen: Seen, kept: Kept) -> None:
    """Under its identity, which releases name; and as the newest version, unless the source was read from the store."""
    files = {d for _, d in seen.files}
    packed = kept.packed.members
    version = SourceVersion(
        source=seen.name, identity=seen.identity, files=seen.files, single=seen.single,
        packs=tuple(sorted({packed[d].pack for d in files & packed.keys()})),
        pieces={d: p for d, p in kept.pieces.items() if d in files},
    )  # fmt: skip
    results, newest = project.results("sources"), {"version": seen.identity}
    if _is_here(seen) or results.get(seen.identity) is None:
        keep_version(project, version)
    if _is_here(seen) and results.get(source_key(project, seen.name)) != newest:
        results.put(source_key(project, seen.name), newest)
