"""What a source held over time: a line for each version that was kept by a person or seen by a run, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.sources.versions import mark, version_under
from lockgate.durable import locked
from lockgate.errors import NotFound
from lockgate.records.digest import Json, digest, short
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.sources.seeing import Seen
    from lockgate.delivery.sources.versions import SourceVersion
    from lockgate.project import Project

__all__ = ["Line", "forget", "history_of", "identity_named", "note", "version_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line.

    Attributes:
        version: its identity.
        at: when, in UTC, ISO 8601.
        by: who keeps it: `person` with `data add`, or `run`, which saw it and keeps it as long as `store gc` lets it.
        size_bytes: of all its files; None for a source of rows.
        rows: how many; None when the source is files.
    """

    version: str
    at: str
    by: str
    files: int
    size_bytes: int | None = None
    rows: int | None = None
    note: str = ""


def history_of(project: Project, source: str) -> tuple[Line, ...]:
    """Oldest first. A line of one writer can be lost where two working copies write at the same time; no version is."""
    record = project.results("sources").get(_key(project, source)) or {}
    lines: Json = record.get("history", [])
    return tuple(from_json(Line, line) for line in (lines if isinstance(lines, list) else [lines]))


def note(project: Project, seen: Seen, *, now: dt.datetime, by: str, words: str = "") -> Line:
    """Add a line for a version that is in the store; a run adds none when the last one is of the same version.

    What a person keeps is marked as such, so that no garbage collection takes it.
    """
    line = Line(
        version=seen.identity, at=now.isoformat(timespec="seconds"), by=by, files=len(seen.files), rows=seen.rows, note=words,
        size_bytes=sum(seen.here.sizes_bytes()) if len(seen.here.names) == len(seen.files) else None,
    )  # fmt: skip
    if by == "person":
        mark(project, seen.name, seen.identity, kept=True)
    with locked(project.home / "history.lock"):
        before = history_of(project, seen.name)
        if by == "person" or not before or before[-1].version != seen.identity:
            _write(project, seen.name, (*before, line))
    return line


def forget(project: Project, source: str, version: str) -> None:
    """A version is kept no longer than `store gc` lets it; its lines go."""
    mark(project, source, version, kept=False)
    with locked(project.home / "history.lock"):
        _write(project, source, tuple(line for line in history_of(project, source) if line.version != version))


def identity_named(project: Project, source: str, ref: str) -> str:
    """A version's by `latest` or the beginning of its digest, as `data log` shows it. Raises NotFound when it is none, or several."""
    lines = history_of(project, source)
    wanted = ref.removeprefix("blake3:")
    hits = [v for v in dict.fromkeys(line.version for line in lines) if wanted and v.startswith(f"blake3:{wanted}")]
    if ref == "latest":
        hits = [lines[-1].version] if lines else []
    if len(hits) != 1:
        what = "names more than one version" if hits else "no such version"
        allowed = ", ".join(map(short, hits)) or "latest, or the beginning of a digest"
        raise NotFound(f"{what} of {source}", value=ref, allowed=allowed, next=f"lockgate data log {source}")
    return hits[0]


def version_named(project: Project, source: str, ref: str) -> SourceVersion:
    """The version by the same; raises NotFound, too, when it is not in the store any more."""
    version = version_under(project, identity_named(project, source, ref))
    if version is None:
        raise NotFound(
            f"a version of {source} is not in the store any more", value=ref, next=f"lockgate data log {source}"
        )
    return version


def _write(project: Project, source: str, lines: tuple[Line, ...]) -> None:
    record: dict[str, Json] = {"history": [to_json(line) for line in lines]}
    project.results("sources").put(_key(project, source), record)


def _key(project: Project, source: str) -> str:
    return digest("source-history", [project.settings.name, source])
