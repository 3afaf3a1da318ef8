"""What we need from outside. At most six methods each; the laws stand in the docstrings.

Adapters resolve by name to `lockgate.adapters.NAME`; nobody imports one. `lockgate.testing` has in-memory
fakes with fault knobs, and checks that every adapter passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from lockgate.records.digest import Json
    from lockgate.records.held import Held, Lease
    from lockgate.records.ledger import Entry, Head
    from lockgate.records.listing import Listing
    from lockgate.records.publication import Deployed, Publication, Published
    from lockgate.records.rows import Batch, Mark
    from lockgate.records.statement import Envelope

__all__ = ["Files", "Forge", "Leases", "Ledger", "Results", "Signer", "Sink", "Source", "Store", "Together"]


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

    def has(self, digest: str, *, sha256: str = "", size_bytes: int | None = None) -> bool:
        """Say whether the object is here, without reading it; and whether these are its bytes, as far as the place tells."""
        ...

    def list(self) -> Iterator[str]:
        """Every digest held, in no order."""
        ...

    def delete(self, *digests: str) -> None:
        """Forget objects, many at the price of one where that can be; forgetting twice is no error."""
        ...

    def held(self, *, read: bool = False) -> Iterator[Held]:
        """Every object with its size and age, without reading one; or each `read` where it lies, to say if it is whole."""
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

    def delete(self, *keys: str) -> None:
        """Forget the records under some keys, or damaged ones; forgetting twice is no error."""
        ...


class Together(Protocol):
    """Objects, and results that name them, stored as one group: the disk is waited for once.

    Laws: those of `Store.put` and `Results.put`, for all of them, when it returns; no result is there before every object is.
    """

    def put(self, objects: Mapping[str, bytes], results: Mapping[str, Mapping[str, Json]]) -> None:
        """Store bytes under their digests, and records under their keys."""
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

    def scheme(self) -> str:
        """How it signs: empty for raw signatures, `sshsig` for OpenSSH's form."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a DSSE pre-authentication encoding; raw ed25519, or DER ECDSA for P-256; or the SSHSIG blob over it."""
        ...


class Files(Protocol):
    """Named files that somebody else writes: a folder, a bucket.

    Laws: `files` lists the same names for the same content; bytes read later are the bytes that were listed,
    or the digest taken while reading tells.
    """

    def files(self) -> Listing:
        """What is there, looked at and not read. Empty when the source does not exist here."""
        ...


class Source(Protocol):
    """Rows behind a cursor: a table with a watermark, a log with offsets, a stream with sequence numbers.

    A cursor is a JSON value (a number, a text, partition → offset) that only its source understands; None stands
    before the first row. Laws: the rows up to a cursor stay the same for ever, so `read` with the same cursors
    gives the same rows in the same order, and `read(a, b)` then `read(b, c)` gives what `read(a, c)` gives. Nothing is
    acknowledged to the source: the reader keeps the cursor, in one record with the rows. A source that is not here
    raises NotFound, one that does not answer now ServiceUnavailable, one that broke these laws UsageError.
    """

    def newest(self, after: Json) -> Json:
        """The cursor behind the newest row; one cheap question. Raises when the source ends before `after`."""
        ...

    def read(self, after: Json, upto: Json) -> Iterator[Batch]:
        """The rows behind `after`, up to and including `upto`, in batches that fit into memory."""
        ...


class Sink(Protocol):
    """Where rows go to.

    Laws: `write` changes the rows and the mark in one transaction, both or neither, and writing what the mark already
    names changes nothing: so a repeat after a kill writes nothing twice.
    """

    def mark(self) -> Mark | None:
        """What was committed last; None when nothing was, or when it is gone."""
        ...

    def write(
        self, batches: Iterable[Batch], *, kinds: Sequence[tuple[str, str]], mark: Mark, after: Mark | None
    ) -> bool:
        """Write, and leave `mark`; False when it stood there already. MovedOn when the mark is not `after`.

        Args:
            batches: the rows, without those that `after` covers when the sink appends.
            kinds: (column, kind) with kind one of integer, real, text, blob.
        """
        ...


class Forge(Protocol):
    """Where people change, review and publish code: GitLab; another one is another file of adapters.

    Laws: what a call says is true of the forge when it returns. Every writing call may be made again, after any failure, and
    the end is the same as if it had been made once. Nothing here decides: a forge's word counts only where a policy takes it.
    PermissionRefused names the variable whose token lacks what is needed; ServiceUnavailable: nothing is lost, ask again.
    """

    def say(self, change: str, marker: str, text: str, *, turn: int = 0) -> str:
        """One note on a change request, found by its hidden marker and changed in place; answers its address.

        `turn`: a number that grows from pipeline to pipeline; 0: nobody knows. Raises MovedOn when the note is of a higher one.
        """
        ...

    def attach(self, path: Path) -> str:
        """Keep a file with the project's own attachments; answers what Markdown there can show. The one call that may double."""
        ...

    def job(self, number: str) -> Mapping[str, str]:
        """A job: job, name, pipeline, commit, ref, status, user (a number), login, started. Raises NotFound."""
        ...

    def published(self, name: str) -> Mapping[str, Sequence[str]]:
        """Version → the first hex digits of the release that has it, for everything published under a name.

        More than one where jobs began at the same time: the number is the first one's, unless `publish` says otherwise.
        """
        ...

    def publish(self, publication: Publication, files: Mapping[str, Path]) -> Published:
        """Files, model version and page of a release. Raises NumberTaken where the version is another release's."""
        ...

    def deployments(self, environment: str) -> Sequence[Deployed]:
        """What was deployed there, the newest last, each with what people said about it."""
        ...
