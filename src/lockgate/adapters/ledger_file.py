"""The ledger as one file of JSON lines in a folder, which may be shared by many machines.

Appending takes a lock, checks the head, cuts a torn tail, writes one line and waits for the disk. Reading takes no
lock. A line without its newline was never acknowledged: readers skip it, the next append removes it. A `seen` file
outside the shared folder remembers the newest head, so that history cannot be shortened or rewritten behind a reader.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.durable import (
    append_line,
    locked,
    sync_directory,
    sync_file,
    write_atomic,
)
from lockgate.errors import IntegrityError, MovedOn, ServiceUnavailable
from lockgate.records.digest import canonical, short
from lockgate.records.ledger import (
    EMPTY,
    VERIFY,
    Entry,
    Head,
    chain,
    decode_line,
    encode_line,
    is_ancestor,
)
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lockgate.records.statement import Envelope

__all__ = ["FileLedger"]

FILE_NAME: Final = "ledger.jsonl"
LOCK_NAME: Final = "ledger.lock"


class FileLedger:
    """A `Ledger` in `folder`. `seen`: where this working copy keeps the last head it saw, if it does.

    Lines that were checked once are kept in memory; later calls read what was appended since, and that the last
    line they know is still in its place. A fresh process checks everything.
    """

    def __init__(self, folder: Path, *, seen: Path | None = None) -> None:
        self._path = folder / FILE_NAME
        self._lock = folder / LOCK_NAME
        self._seen = seen
        self._one_at_a_time = threading.RLock()
        self._entries: list[Entry] = []
        self._offset = 0
        self._last_line = b""

    def head(self) -> Head:
        """How many entries there are and the digest of the last one."""
        entries = self._current()
        return entries[-1].head if entries else EMPTY

    def read(self, start: int = 0) -> Sequence[Entry]:
        """The entries from position `start`, chain checked."""
        return tuple(self._current()[start:])

    def append(self, envelope: Envelope, *, after: Head, time: datetime) -> Entry:
        """Add one signed statement behind `after`; on disk when it returns. What is on disk is never called failed."""
        entry = chain(envelope, after=after, time=time)
        line = encode_line(entry)
        with self._one_at_a_time:
            self._write(line, after=after)
            self._entries.append(entry)
            self._offset += len(line)
            self._last_line = line
            self._note(after)
        return entry

    def _write(self, line: bytes, *, after: Head) -> None:
        try:
            with locked(self._lock):
                seen = self._read_seen()
                self._refresh()
                self._check(seen)
                if (head := self._known_head()) != after:
                    raise _moved_on(after, head)
                self._cut_torn_tail()
                append_line(self._path, line)
                if after == EMPTY:  # an earlier try may have died between creating the name and syncing it
                    sync_directory(self._path.parent)
        except OSError as error:
            raise ServiceUnavailable("cannot append to the ledger", value=f"{self._path}: {error}") from error

    def _current(self) -> list[Entry]:
        with self._one_at_a_time:
            try:
                seen = self._read_seen()  # before the ledger: it may grow in between, and another reader may note it
                try:
                    self._refresh()
                except IntegrityError:
                    self._look_again()
            except OSError as error:
                raise ServiceUnavailable("cannot read the ledger", value=f"{self._path}: {error}") from error
            self._check(seen)
            self._note(seen)
            return self._entries

    def _look_again(self) -> None:
        """A reader may meet an append that is removing a torn tail; under the lock there is none."""
        try:
            with locked(self._lock):
                self._refresh()
        except OSError:  # a folder that is mounted read-only
            self._refresh()

    def _known_head(self) -> Head:
        return self._entries[-1].head if self._entries else EMPTY

    def _refresh(self) -> None:
        """Check the lines behind those already known."""
        overlap = len(self._last_line)
        data = _read_from(self._path, self._offset - overlap)
        if data[:overlap] != self._last_line:
            raise IntegrityError("the ledger was rewritten while we read it", value=str(self._path), next=VERIFY)
        *lines, tail = data[overlap:].split(b"\n")
        _check_tail(tail, seq=len(self._entries) + len(lines))
        head = self._known_head()
        new: list[Entry] = []
        for line in lines:
            entry = decode_line(line, after=head)
            new.append(entry)
            head = entry.head
        self._entries.extend(new)
        self._offset += len(data) - overlap - len(tail)
        self._last_line = lines[-1] + b"\n" if lines else self._last_line

    def _cut_torn_tail(self) -> None:
        with suppress(FileNotFoundError):
            if self._path.stat().st_size > self._offset:
                os.truncate(self._path, self._offset)

    def _read_seen(self) -> Head:
        return _read_seen(self._seen) if self._seen else EMPTY

    def _check(self, seen: Head) -> None:
        """Hold what we read against the newest head seen here."""
        head = self._known_head()
        if not is_ancestor(seen, self._entries):
            raise IntegrityError(
                "the ledger was cut or rewritten behind what this working copy has seen",
                value=f"{head.size} entries, head {short(head.digest)}",
                allowed=f"a ledger that contains entry {seen.size - 1}, {seen.digest}",
                next=VERIFY,
            )

    def _note(self, seen: Head) -> None:
        """Note our head if it is newer. A note that cannot be written costs protection, never the work itself."""
        head = self._known_head()
        if self._seen is None or head.size <= seen.size:
            return
        with (
            suppress(OSError, IntegrityError, ServiceUnavailable),
            locked(self._seen.with_name(self._seen.name + ".lock")),
        ):
            newest = self._read_seen()  # another reader may have come further, or have met another history
            if head.size > newest.size and is_ancestor(newest, self._entries):
                sync_file(self._path)  # never remember what a power cut could still take away
                write_atomic(self._seen, canonical(to_json(head)))


def _moved_on(after: Head, head: Head) -> MovedOn:
    return MovedOn(
        "somebody else appended to the ledger first",
        value=f"head {head.size} {short(head.digest)}",
        allowed=f"head {after.size} {short(after.digest)}",
        next="run the command again",
    )


def _read_from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""


def _check_tail(tail: bytes, *, seq: int) -> None:
    """A torn tail is a line cut short. A whole object with something behind it lost its newline to damage."""
    try:
        _, end = json.JSONDecoder().raw_decode(tail.decode("utf-8", "replace"))
    except ValueError:
        return
    if end < len(tail.decode("utf-8", "replace")):
        raise IntegrityError(f"ledger entry {seq} was changed", value=repr(tail[-12:]), next=VERIFY)


def _read_seen(path: Path) -> Head:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return EMPTY
    except ValueError as error:
        raise IntegrityError("the last seen ledger head is damaged", value=str(path), next=VERIFY) from error
    return from_json(Head, data)
