"""What we need from outside. At most six methods each; the laws stand in the docstrings.

Adapters resolve by name to `lockgate.adapters.NAME`; nobody imports one. `lockgate.testing` has in-memory
fakes with fault knobs, and checks that every adapter passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from lockgate.records.digest import Json
    from lockgate.records.held import Held, Lease
    from lockgate.records.ledger import Entry, Head
    from lockgate.records.statement import Envelope

__all__ = ["Leases", "Ledger", "Results", "Signer", "Source", "Store"]


class Store(Protocol):
    """Content-addressed bytes.

    Laws: `put` is idempotent and atomic, and what it returned survives a kill; an object's bytes have its
    digest, or `get` raises IntegrityError naming it; a digest that is not here raises NotFound. Putting what is
    there already makes it young again, for whoever collects garbage by age.
    """

    def put(self, path: Path) -> str:
        """Take over a finished file (it is moved or copied) and answer its `blake3:` digest."""
        ...

    def get(self, digest: str) -> Path:
        """Answer a readable file with exactly these bytes, checked now."""
        ...

    def has(self, digest: str) -> bool:
        """Say whether the object is here, without reading it."""
        ...

    def list(self) -> Iterator[str]:
        """Every digest held, in no order."""
        ...

    def delete(self, digest: str) -> None:
        """Forget an object; forgetting twice is no error."""
        ...

    def held(self) -> Iterator[Held]:
        """Every object with its size and age, without reading one."""
        ...


class Results(Protocol):
    """Small JSON records by key: fingerprint → result, graph key → graph, source → version.

    Laws: a record that was put is whole or absent; one that is damaged reads as absent (it may be lost,
    it is never trusted without the digests it names).
    """

    def get(self, key: str) -> Mapping[str, Json] | None:
        """The record under a key, or None."""
        ...

    def put(self, key: str, record: Mapping[str, Json]) -> None:
        """Write or replace the record under a key."""
        ...

    def held(self) -> Iterator[Held]:
        """Every record, read: damaged ones too, which `get` hides; their key may be only the end of it."""
        ...

    def delete(self, key: str) -> None:
        """Forget the record under a key, or a damaged one; forgetting twice is no error."""
        ...


class Leases(Protocol):
    """Who is doing what right now, among all that share a store.

    Laws: of any number that `take` at the same time one gets it; `renew` and `drop` do nothing for a lease that
    somebody else has taken since. A lease is advice: it saves work, it never guards data.
    """

    def take(self, name: str, lease: Lease, *, over: Lease | None = None) -> bool:
        """Take what nobody holds, or take it from the holder of `over`, seen before. False: somebody else was first."""
        ...

    def renew(self, name: str, lease: Lease, *, before: Lease) -> bool:
        """Replace our own lease. False: it is not ours any more."""
        ...

    def drop(self, name: str, lease: Lease) -> None:
        """Give it back."""
        ...

    def holder(self, name: str) -> Lease | None:
        """Who holds it; a lease that cannot be read is none."""
        ...

    def names(self) -> Iterator[str]:
        """Everything that is held, expired or not."""
        ...


class Ledger(Protocol):
    """The append-only, hash-chained, signed list of what was decided.

    Laws: what `append` answered is never lost or changed; `append` is a compare-and-swap on the head (MovedOn
    otherwise); a chain that does not hold raises IntegrityError naming the entry.
    """

    def head(self) -> Head:
        """How many entries there are and the digest of the last one."""
        ...

    def read(self, start: int = 0) -> Sequence[Entry]:
        """The entries from position `start`, chain checked."""
        ...

    def append(self, envelope: Envelope, *, after: Head, time: datetime) -> Entry:
        """Add one signed statement behind `after`; on disk when it returns."""
        ...


class Signer(Protocol):
    """A private key that signs and never leaves its holder."""

    def identity(self) -> str:
        """The key's OpenSSH fingerprint, `SHA256:…`."""
        ...

    def public_key(self) -> str:
        """The key as one OpenSSH line, `ssh-ed25519 AAAA…`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a DSSE pre-authentication encoding; raw ed25519, or DER ECDSA for P-256."""
        ...


class Source(Protocol):
    """Where data comes from.

    Laws: `files` lists the same names for the same content; bytes read later are the bytes that were listed,
    or the digest taken while reading tells.
    """

    def files(self) -> Sequence[tuple[str, Path]]:
        """Name and place of each file, sorted by name. Empty when the source does not exist here."""
        ...
