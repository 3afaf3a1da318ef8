"""`data add`: keep what a source holds now as a version, without running anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.sources.history import history_of, note
from lockgate.delivery.sources.keeping import ReadAndKeep, keep
from lockgate.delivery.sources.pieces import objects_of
from lockgate.delivery.sources.seeing import see
from lockgate.delivery.turns import Turns
from lockgate.errors import NotFound, did_you_mean

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.sources.history import Line
    from lockgate.delivery.sources.seeing import Seen
    from lockgate.project import Project, SourceSettings

__all__ = ["Added", "add", "source_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was kept; `is_new` unless the last line of the source's history was this version already."""

    source: str
    line: Line
    is_new: bool


def add(project: Project, source: str, *, now: dt.datetime, words: str = "") -> Added:
    """Every byte of the source is in the store when this returns; `store gc` leaves it until `data forget`.

    Raises NotFound for a source that is not declared, or not here, ServiceUnavailable for a file that somebody writes to.
    """
    settings = source_named(project, source)
    with ReadAndKeep(project, source) as reading:
        seen = see(project, now_ns=int(now.timestamp() * 1e9), only=(source,), read={source: reading}).get(source)
    if seen is None:
        raise NotFound(
            "a source is not here",
            value=f"{source}: {settings.path}",
            next=f"put it there, or edit path of [sources.{source}] in lockgate.toml",
        )
    with Turns(project.leases, result=lambda _: None, lasts_s=project.settings.lease_s) as turns:
        turns.pin(_needed(seen, reading), still_there=lambda: True)  # what was there before is `keep`'s to look for
        keep(project, seen, packs=reading.packs, pieces=reading.pieces)
        before = history_of(project, source)
        line = note(project, seen, now=now, by="person", words=words)
    return Added(source=source, line=line, is_new=not before or before[-1].version != seen.identity)


def _needed(seen: Seen, reading: ReadAndKeep) -> tuple[str, ...]:
    """What a garbage collection that begins now shall leave: the version, its files, and what these lie in."""
    packs = (o for p in reading.packs for o in p.objects)
    return (seen.identity, *{d for _, d in seen.files}, *packs, *objects_of(reading.pieces.values()))


def source_named(project: Project, name: str) -> SourceSettings:
    """A source of `lockgate.toml`. Raises NotFound."""
    found = {s.name: s for s in project.settings.sources}
    if name not in found:
        raise NotFound(
            "no such source in lockgate.toml", value=name, allowed=did_you_mean(name, found),
            next="lockgate data list" if found else f"declare [sources.{name}] in lockgate.toml",
        )  # fmt: skip
    return found[name]
