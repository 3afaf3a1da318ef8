"""Packs: many small files of a source as two objects of the store, instead of one object (and one sync) each.

A pack is the files' bytes one after the other; its index, JSON, says which file lies where: [[digest, size in bytes], …].
Both are named by their digests like every object, and a file is checked again when it is taken out.
"""

from __future__ import annotations

import json
import mmap
import os
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, repeat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lockgate.delivery.put import keep_bytes, scratch_file
from lockgate.errors import IntegrityError, LockgateError, ServiceUnavailable
from lockgate.records.digest import Json, canonical, digest_bytes, digest_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import IO, Self

    from lockgate.delivery.sources.versions import SourceVersion
    from lockgate.ports import Store
    from lockgate.project import Project

__all__ = ["SMALL_BYTES", "Member", "Pack", "Packed", "Packing", "again", "keep_packs", "packs_in", "small_bytes"]

SMALL_BYTES = 64 * 1024
"""A larger file is an object of its own."""
FEWEST = 64
"""So few are not worth a pack."""
PACK_BYTES = 256 * 2**20
MOST_PACKS = 32
"""A source of more packs than that is packed anew."""


@dataclass(frozen=True, slots=True, order=True)
class Pack:
    """One pack: the digests of its two objects."""

    data: str
    index: str

    @property
    def objects(self) -> tuple[str, str]:
        """Both, as a record writes them."""
        return self.data, self.index


class Member(NamedTuple):
    """Where a file lies; a plain tuple, since there can be a hundred thousand of them."""

    pack: Pack
    start: int
    size_bytes: int


class Packed:
    """The files in some packs: file digest → where it lies. Reads an index once, and a pack's bytes when first asked for one.

    Raises NotFound for a pack that is not in the store, IntegrityError for one whose bytes or index are not right.
    """

    def __init__(self, store: Store, packs: Iterable[Pack]) -> None:
        self.members: dict[str, Member] = {}
        self._store, self._data = store, dict[str, mmap.mmap | bytes]()
        for pack in packs:
            digests, sizes = _index(store, pack)
            self.members.update(
                zip(digests, map(Member, repeat(pack), accumulate(sizes, initial=0), sizes), strict=True)
            )

    def read(self, digest: str) -> bytes:
        """A file's bytes, checked."""
        member = self.members[digest]
        data = self._data.get(member.pack.data)
        if data is None:
            data = self._data[member.pack.data] = _mapped(self._store.get(member.pack.data))
        found = data[member.start : member.start + member.size_bytes]
        if digest_bytes(found) != digest:
            raise IntegrityError(
                "a pack's index names other bytes", value=member.pack.index, allowed=digest,
                next="lockgate store check --heal",
            )  # fmt: skip
        return found


def packs_in(record: Mapping[str, Json]) -> tuple[Pack, ...]:
    """The packs that a source's record names; others may write it, so what is not in this form counts as none."""
    packs = record.get("packs") or ()
    if not isinstance(packs, list) or not all(
        isinstance(p, list) and [type(x) for x in p] == [str, str] for p in packs
    ):
        return ()
    return tuple(Pack(*p) for p in packs)


def keep_packs(project: Project, places: Mapping[str, str], *, source: str) -> tuple[Pack, ...]:
    """Pack the small ones of some files, when they are many. `places`: digest → file.

    Raises ServiceUnavailable when a file has other bytes than its digest says: it was changed meanwhile.
    """
    if len(places) < FEWEST:
        return ()
    with Packing(project) as packing:
        for digest, place in places.items():
            data = small_bytes(place)
            if data is None:
                continue
            if digest_bytes(data) != digest:
                what = f"{source}: {place}"
                raise ServiceUnavailable("a source changed while it was read", value=what, next="lockgate run")
            packing.add(digest, data)
        return packing.packs()


