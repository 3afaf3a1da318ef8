"""A large file whose version before is kept: what is new of it is one object, and pieces of objects make it up.

A piece is a stretch of an object's bytes. Pieces lie in objects and never in files that are made of pieces themselves,
so the hundredth version of a file is read as fast as the second.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from lockgate.delivery.put import scratch_file
from lockgate.delivery.sources.matching import Stretch, stretches
from lockgate.errors import IntegrityError
from lockgate.records.digest import Json, digest_parts

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from pathlib import Path

    from lockgate.delivery.sources.matching import Bytes
    from lockgate.ports import Store
    from lockgate.project import Project

__all__ = [
    "LARGE_BYTES", "MOST_PIECES", "Piece", "Pieces", "again", "keep_pieces", "objects_of", "parts_of", "pieces_in", "stretch_of", "whole",
]  # fmt: skip

LARGE_BYTES = 1 << 20
"""A smaller file is an object of its own, or packed."""
MOST_PIECES = 20_000
NEW_SHARE = 2
"""A file of which more than one byte in so many is new is kept whole."""
WASTE = 2
"""So is one whose pieces lie in objects of more than so many times its size: without it, those can go one day."""
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """`size_bytes` of an object, from `start` on."""

    object: str
    start: int
    size_bytes: int


Pieces = tuple[Piece, ...]
"""A file: these, one after the other."""


def pieces_in(record: Mapping[str, Json]) -> dict[str, Pieces]:
    """File → pieces, as a source's record has them; others may write it, so what is not in this form counts as none."""
    found = record.get("pieces") or {}
    if not isinstance(found, dict) or not all(isinstance(p, list) and all(map(_is_piece, p)) for p in found.values()):
        return {}
    return {file: tuple(Piece(*p) for p in pieces) for file, pieces in found.items()}


def objects_of(pieces: Iterable[Pieces]) -> tuple[str, ...]:
    """The objects that some files' pieces lie in, each once."""
    return tuple(dict.fromkeys(p.object for each in pieces for p in each))


def whole(store: Store, digest: str) -> Pieces:
    """An object as one piece. Raises NotFound, IntegrityError."""
    return (Piece(digest, 0, store.get(digest).stat().st_size),)


def parts_of(store: Store, pieces: Pieces) -> Iterator[bytes]:
    """A file's bytes, a block at a time. Raises NotFound, and IntegrityError for an object that is damaged or too short."""
    objects = {d: store.get(d) for d in objects_of([pieces])}
    for piece in pieces:  # one object open at a time: after years of rows appended they are thousands
        with _opened(objects[piece.object]) as data:
            end = piece.start + piece.size_bytes
            if end > len(data):
                raise IntegrityError(
                    "a piece of a file ends behind its object", value=f"{piece}", allowed=f"{len(data)}"
                )
            yield from _blocks(data, piece.start, end)


def keep_pieces(project: Project, place: Path, *, before: Pieces) -> tuple[str, Pieces] | None:
    """Keep what a file has that its version before has not. Answers digest and pieces; None when it is better kept whole.

    The digest is that of what the pieces give: when the file changes while it is read, that of no file, and the pieces
    still give just that.
    """
    if sum(p.size_bytes for p in before) > WASTE * place.stat().st_size:
        return None
    draft = scratch_file(project)
    try:
        with _content(project, before) as old, _opened(place) as new:
            size_bytes, same = len(new), _worth_it(old, new)
            if same is None:
                return None
            with draft.open("wb") as file:
                for start, end in _gaps(same, size_bytes):
                    file.writelines(_blocks(new, start, end))
        new_bytes = project.store.put(draft) if draft.stat().st_size else ""
        pieces = _composed(same, size_bytes, before=before, new=new_bytes)
    finally:
        draft.unlink(missing_ok=True)
    if (
        len(pieces) > MOST_PIECES
        or sum(project.store.get(d).stat().st_size for d in objects_of([pieces])) > WASTE * size_bytes
    ):
        return None
    return digest_parts(parts_of(project.store, pieces)), pieces


