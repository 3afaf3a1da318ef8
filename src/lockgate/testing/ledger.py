"""A ledger in memory with knobs to fail, a signer without a file, and the exam that every ledger passes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lockgate.errors import LockgateError, MovedOn, ServiceUnavailable, UsageError
from lockgate.records.ledger import EMPTY, Entry, Head, chain
from lockgate.records.statement import (
    PREDICATES,
    Envelope,
    Statement,
    fingerprint,
    plain_key,
    seal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockgate.ports import Ledger

__all__ = ["LEDGER_CHECKS", "MemoryLedger", "MemorySigner"]

NOON: Final = datetime(2011, 10, 15, 12, tzinfo=UTC)


class MemoryLedger:
    """A `Ledger` that forgets when the process ends.

    Knobs, each counted down by the call that it fails:
        unavailable: calls that raise ServiceUnavailable and do nothing.
        lost_answers: appends that take effect and then raise ServiceUnavailable.
        rivals: envelopes of somebody else; the next append finds that one of them came first.
    """

    def __init__(self, *, unavailable: int = 0, lost_answers: int = 0, rivals: Sequence[Envelope] = ()) -> None:
        self.entries: list[Entry] = []
        self.unavailable = unavailable
        self.lost_answers = lost_answers
        self.rivals = list(rivals)

    def head(self) -> Head:
        """How many entries there are and the digest of the last one."""
        self._fail_if_told()
        return self._head()

    def read(self, start: int = 0) -> Sequence[Entry]:
        """The entries from position `start`."""
        self._fail_if_told()
        return tuple(self.entries[start:])

    def append(self, envelope: Envelope, *, after: Head, time: datetime) -> Entry:
        """Add one signed statement behind `after`."""
        self._fail_if_told()
        if self.rivals:
            self.entries.append(chain(self.rivals.pop(0), after=self._head(), time=time))
        if after != self._head():
            raise MovedOn("somebody else appended to the ledger first", value=f"head {self._head().size}")
        entry = chain(envelope, after=after, time=time)
        self.entries.append(entry)
        if self.lost_answers:
            self.lost_answers -= 1
            raise ServiceUnavailable("the ledger's answer was lost")
        return entry

    def _head(self) -> Head:
        return self.entries[-1].head if self.entries else EMPTY

    def _fail_if_told(self) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise ServiceUnavailable("the ledger does not answer")


class MemorySigner:
    """A `Signer` whose ed25519 key is made from its name: the same in every run, and no secret at all."""

    def __init__(self, name: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self._public = plain_key(self._key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())

    def identity(self) -> str:
        """The key's OpenSSH fingerprint, `SHA256:…`."""
        return fingerprint(self._public)

    def public_key(self) -> str:
        """The key as one OpenSSH line."""
        return self._public

    def scheme(self) -> str:
        """It signs raw."""
        return ""

    def sign(self, message: bytes) -> bytes:
        """Sign with raw ed25519."""
        return self._key.sign(message)


def _envelope(word: str) -> Envelope:
    statement = Statement(
        predicate_type=PREDICATES + "exam/v1",
        subject_name="exam",
        subject="sha256:" + hashlib.sha256(word.encode()).hexdigest(),
        predicate={"word": word},
    )
    return seal(statement, MemorySigner("exam"))


def _starts_empty(make: Callable[[], Ledger]) -> None:
    ledger = make()
    assert ledger.head() == EMPTY
    assert tuple(ledger.read()) == ()


def _reads_what_was_appended(make: Callable[[], Ledger]) -> None:
    ledger = make()
    first = ledger.append(_envelope("one"), after=EMPTY, time=NOON)
    second = ledger.append(_envelope("two"), after=first.head, time=NOON)
    assert tuple(ledger.read()) == (first, second)
    assert tuple(ledger.read(1)) == (second,)
    assert tuple(ledger.read(2)) == ()
    assert ledger.head() == second.head
    assert (second.seq, second.prev) == (1, first.digest)


def _refuses_a_stale_head(make: Callable[[], Ledger]) -> None:
    ledger = make()
    first = ledger.append(_envelope("one"), after=EMPTY, time=NOON)
    for stale in (EMPTY, Head(size=1, digest=EMPTY.digest), Head(size=2, digest=first.digest)):
        assert _refused(lambda stale=stale: ledger.append(_envelope("two"), after=stale, time=NOON)) is MovedOn
    assert tuple(ledger.read()) == (first,)


def _refuses_rubbish(make: Callable[[], Ledger]) -> None:
    ledger = make()
    rubbish = Envelope(payload=b"{}", keyid="nobody", signature=b"")
    assert _refused(lambda: ledger.append(rubbish, after=EMPTY, time=NOON)) is not None
    naive = NOON.replace(tzinfo=None)
    assert _refused(lambda: ledger.append(_envelope("one"), after=EMPTY, time=naive)) is UsageError
    assert ledger.head() == EMPTY


def _refused(act: Callable[[], object]) -> type[LockgateError] | None:
    try:
        act()
    except LockgateError as error:
        return type(error)
    return None


LEDGER_CHECKS: Final = (_starts_empty, _reads_what_was_appended, _refuses_a_stale_head, _refuses_rubbish)