class Packing:
    """Makes packs of small files as they come, each as large as `PACK_BYTES` allows."""

    def __init__(self, project: Project) -> None:
        self._project, self._packs = project, list[Pack]()
        self._draft: Path | None = None
        self._file: IO[bytes] | None = None
        self._sizes: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """What is in no pack by now is not kept."""
        if self._file is not None and self._draft is not None:
            self._file.close()
            self._draft.unlink(missing_ok=True)

    def add(self, digest: str, data: bytes) -> None:
        """Take one more file; one that was taken already is left out."""
        if digest in self._sizes:
            return
        if self._file is None:
            self._draft = scratch_file(self._project)
            self._file = self._draft.open("wb")
        self._file.write(data)
        self._sizes[digest] = len(data)
        if self._file.tell() >= PACK_BYTES:
            self._close()

    def packs(self) -> tuple[Pack, ...]:
        """All of them, in the store now. A rest of fewer than `FEWEST` files makes none."""
        self._close()
        return tuple(self._packs)

    def _close(self) -> None:
        if self._file is None or self._draft is None or len(self._sizes) < FEWEST:
            return
        self._file.close()
        index = canonical([[d, n] for d, n in self._sizes.items()])
        self._packs.append(Pack(self._project.store.put(self._draft), keep_bytes(self._project, index)))
        self._file, self._sizes = None, {}


def again(project: Project, version: SourceVersion, places: Iterable[Path], wanted: str) -> Path | None:
    """Make a lost object of a pack from the files at hand: a draft with exactly its bytes, or None when one is missing.

    The members are those of its index; without it, the version's small files that no other pack has: so it was packed first.
    """
    pack = next((p for p in version.packs if wanted in p.objects), None)
    if pack is None:
        return None
    here = _small_files(places)
    try:
        digests, _ = _index(project.store, pack)
    except LockgateError:
        others = _members_of_others(project.store, version, pack)
        digests = list(dict.fromkeys(d for _, d in version.files if d in here and d not in others))
    if not all(d in here for d in digests):
        return None
    index = canonical([[d, here[d].stat().st_size] for d in digests])
    draft = scratch_file(project)
    with draft.open("wb") as file:
        file.writelines(
            [index] if digest_bytes(index) == wanted else map(Path.read_bytes, map(here.__getitem__, digests))
        )
    if digest_file(draft) == wanted:
        return draft
    draft.unlink()
    return None


def _small_files(places: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in places:
        with suppress(OSError):
            if (data := small_bytes(path)) is not None:
                found[digest_bytes(data)] = path
    return found


def _members_of_others(store: Store, version: SourceVersion, pack: Pack) -> set[str]:
    found: set[str] = set()
    for other in version.packs:
        with suppress(LockgateError):
            found.update(() if other == pack else _index(store, other)[0])
    return found


def _mapped(path: Path) -> mmap.mmap | bytes:
    """A pack's bytes, not all in memory at once. Nothing can be mapped of a pack of empty files."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _index(store: Store, pack: Pack) -> tuple[list[str], list[int]]:
    """The digests of a pack's files, and their sizes in bytes."""
    try:
        entries = json.loads(store.get(pack.index).read_bytes())
        digests, sizes = [d for d, _ in entries], [n for _, n in entries]
    except (ValueError, TypeError, RecursionError) as error:
        raise _no_index(pack) from error
    if (
        not isinstance(entries, list)
        or {*map(type, digests)} - {str}
        or {*map(type, sizes)} - {int}
        or min(sizes, default=0) < 0
    ):
        raise _no_index(pack)
    return digests, sizes


def _no_index(pack: Pack) -> IntegrityError:
    return IntegrityError(
        "not the index of a pack", value=pack.index, allowed="[[digest, size in bytes], …]",
        next="lockgate store check --heal",
    )  # fmt: skip


def small_bytes(path: Path | str) -> bytes | None:
    """A small file's content; None of a larger one."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(handle, SMALL_BYTES + 1)
    finally:
        os.close(handle)
    return data if len(data) <= SMALL_BYTES else None