def stretch_of(pieces: Pieces, start: int, end: int) -> Pieces:
    """What of a file lies between two places in it, as pieces; nothing is copied.

    >>> stretch_of((Piece("a", 0, 5), Piece("b", 7, 5)), 3, 8)
    (Piece(object='a', start=3, size_bytes=2), Piece(object='b', start=7, size_bytes=3))
    """
    return tuple(_cut(pieces, (0, *accumulate(p.size_bytes for p in pieces)), start, end))


def again(pieces: Pieces, place: Path, wanted: str) -> Iterator[bytes]:
    """The bytes of a lost object, as far as a file that is made of these pieces has them."""
    starts = (0, *accumulate(p.size_bytes for p in pieces))
    with _opened(place) as data:
        mine = sorted(
            (p.start, start, start + p.size_bytes)
            for p, start in zip(pieces, starts, strict=False)
            if p.object == wanted
        )
        for _, start, end in mine:
            yield from _blocks(data, start, end)


def _is_piece(entry: Json) -> bool:
    return isinstance(entry, list) and [type(x) for x in entry] == [str, int, int] and min(entry[1:]) >= 0


def _worth_it(old: Bytes, new: Bytes) -> tuple[Stretch, ...] | None:
    """The stretches that both have; None when they are too many, or too little."""
    same: list[Stretch] = []
    for stretch in stretches(old, new):
        same.append(stretch)
        if len(same) > MOST_PIECES:
            return None
    return tuple(same) if sum(s.size_bytes for s in same) * NEW_SHARE >= len(new) else None


def _gaps(same: tuple[Stretch, ...], size_bytes: int) -> Iterator[tuple[int, int]]:
    """From where to where a file has something of its own."""
    starts, ends = (0, *(s.end for s in same)), (*(s.start for s in same), size_bytes)
    return ((start, end) for start, end in zip(starts, ends, strict=True) if start < end)


def _composed(same: tuple[Stretch, ...], size_bytes: int, *, before: Pieces, new: str) -> Pieces:
    """Stretches of the version before by the objects that they lie in, and between them what is new, from its start on."""
    starts = (0, *accumulate(p.size_bytes for p in before))
    found: list[Piece] = []
    at = written = 0
    for stretch in (*same, Stretch(size_bytes, 0, 0)):
        if at < stretch.start:
            found.append(Piece(new, written, stretch.start - at))
            written += stretch.start - at
        found += _cut(before, starts, stretch.before, stretch.before + stretch.size_bytes)
        at = stretch.end
    return tuple(found)


def _cut(pieces: Pieces, starts: tuple[int, ...], start: int, end: int) -> Iterator[Piece]:
    """What of a file's pieces lies between two places in it."""
    number = bisect_right(starts, start) - 1
    while start < end:
        piece, into = pieces[number], start - starts[number]
        size_bytes = min(piece.size_bytes - into, end - start)
        if size_bytes:
            yield Piece(piece.object, piece.start + into, size_bytes)
        number, start = number + 1, start + size_bytes


@contextmanager
def _content(project: Project, pieces: Pieces) -> Generator[_Opened]:
    """A kept file's bytes, one behind the other."""
    if len(pieces) == 1 and pieces == whole(project.store, pieces[0].object):
        with _opened(project.store.get(pieces[0].object)) as data:
            yield data
        return
    draft = scratch_file(project)
    try:
        with draft.open("wb") as file:
            file.writelines(parts_of(project.store, pieces))
        with _opened(draft) as data:
            yield data
    finally:
        draft.unlink(missing_ok=True)


class _Opened:
    """A file's bytes by slices. Not mapped: when somebody cuts a mapped file short, whoever reads on is killed."""

    def __init__(self, handle: int) -> None:
        self._handle, self._size_bytes = handle, os.fstat(handle).st_size

    def __len__(self) -> int:
        return self._size_bytes

    def __getitem__(self, at: slice) -> bytes:
        start, end, _ = at.indices(self._size_bytes)
        return os.pread(self._handle, max(0, end - start), start)


@contextmanager
def _opened(path: Path) -> Generator[_Opened]:
    with path.open("rb", buffering=0) as file:
        yield _Opened(file.fileno())


def _blocks(data: Bytes, start: int, end: int) -> Iterator[bytes]:
    end = min(end, len(data))
    return (data[at : min(at + BLOCK_BYTES, end)] for at in range(start, end, BLOCK_BYTES))
