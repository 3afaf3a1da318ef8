"""`data checkout`: make a source's files those of a version that is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lockgate.delivery.data.add import source_named
from lockgate.delivery.data.difference import Difference, difference
from lockgate.delivery.sources.folders import check_name, make_folders, remove_files
from lockgate.delivery.sources.history import history_of, version_named
from lockgate.delivery.sources.kept import Kept, kept_here
from lockgate.delivery.sources.seeing import see
from lockgate.delivery.sources.versions import version_under
from lockgate.errors import IntegrityError, LockgateError, ServiceUnavailable, UsageError
from lockgate.records.digest import digest_file
from lockgate.records.listing import NOWHERE, fixed_part, state_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from lockgate.delivery.sources.versions import SourceVersion
    from lockgate.project import Project, SourceSettings

__all__ = ["CheckedOut", "checkout"]

WRITABLE = 0o666
"""As far as the umask allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOut:
    """Which version lies there now, and what was done for it."""

    source: str
    version: str
    done: Difference


@dataclass(frozen=True, slots=True)
class _Here:
    """What lies in a source's folder: its files, and what would be overwritten though the source's path does not name it.

    Attributes:
        identity: of the files that the path names, as a version.
        digests: name → digest.
        states: name → what the file looked like before it was read.
    """

    top: Path
    identity: str
    digests: Mapping[str, str]
    states: Mapping[str, bytes]


def checkout(project: Project, source: str, ref: str, *, now: dt.datetime, discard: bool = False) -> CheckedOut:
    """Write, replace and remove files until the source holds a version; only those that differ.

    Each file is replaced in one step, so one that is killed leaves whole files of both versions, and can be repeated.

    Args:
        discard: also when bytes are lost by that, which are in no kept version.

    Raises:
        UsageError: the source is not of kind `file`, or bytes would be lost; the value names a file.
        NotFound, IntegrityError: the version, or bytes of it, are not in the store, or damaged.
        ServiceUnavailable: somebody wrote to a file meanwhile.
    """
    settings = source_named(project, source)
    if settings.kind != "file":
        raise UsageError(
            "only files can be put back", value=f"{source} is a source of kind {settings.kind}", allowed="kind file",
            next=f"lockgate data log {source}",
        )  # fmt: skip
    version = version_named(project, source, ref)
    here = _look(project, settings, version, now=now)
    todo = difference(tuple(here.digests.items()), version.files)
    goes = (*todo.changed, *todo.removed)
    if not discard:
        _check_that_nothing_is_lost(project, source, {here.digests[n]: n for n in goes}, lies_here=here.identity)
    wanted = {n: version.by_name[n] for n in (*todo.added, *todo.changed)}
    _check_places(here.top, source, (*wanted, *todo.removed))
    _put_back(project, version, wanted, here=here, removed=todo.removed, discard=discard)
    return CheckedOut(source=source, version=version.identity, done=todo)


# ── Whether it may be done ──────────────────────────────────────────────────


def _check_visible(name: str, source: str) -> None:
    """A source holds no hidden files, so a version that does was written by somebody with other aims."""
    check_name(name, source)
    if any(part.startswith(".") for part in name.split("/")):
        raise IntegrityError(
            "a version has a hidden file", value=f"{source}: {name!r}", allowed="names that do not begin with a dot",
            next="lockgate store check",
        )  # fmt: skip


def _look(project: Project, settings: SourceSettings, version: SourceVersion, *, now: dt.datetime) -> _Here:
    name = settings.name
    seen = see(project, now_ns=int(now.timestamp() * 1e9), only=(name,)).get(name)
    listing = seen.here if seen else NOWHERE
    if seen and listing.names:
        top, digests = Path(listing.top), dict(seen.files)
    else:
        top, digests = _top(project, settings.path, is_file=version.single), dict[str, str]()
    states = dict(zip(listing.names, listing.each_state(), strict=True))
    for other in version.by_name.keys() - digests.keys():
        _check_visible(other, name)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            states[other] = state_of((top / other).stat())
            digests[other] = digest_file(top / other)
    return _Here(top, seen.identity if seen else "", digests, states)


