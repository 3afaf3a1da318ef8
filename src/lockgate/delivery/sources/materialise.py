"""Keep what was seen of a source in the store, and give the steps a read-only view of exactly that."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.keep import keep_copy
from lockgate.delivery.sources.packs import MOST_PACKS, Pack, Packed, keep_packs, packs_in
from lockgate.delivery.sources.seeing import source_key
from lockgate.delivery.sources.views import show, view_of
from lockgate.errors import NotFound, ServiceUnavailable

if TYPE_CHECKING:
    from lockgate.delivery.sources.seeing import Seen
    from lockgate.project import Project
    from lockgate.records.digest import Json

__all__ = ["materialise"]

LIVE_SHARE = 4
"""A pack of whose files less than one in so many is still wanted is left to the garbage collection."""


def materialise(project: Project, seen: Seen) -> Path:
    """Put a source's files into the store and answer a read-only view of exactly what was seen.

    A folder source gives a folder, a single file the file itself, names kept: links to objects, and files out of packs.
    """
    packed = _kept(project, seen)
    record: dict[str, Json] = {"files": [list(f) for f in seen.files], "single": seen.single}
    if packs := sorted({packed.members[d].pack for _, d in seen.files if d in packed.members}):
        record["packs"] = [list(p.objects) for p in packs]
    results = project.results("sources")
    if not seen.recorded and results.get(source_key(project, seen.name)) != record:
        results.put(source_key(project, seen.name), record)
    by_identity = {**record, "name": seen.name}  # releases say which version they saw
    known = results.get(seen.identity)
    if known is None or (not seen.recorded and known != by_identity):  # its files may lie in other packs now
        results.put(seen.identity, by_identity)
    view = view_of(project, seen)
    show(project, seen, packed)
    return view / seen.files[0][0] if seen.single else view


def _kept(project: Project, seen: Seen) -> Packed:
    """Every file is in the store when this returns: in one of the packs it answers, or an object of its own."""
    places = seen.here.places()
    own = not seen.recorded and bool(seen.here.names)
    packs = seen.packs if not own else _worth_keeping(project, seen)
    packed = Packed(project.store, packs)
    if own:
        missing = {d: places[n] for n, d in seen.files if d not in packed.members}
        if new := keep_packs(project, missing, source=seen.name):
            packed = Packed(project.store, (*packs, *new))
    lost = ((n, d) for n, d in seen.files if d not in packed.members and not project.store.has(d))
    for name, expected in lost:
        _keep(project, seen.name, name, expected, places.get(name))
    return packed


def _worth_keeping(project: Project, seen: Seen) -> tuple[Pack, ...]:
    """The packs of the version before of which enough is wanted still; none when there are too many: all is packed anew."""
    before = packs_in(project.results("sources").get(source_key(project, seen.name)) or {})
    here = [p for p in before if all(map(project.store.has, p.objects))]
    held = Packed(project.store, here).members
    size = Counter(m.pack for m in held.values())
    live = Counter(held[d].pack for d in {d for _, d in seen.files} & held.keys())
    worth = tuple(p for p in here if live[p] * LIVE_SHARE >= size[p])
    return worth if len(worth) <= MOST_PACKS else ()


def _keep(project: Project, source: str, name: str, expected: str, place: str | None) -> None:
    if place is None:
        raise NotFound(
            "a file of a source is neither here nor in the store",
            value=f"{source}: {name}",
            next="bring the source's files",
        )
    if keep_copy(project, Path(place)) != expected:
        raise ServiceUnavailable("a source changed while it was read", value=f"{source}: {name}", next="lockgate run")
