r"""The chain: each entry carries its own digest and the digest of the entry before it.

A line is canonical JSON `{"digest", "envelope", "prev", "seq", "time"}`; `digest` is the sha256 of the same line
without its `digest`, so a changed line names itself. By hand: `jq -cS 'del(.digest)' | tr -d '\n' | sha256sum`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.errors import IntegrityError, UsageError
from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.statement import Envelope

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EMPTY", "VERIFY", "Entry", "Head", "chain", "decode_line", "encode_line", "is_ancestor"]

VERIFY: Final = "lockgate ledger verify"
LONGEST_BYTES: Final = 4 << 20
"""Of a line, newline left out. A register of a thousand people has a tenth of it."""

_OPENING: Final = b'{"digest":"sha256:'
_HEX_END: Final = len(_OPENING) + 64
_BODY_START: Final = _HEX_END + len('",')


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A point in a ledger: how many entries, and the digest of the last one."""

    size: int
    digest: str


EMPTY: Final = Head(size=0, digest="sha256:" + "0" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a ledger. `seq` counts from 0; `time` is the appender's clock in UTC, chained but not signed."""

    seq: int
    prev: str
    time: datetime
    envelope: Envelope
    digest: str

    @property
    def head(self) -> Head:
        """The head of the ledger that ends with this entry."""
        return Head(size=self.seq + 1, digest=self.digest)


def chain(envelope: Envelope, *, after: Head, time: datetime) -> Entry:
    """Link an envelope behind a head. Raises UsageError for a time without zone or a payload that is no statement."""
    if time.utcoffset() is None:
        raise UsageError("a ledger entry's time needs a time zone", value=time.isoformat(), allowed="UTC")
    envelope.statement()
    time = time.astimezone(UTC)
    digest = sha256_bytes(canonical(_body(envelope, after=after, time=time)))
    return Entry(seq=after.size, prev=after.digest, time=time, envelope=envelope, digest=digest)


def encode_line(entry: Entry) -> bytes:
    """The entry as one line, newline included. Raises UsageError for one that no reader would take."""
    after = Head(size=entry.seq, digest=entry.prev)
    line = canonical({"digest": entry.digest, **_body(entry.envelope, after=after, time=entry.time)})
    if len(line) > LONGEST_BYTES:
        raise UsageError("too much for one ledger entry", value=f"{len(line)} bytes", allowed=f"{LONGEST_BYTES} bytes")
    return line + b"\n"


def _body(envelope: Envelope, *, after: Head, time: datetime) -> dict[str, Json]:
    return {"envelope": envelope.to_json(), "prev": after.digest, "seq": after.size, "time": time.isoformat()}


def decode_line(line: bytes, *, after: Head) -> Entry:
    """Read one line, without its newline, that must follow `after`. Raises IntegrityError naming the entry."""
    if len(line) > LONGEST_BYTES:
        raise IntegrityError(
            f"ledger entry {after.size} is too long", value=f"{len(line)} bytes", allowed=f"{LONGEST_BYTES} bytes", next=VERIFY
        )  # fmt: skip
    digest = _checked_digest(line, seq=after.size)
    try:
        data = cast("dict[str, Any]", json.loads(line))
        seq, prev, time = data["seq"], data["prev"], utc_time(data["time"])
        envelope = Envelope.from_json(data["envelope"])
    except (KeyError, TypeError, ValueError, RecursionError, OverflowError, IntegrityError) as error:
        raise IntegrityError(f"ledger entry {after.size} cannot be read", value=str(error), next=VERIFY) from error
    if (seq, prev) != (after.size, after.digest):
        raise IntegrityError(
            f"ledger entry {after.size} does not follow entry {after.size - 1}: an entry was removed, added or moved",
            value=f"seq {seq}, prev {prev}",
            allowed=f"seq {after.size}, prev {after.digest}",
            next=VERIFY,
        )
    return Entry(seq=seq, prev=prev, time=time, envelope=envelope, digest=digest)


def utc_time(text: str) -> datetime:
    """A moment as the chain writes it, with `+00:00`. Raises ValueError for any other zone: one moment, one text."""
    time = datetime.fromisoformat(text)
    if not text.endswith("+00:00"):
        message = f"{text} is not UTC, +00:00"
        raise ValueError(message)
    return time


def _checked_digest(line: bytes, *, seq: int) -> str:
    found = sha256_bytes(b"{" + line[_BODY_START:])
    written = "sha256:" + line[len(_OPENING) : _HEX_END].decode("ascii", "replace")
    if not line.startswith(_OPENING) or line[_HEX_END:_BODY_START] != b'",' or found != written:
        raise IntegrityError(f"ledger entry {seq} was changed", value=found, allowed=written, next=VERIFY)
    return found


def is_ancestor(head: Head, entries: Sequence[Entry]) -> bool:
    """Say whether the ledger of these entries (from position 0) grew out of `head`."""
    if head.size == 0:
        return head == EMPTY
    return 0 < head.size <= len(entries) and entries[head.size - 1].digest == head.digest
