"""The ledger in a bucket: one object per entry, written only where none is (`If-None-Match: *`).

Entries never change, so what was read once is kept on this machine; later reads ask for what came since, and that
the last entry known here is still in its place. `seen` remembers the newest head, as with a ledger in a file.
"""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING

from lockgate.abreast import at_once
from lockgate.adapters.s3.bucket import Bucket, Changed
from lockgate.durable import locked, write_atomic
from lockgate.errors import IntegrityError, MovedOn, ServiceUnavailable
from lockgate.records.digest import canonical, short
from lockgate.records.ledger import EMPTY, VERIFY, Entry, Head, chain, decode_line, encode_line, is_ancestor
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from lockgate.records.statement import Envelope

__all__ = ["S3Ledger"]


class S3Ledger:
    """A `Ledger` under `ledger/000000123.json`. `seen`: where this working copy keeps the last head it saw."""

    def __init__(self, url: str, *, seen: Path) -> None:
        self._bucket, self._seen = Bucket(url), seen
        self._cache = seen.with_name(f"{seen.name}-entries.jsonl")
        self._one_at_a_time = threading.RLock()
        self._entries: list[Entry] | None = None

    def head(self) -> Head:
        """How many entries there are and the digest of the last one."""
        return _head(self._current())

    def read(self, start: int = 0) -> Sequence[Entry]:
        """The entries from position `start`, chain checked."""
        return tuple(self._current()[start:])

    def append(self, envelope: Envelope, *, after: Head, time: datetime) -> Entry:
        """Add one signed statement behind `after`. Of two at the same time the bucket lets one through."""
        entry = chain(envelope, after=after, time=time)
        with self._one_at_a_time:
            if (head := self.head()) != after:
                raise _moved_on(after, head)
            self._write(entry)
            self._keep([*self._current()[: entry.seq], entry])
        return entry

    def _write(self, entry: Entry) -> None:
        line = encode_line(entry)
        try:
            self._bucket.write(_name(entry.seq), line, new=True)
        except (Changed, ServiceUnavailable) as error:
            there = self._bucket.read(_name(entry.seq))  # an answer may be lost after the write took effect
            if there is not None and there[0] == line:
                return
            if there is None and isinstance(error, ServiceUnavailable):
                raise
            raise _moved_on(Head(size=entry.seq, digest=entry.prev), None) from error

    def _current(self) -> list[Entry]:
        with self._one_at_a_time:
            seen = self._read_seen()
            known = self._entries if self._entries is not None else self._cached()
            known = known if self._still_there(known) else []
            found = self._new(known)
            if not is_ancestor(seen, found):
                raise IntegrityError(
                    "the ledger was cut or rewritten behind what this working copy has seen",
                    value=f"{len(found)} entries, head {short(_head(found).digest)}",
                    allowed=f"a ledger that contains entry {seen.size - 1}, {seen.digest}",
                    next=VERIFY,
                )
            if found is not self._entries:
                self._keep(found)
            return found

    def _still_there(self, known: list[Entry]) -> bool:
        if not known:
            return True
        there = self._bucket.read(_name(known[-1].seq))
        return there is not None and there[0] == encode_line(known[-1])

    def _new(self, known: list[Entry]) -> list[Entry]:
        """What came since; the same list when nothing did."""
        after = _name(len(known) - 1) if known else None
        names = [n for n, _, _ in self._bucket.list("ledger", after=after)]
        if not names:
            return known
        lines = list(at_once(self._bucket.read, sorted(names)))
        found, head = list(known), _head(known)
        for name, line in zip(sorted(names), lines, strict=True):
            if name != _name(head.size) or line is None:
                raise IntegrityError(f"ledger entry {head.size} is missing", value=name, next=VERIFY)
            entry = decode_line(line[0].removesuffix(b"\n"), after=head)
            found.append(entry)
            head = entry.head
        return found

    def _cached(self) -> list[Entry]:
        """What this machine read before; a damaged cache is read again from the bucket."""
        found: list[Entry] = []
        with contextlib.suppress(OSError, IntegrityError):
            for line in self._cache.read_bytes().splitlines():
                found.append(decode_line(line, after=_head(found)))
        return found

    def _keep(self, entries: list[Entry]) -> None:
        """Note entries and head. A note that cannot be written costs time and protection, never the work itself."""
        self._entries = entries
        with contextlib.suppress(OSError, IntegrityError), locked(self._seen.with_name(self._seen.name + ".lock")):
            newest = self._read_seen()
            if len(entries) > newest.size and is_ancestor(newest, entries):
                write_atomic(self._seen, canonical(to_json(_head(entries))))
                write_atomic(self._cache, b"".join(encode_line(e) for e in entries), sync=False)

    def _read_seen(self) -> Head:
        try:
            return from_json(Head, json.loads(self._seen.read_bytes()))
        except FileNotFoundError:
            return EMPTY
        except ValueError as error:
            raise IntegrityError("the last seen ledger head is damaged", value=str(self._seen), next=VERIFY) from error


def _head(entries: Sequence[Entry]) -> Head:
    return entries[-1].head if entries else EMPTY


def _name(seq: int) -> str:
    return f"ledger/{seq:09d}.json"


def _moved_on(after: Head, head: Head | None) -> MovedOn:
    return MovedOn(
        "somebody else appended to the ledger first",
        value=f"head {head.size} {short(head.digest)}" if head else f"entry {after.size} is another one",
        allowed=f"head {after.size} {short(after.digest)}",
        next="run the command again",
    )
