"""Signed checkpoints of a ledger, to be kept where who runs the ledger cannot reach: a chain alone is no witness against them.

A checkpoint says: at this size the ledger ended with this digest. A ledger that was rebuilt without an entry, however
well it is chained and signed, contradicts every checkpoint that came after the entry.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lockgate.errors import IntegrityError, UsageError
from lockgate.records.digest import canonical
from lockgate.records.ledger import Head
from lockgate.records.statement import PREDICATES, Envelope, Statement, seal, signature_holds

if TYPE_CHECKING:
    from lockgate.ports import Signer
    from lockgate.records.trust import Trusted

__all__ = ["Checkpoint", "Contradiction", "contradiction", "read_checkpoint", "sign_checkpoint"]

KIND: Final = PREDICATES + "checkpoint/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint says, and the envelope in which it says so."""

    head: Head
    trust_root: str
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Why a ledger and a checkpoint do not fit: the first `field`, the sentence, and who signed, if the ledger knows."""

    field: str
    why: str
    signer: str = ""


def sign_checkpoint(trusted: Trusted, signer: Signer) -> bytes:
    """The present head, signed; one line of JSON. UsageError for an empty ledger."""
    if trusted.head.size == 0:
        raise UsageError("an empty ledger has nothing to anchor", next="lockgate init")
    statement = Statement(
        predicate_type=KIND, subject_name="ledger", subject=trusted.head.digest,
        predicate={"size": trusted.head.size, "trust_root": trusted.root},
    )  # fmt: skip
    return canonical(seal(statement, signer).to_json()) + b"\n"


def read_checkpoint(data: bytes) -> Checkpoint:
    """Read one; IntegrityError when it is none. Nothing is checked yet."""
    try:
        envelope = Envelope.from_json(json.loads(data))
        statement = envelope.statement()
        size, root = statement.predicate["size"], statement.predicate["trust_root"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError("not a checkpoint of a ledger", value=repr(data[:60])) from error
    if statement.predicate_type != KIND or type(size) is not int or size < 1 or not isinstance(root, str):
        raise IntegrityError("not a checkpoint of a ledger", value=repr(data[:60]))
    return Checkpoint(head=Head(size=size, digest=statement.subject), trust_root=root, envelope=envelope)


def contradiction(checkpoint: Checkpoint, trusted: Trusted) -> Contradiction | None:
    """Hold a ledger against a checkpoint; None when the ledger grew out of what was signed."""
    head, size = checkpoint.head, len(trusted.said)
    owner = trusted.before(head.size).people.by_key().get(checkpoint.envelope.keyid)
    signed = owner is not None and signature_holds(checkpoint.envelope, owner[1])
    signer = owner[0].name if owner and signed else ""
    if checkpoint.trust_root != trusted.root:
        why = f"it is of a ledger with trust root {checkpoint.trust_root}; this one has {trusted.root or 'none'}"
        return Contradiction(field="trust_root", why=why, signer=signer)
    if head.size > size:
        why = f"the ledger had {head.size} entries then and has {size} now"
        return Contradiction(field="size", why=why, signer=signer)
    if (found := trusted.said[head.size - 1].entry.digest) != head.digest:
        why = f"entry {head.size - 1} was {head.digest} then and is {found} now"
        return Contradiction(field="head", why=why, signer=signer)
    if owner is None:
        return Contradiction(field="key", why=f"nobody had the key {checkpoint.envelope.keyid} at entry {head.size}")
    return None if signed else Contradiction(field="signature", why="the signature does not hold")
