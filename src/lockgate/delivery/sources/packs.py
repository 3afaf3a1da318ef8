"""Packs: many small files of a source as two objects of the store, instead of one object (and one sync) each.

A pack is the files' bytes one after the other; its index, JSON, says which file lies where: [[digest, size in bytes], …].
Both are named by their digests like every object, and a file is checked again when it is taken out.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.keep import keep_bytes, scratch_file
from lockgate.errors import IntegrityError, LockgateError, ServiceUnavailable
from lockgate.records.digest import Json, canonical, digest_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.ports import Store
    from lockgate.project import Project

__all__ = ["Member", "Pack", "Packed", "again", "keep_packs", "packs_in"]

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


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file lies."""

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
            start = 0
            for digest, size_bytes in _index(store, pack):
                self.members[digest] = Member(pack, start, size_bytes)
                start += size_bytes

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
    small = ((d, _small_bytes(path), path) for d, path in places.items())
    return tuple(
        Pack(project.store.put(draft), keep_bytes(project, canonical(index)))
        for draft, index in _drafts(project, _checked(small, source))
    )


def again(project: Project, record: Mapping[str, Json], places: Iterable[Path], wanted: str) -> Path | None:
    """Make a lost object of a pack from the files at hand: a draft with exactly its bytes, or None when one is missing.

    The members are those of its index; without it, the record's small files that no other pack has: so it was packed first.
    """
    by_digest: dict[str, bytes] = {}
    for path in places:
        with suppress(OSError):
            if (data := _small_bytes(path)) is not None:
                by_digest[digest_bytes(data)] = data
    pack = next((p for p in packs_in(record) if wanted in p.objects), None)
    if pack is None:
        return None
    try:
        digests = [d for d, _ in _index(project.store, pack)]
    except LockgateError:
        others = _members_of_others(project.store, record, pack)
        digests = list(dict.fromkeys(d for _, d in record["files"] if d in by_digest and d not in others))
    if not all(d in by_digest for d in digests):
        return None
    data = b"".join(by_digest[d] for d in digests)
    index = canonical([[d, len(by_digest[d])] for d in digests])
    found = next((b for b in (data, index) if digest_bytes(b) == wanted), None)
    if found is None:
        return None
    draft = scratch_file(project)
    draft.write_bytes(found)
    return draft


def _members_of_others(store: Store, record: Mapping[str, Json], pack: Pack) -> set[str]:
    found: set[str] = set()
    for other in packs_in(record):
        with suppress(LockgateError):
            found.update(d for d, _ in (() if other == pack else _index(store, other)))
    return found


def _mapped(path: Path) -> mmap.mmap | bytes:
    """A pack's bytes, not all in memory at once. Nothing can be mapped of a pack of empty files."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _index(store: Store, pack: Pack) -> list[tuple[str, int]]:
    try:
        entries = json.loads(store.get(pack.index).read_bytes())
    except ValueError as error:
        raise _no_index(pack) from error
    if not isinstance(entries, list) or not all(_is_entry(e) for e in entries):
        raise _no_index(pack)
    return [(d, n) for d, n in entries]


def _is_entry(entry: object) -> bool:
    return isinstance(entry, list) and [type(x) for x in entry] == [str, int] and entry[1] >= 0


def _no_index(pack: Pack) -> IntegrityError:
    return IntegrityError(
        "not the index of a pack", value=pack.index, allowed="[[digest, size in bytes], …]",
        next="lockgate store check --heal",
    )  # fmt: skip


def _small_bytes(path: Path | str) -> bytes | None:
    """A small file's content; None of a larger one."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(handle, SMALL_BYTES + 1)
    finally:
        os.close(handle)
    return data if len(data) <= SMALL_BYTES else None


def _checked(files: Iterable[tuple[str, bytes | None, str]], source: str) -> Iterator[tuple[str, bytes]]:
    for digest, data, path in files:
        if data is None:
            continue
        if digest_bytes(data) != digest:
            raise ServiceUnavailable(
                "a source changed while it was read", value=f"{source}: {path}", next="lockgate run"
            )
        yield digest, data


def _drafts(project: Project, files: Iterator[tuple[str, bytes]]) -> Iterator[tuple[Path, list[list[Json]]]]:
    """Files with up to `PACK_BYTES`, each with its index; fewer than `FEWEST` files make none."""
    ended = False
    while not ended:
        draft, index, size_bytes = scratch_file(project), list[list[Json]](), 0
        try:
            with draft.open("wb") as pack:
                for digest, data in files:
                    pack.write(data)
                    index.append([digest, len(data)])
                    size_bytes += len(data)
                    if size_bytes >= PACK_BYTES:
                        break
                else:
                    ended = True
            if len(index) >= FEWEST:
                yield draft, index
        finally:
            draft.unlink(missing_ok=True)  # the store has taken it over, unless it is none
