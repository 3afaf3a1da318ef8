"""`data diff`: which files differ from one version of a source to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.data.add import source_named
from lockgate.delivery.sources.history import version_named
from lockgate.delivery.sources.seeing import see
from lockgate.delivery.sources.versions import newest_version
from lockgate.errors import NotFound, UsageError

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.project import Project

__all__ = ["Difference", "compare", "difference"]

Files = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of files, sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def difference(before: Files, after: Files) -> Difference:
    """What came, what has other bytes, and what went.

    >>> difference((("a", "1"), ("b", "1")), (("b", "2"), ("c", "1")))
    Difference(added=('c',), changed=('b',), removed=('a',))
    """
    old, new = dict(before), dict(after)
    return Difference(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(n for n, d in new.items() if old.get(n, d) != d)),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


def compare(project: Project, source: str, before: str | None, after: str | None, *, now: dt.datetime) -> Difference:
    """Of two versions by their names; without `after` to what the source holds now, without `before` from the newest one."""
    settings = source_named(project, source)
    if settings.kind == "sqlite":
        raise UsageError(
            "only files can be compared", value=f"{source} is a source of kind {settings.kind}",
            allowed="kind file or folder", next=f"lockgate data log {source}",
        )  # fmt: skip
    old = version_named(project, source, before) if before else newest_version(project, source)
    if old is None:
        raise NotFound("no version of a source is kept", value=source, next=f"lockgate data add {source}")
    if after:
        return difference(old.files, version_named(project, source, after).files)
    seen = see(project, now_ns=int(now.timestamp() * 1e9), only=(source,)).get(source)
    return difference(old.files, seen.files if seen else ())
