"""`data checkout`: make a source's files those of a version that is kept."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.data.add import source_named
from lockgate.delivery.data.difference import Difference, difference
from lockgate.delivery.sources.folders import check_name, make_folders, remove_files
from lockgate.delivery.sources.history import history_of, version_named
from lockgate.delivery.sources.kept import Kept
from lockgate.delivery.sources.seeing import see
from lockgate.delivery.sources.versions import is_kept, version_under
from lockgate.errors import IntegrityError, UsageError
from lockgate.records.listing import fixed_part

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from lockgate.delivery.sources.seeing import Seen
    from lockgate.delivery.sources.versions import SourceVersion
    from lockgate.project import Project

__all__ = ["CheckedOut", "checkout"]

WRITABLE = 0o666
"""As far as the umask allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOut:
    """Which version lies there now, and what was done for it."""

    source: str
    version: str
    done: Difference


def checkout(project: Project, source: str, ref: str, *, now: dt.datetime, discard: bool = False) -> CheckedOut:
    """Write, replace and remove files until the source holds a version; only those that differ.

    Each file is replaced in one step, so one that is killed leaves whole files of both versions, and can be repeated.

    Args:
        discard: also when bytes are lost by that, which are in no kept version.

    Raises:
        UsageError: the source is not of kind `file`, or bytes would be lost; the value names a file.
        NotFound, IntegrityError: the version, or bytes of it, are not in the store, or damaged.
    """
    settings = source_named(project, source)
    if settings.kind != "file":
        raise UsageError(
            "only files can be put back", value=f"{source} is a source of kind {settings.kind}", allowed="kind file"
        )
    version = version_named(project, source, ref)
    seen = see(project, now_ns=int(now.timestamp() * 1e9), only=(source,)).get(source)
    here = seen if seen and seen.here.names else None
    todo = difference(here.files if here else (), version.files)
    if here and not discard:
        _check_that_nothing_is_lost(project, here, version, (*todo.changed, *todo.removed))
    top = Path(here.here.top) if here else _top(project.root / settings.path, is_file=version.single)
    kept = Kept(project.store, version.packs, version.pieces)
    wanted = {n: version.by_name[n] for n in (*todo.added, *todo.changed)}
    _check_places(top, source, wanted)
    make_folders(top, wanted)
    for name, digest in wanted.items():
        _replace(project, kept, digest, top / name)
    remove_files(top, todo.removed)
    return CheckedOut(source=source, version=version.identity, done=todo)


def _top(path: Path, *, is_file: bool) -> Path:
    return path.parent if is_file else Path(fixed_part(str(path)))


def _check_that_nothing_is_lost(project: Project, seen: Seen, target: SourceVersion, names: Iterable[str]) -> None:
    """What goes must be in some version: after a checkout that was killed not all in one."""
    digests = dict(seen.files)
    left = {} if is_kept(project, seen.identity) else {digests[n]: n for n in names}
    versions = (target.identity, *(line.version for line in reversed(history_of(project, seen.name))))
    for identity in dict.fromkeys(versions):
        if not left:
            return
        if (version := version_under(project, identity)) is not None:
            for _, digest in version.files:
                left.pop(digest, None)
    if left:
        raise UsageError(
            "the source holds what no version has", value=f"{seen.name}: {min(left.values())}"
            + (f" and {len(left) - 1} more" if len(left) > 1 else ""),
            allowed="--discard, to lose it", next=f"lockgate data add {seen.name}",
        )  # fmt: skip


def _check_places(top: Path, source: str, names: Iterable[str]) -> None:
    """Neither a name nor a link of the folder leads out of it."""
    for name in names:
        check_name(name, source)
    real = os.path.realpath(top)
    for folder in {name.rpartition("/")[0] for name in names} - {""}:
        if not f"{os.path.realpath(top / folder)}/".startswith(f"{real}/"):
            raise IntegrityError(
                "a link leads out of the source's folder", value=f"{source}: {folder}",
                allowed="folders below it", next=f"take away {top / folder}",
            )  # fmt: skip


def _replace(project: Project, kept: Kept, digest: str, place: Path) -> None:
    """Whole at any time; the draft's name is hidden, so it is no file of the source."""
    draft = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        if digest in kept:
            kept.write(digest, str(draft), mode=WRITABLE)
        else:
            shutil.copyfile(project.store.get(digest), draft)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
