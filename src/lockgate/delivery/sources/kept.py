"""Taking out a version's files that are no objects of their own: small ones lie in packs, large ones are made of pieces."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from lockgate.delivery.sources.packs import Pack, Packed
from lockgate.delivery.sources.pieces import Pieces, objects_of, parts_of
from lockgate.errors import IntegrityError
from lockgate.records.digest import verified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockgate.delivery.sources.versions import SourceVersion
    from lockgate.ports import Store

__all__ = ["Kept", "kept_here", "packs_here", "pieces_here"]


class Kept:
    """The files of some packs, and those that are made of pieces, by their digests.

    Raises NotFound for an object that is not in the store, IntegrityError for one whose bytes, or what lies in it, are not right.
    """

    def __init__(self, store: Store, packs: Iterable[Pack] = (), pieces: Mapping[str, Pieces] | None = None) -> None:
        self.packs, self.pieces, self._store = tuple(packs), dict(pieces or {}), store
        self.packed = Packed(store, self.packs)

    def __contains__(self, digest: str) -> bool:
        """Whether the file is one of these."""
        return digest in self.packed.members or digest in self.pieces

    def objects(self) -> tuple[str, ...]:
        """What must be in the store for these files, each once."""
        return tuple(dict.fromkeys((*(o for p in self.packs for o in p.objects), *objects_of(self.pieces.values()))))

    def size_bytes(self, digest: str) -> int:
        """How large a file is."""
        member = self.packed.members.get(digest)
        return member.size_bytes if member else sum(p.size_bytes for p in self.pieces[digest])

    def read(self, digest: str) -> bytes:
        """A file's bytes, checked."""
        return b"".join(self._parts(digest))

    def write(self, digest: str, place: str, *, mode: int = 0o444) -> None:
        """Make a file that is not there yet, of checked bytes; 50,000 small ones should not take long."""
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            _write_all(handle, self._parts(digest), place)
        except BaseException:
            os.unlink(place)
            raise
        finally:
            os.close(handle)

    def _parts(self, digest: str) -> Iterator[bytes]:
        """What is wrong with a large file is only known at its end."""
        if digest in self.packed.members:
            yield self.packed.read(digest)
            return
        try:
            yield from verified(parts_of(self._store, self.pieces[digest]), digest)
        except ValueError as error:
            raise IntegrityError(
                "the pieces of a file give other bytes", value=str(error), allowed=digest,
                next="lockgate store check --heal",
            ) from error  # fmt: skip


def kept_here(store: Store, version: SourceVersion | None) -> Kept:
    """What of a version lies in packs and pieces of which nothing is missing. Raises IntegrityError for a damaged index."""
    return Kept(store, packs_here(store, version), pieces_here(store, version))


def packs_here(store: Store, version: SourceVersion | None) -> tuple[Pack, ...]:
    """A version's packs that are in the store; damage is not looked for."""
    return tuple(p for p in (version.packs if version else ()) if all(map(store.has, p.objects)))


def pieces_here(store: Store, version: SourceVersion | None) -> dict[str, Pieces]:
    """A version's files in pieces whose objects are in the store; damage is not looked for."""
    pieces = version.pieces if version else {}
    return {d: p for d, p in pieces.items() if all(map(store.has, objects_of([p])))}


def _write_all(handle: int, parts: Iterator[bytes], place: str) -> None:
    for part in parts:
        if os.write(handle, part) < len(part):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
