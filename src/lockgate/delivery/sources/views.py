"""Keep what was seen of a source in the store, and give the steps a read-only view of exactly that."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.keep import keep_copy
from lockgate.delivery.sources.packs import MOST_PACKS, Pack, Packed, keep_packs, packs_in
from lockgate.delivery.sources.seeing import source_key
from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    version = seen.identity.rpartition(":")[2]
    for name in (version, seen.name, *(n for n, _ in seen.files)):
        _check_name(name, seen.name)
    view = project.home / "tmp" / "sources" / version / seen.name
    with contextlib.suppress(FileNotFoundError):
        os.utime(view.parent)  # a view that nobody asks for goes after a while
    _show(project, view, seen, packed)
    return view / seen.files[0][0] if seen.single else view


# ── Into the store ──────────────────────────────────────────────────────────


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


# ── The view ────────────────────────────────────────────────────────────────


def _show(project: Project, view: Path, seen: Seen, packed: Packed) -> None:
    """Make the view, or mend one that is there: another run may use it, so every file in it is whole at any time."""
    if not view.exists() and packed.members:
        draft = project.home / "tmp" / f"{os.getpid()}-view-{os.urandom(4).hex()}"
        _fill(project, draft, seen.files, packed, put=_create)
        view.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.rename(view)
        except OSError:  # somebody else was first
            shutil.rmtree(draft)
        else:
            return
    _fill(project, view, seen.files, packed, put=_mend)


def _fill(
    project: Project, view: Path, files: Iterable[tuple[str, str]], packed: Packed, *, put: Callable[[str, bytes], None]
) -> None:
    for folder in {(view / n).parent for n, _ in files}:
        folder.mkdir(parents=True, exist_ok=True)
    for name, expected in files:
        if expected in packed.members:
            put(f"{view}/{name}", packed.read(expected))
        else:
            _link(view / name, project.store.get(expected))


def _create(place: str, data: bytes) -> None:
    """A file out of a pack, where nobody looks yet: 50,000 of them should not take long."""
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        if os.write(handle, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
    finally:
        os.close(handle)


def _mend(place: str, data: bytes) -> None:
    """One that is there with these bytes stays; readers never see a part of one."""
    path = Path(place)
    with contextlib.suppress(FileNotFoundError):
        if not path.is_symlink() and path.read_bytes() == data:
            return
    draft = _beside(path)
    _create(str(draft), data)
    draft.replace(path)


def _link(link: Path, target: Path) -> None:
    """Point a link to an object, whole at any time: another run may use the same view."""
    if not link.is_symlink() or os.readlink(link) != str(target):
        temporary = _beside(link)
        temporary.symlink_to(target)
        os.replace(temporary, link)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:80]}.{os.getpid()}.{os.urandom(4).hex()}")


def _check_name(name: str, source: str) -> None:
    """Others may write a shared store's records: no link is made outside of the view."""
    if name.startswith("/") or {"", ".", ".."} & set(name.split("/")) or "\0" in name:
        raise IntegrityError(
            "a recorded file of a source leaves the source's folder", value=f"{source}: {name!r}",
            allowed="a relative path", next="lockgate store check",
        )  # fmt: skip
