"""`data list`: what each source holds now, and whether that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.delivery.data.difference import Difference, difference
from lockgate.delivery.sources.history import history_of
from lockgate.delivery.sources.seeing import see
from lockgate.delivery.sources.versions import is_kept, newest_version

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.sources.seeing import Seen
    from lockgate.project import Project

__all__ = ["State", "next_after", "states"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One source.

    Attributes:
        version: identity of what it holds now; of a source that is read bit by bit, or is not here, what was read last.
        state: `kept`: that version is in the store; `changed` since the newest one that is; `new`: none is; `absent`:
            neither here nor kept.
        since: how it differs from the newest version, when it changed.
        at: when that version was noted; None when it never was.
    """

    source: str
    kind: str
    state: Literal["kept", "changed", "new", "absent"]
    version: str | None = None
    files: int | None = None
    rows: int | None = None
    size_bytes: int | None = None
    since: Difference | None = None
    at: str | None = None


def states(project: Project, *, now: dt.datetime) -> tuple[State, ...]:
    """Every source, in the order of `lockgate.toml`. Files are looked at; databases and arriving files are not asked."""
    seen = see(project, now_ns=int(now.timestamp() * 1e9), wanted=())
    return tuple(
        _of_files(project, seen[s.name], s.kind) if s.name in seen else _of_history(project, s.name, s.kind)
        for s in project.settings.sources
    )


def next_after(project: Project, found: tuple[State, ...]) -> str:
    """What to do about them; empty when everything is kept."""
    if not found:
        return "declare [sources.NAME] there, with kind and path"
    if unkept := [s.source for s in found if s.state in ("changed", "new")]:
        return f"lockgate data add {unkept[0]}"
    absent = next((s for s in found if s.state == "absent"), None)
    if absent is None:
        return ""
    if absent.kind != "file":  # a run asks databases and looks into folders
        return "lockgate run"
    path = next(s.path for s in project.settings.sources if s.name == absent.source)
    return f"nothing is at {path}: put it there, or edit [sources.{absent.source}] in lockgate.toml"


def _of_files(project: Project, seen: Seen, kind: str) -> State:
    lines = {line.version: line for line in history_of(project, seen.name)}
    kept = is_kept(project, seen.identity)
    newest = None if kept else newest_version(project, seen.name)
    return State(
        source=seen.name, kind=kind, version=seen.identity, files=len(seen.files),
        state="kept" if kept else "changed" if newest else "new",
        size_bytes=sum(seen.here.sizes_bytes()) if seen.here.names else None,
        since=difference(newest.files, seen.files) if newest else None,
        at=lines[seen.identity].at if seen.identity in lines else None,
    )  # fmt: skip


def _of_history(project: Project, source: str, kind: str) -> State:
    """Of what is not asked now: as it was read last."""
    last = next((line for line in reversed(history_of(project, source)) if is_kept(project, line.version)), None)
    if last is None:
        return State(source=source, kind=kind, state="absent")
    return State(
        source=source, kind=kind, state="kept", version=last.version, files=last.files, rows=last.rows,
        size_bytes=last.size_bytes, at=last.at,
    )  # fmt: skip