def _top(project: Project, path: str, *, is_file: bool) -> Path:
    return (project.root / path).parent if is_file else project.root / fixed_part(path)


def _check_that_nothing_is_lost(project: Project, source: str, goes: dict[str, str], *, lies_here: str) -> None:
    """The bytes of what goes (digest → name) must be in some version: after a checkout that was killed not all in one."""
    for identity in dict.fromkeys((lies_here, *(line.version for line in reversed(history_of(project, source))))):
        if not goes:
            return
        if (version := version_under(project, identity)) is not None:
            held = _held(project, version, goes.keys())
            goes = {d: n for d, n in goes.items() if d not in held}
    if goes:
        raise UsageError(
            "the source holds what no version has", value=f"{source}: {min(goes.values())}"
            + (f" and {len(goes) - 1} more" if len(goes) > 1 else ""),
            allowed="--discard, to lose it", next=f"lockgate data add {source}",
        )  # fmt: skip


def _held(project: Project, version: SourceVersion, wanted: Collection[str]) -> set[str]:
    """Which files of a version are in the store; damage makes them none."""
    with contextlib.suppress(LockgateError):
        kept = kept_here(project.store, version)
        return {d for _, d in version.files if d in wanted and (d in kept or project.store.has(d))}
    return set()


def _check_places(top: Path, source: str, names: Iterable[str]) -> None:
    """No link of the folder leads out of it."""
    real = os.path.realpath(top)
    for folder in {name.rpartition("/")[0] for name in names} - {""}:
        if not f"{os.path.realpath(top / folder)}/".startswith(f"{real}/"):
            raise IntegrityError(
                "a link leads out of the source's folder", value=f"{source}: {folder}",
                allowed="folders below it", next=f"take away {top / folder}",
            )  # fmt: skip


# ── Doing it ────────────────────────────────────────────────────────────────


def _put_back(
    project: Project, version: SourceVersion, wanted: Mapping[str, str], *, here: _Here, removed: tuple[str, ...], discard: bool
) -> None:  # fmt: skip
    """What is in the way of a file or a folder goes first, the rest when all else is there."""
    kept = Kept(project.store, version.packs, version.pieces)
    states = {} if discard else here.states
    first = _in_the_way(removed, wanted)
    _remove(here.top, first, states)
    make_folders(here.top, wanted)
    for name, digest in wanted.items():
        _replace(project, kept, digest, here.top / name, state=states.get(name))
    _remove(here.top, [n for n in removed if n not in first], states)


def _in_the_way(removed: Iterable[str], wanted: Mapping[str, str]) -> set[str]:
    """Files where a folder comes, and those in folders where a file comes."""
    folders = {f for name in wanted for f in _folders_of(name)}
    return {n for n in removed if n in folders or not wanted.keys().isdisjoint(_folders_of(n))}


def _folders_of(name: str) -> Iterator[str]:
    return map(str, PurePosixPath(name).parents)


def _remove(top: Path, names: Iterable[str], states: Mapping[str, bytes]) -> None:
    for name in names:
        _check_unchanged(top / name, states.get(name))
    remove_files(top, names)


def _check_unchanged(place: Path, state: bytes | None) -> None:
    """Nobody shall lose what was written since we looked; `state` None: whatever it is. Bytes are never lost with a link."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if state is not None and not place.is_symlink() and state_of(place.stat()) != state:
            raise ServiceUnavailable(
                "a source changed while it was put back", value=str(place), next="lockgate data, then say it again"
            )


def _replace(project: Project, kept: Kept, digest: str, place: Path, *, state: bytes | None) -> None:
    """Whole at any time, and nobody may read it who might not before; the draft is hidden, so it is no file of the source."""
    mode = _mode(place)
    draft = place.with_name(f".lockgate-{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        if digest in kept:
            kept.write(digest, str(draft), mode=WRITABLE if mode is None else mode)
        else:
            _copy(project.store.get(digest), draft, mode=WRITABLE if mode is None else mode)
        if mode is not None:
            draft.chmod(mode)
        _check_unchanged(place, state)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _mode(place: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError):
        return place.stat().st_mode & 0o777
    return None


def _copy(path: Path, place: Path, *, mode: int) -> None:
    with path.open("rb") as source, open(place, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
