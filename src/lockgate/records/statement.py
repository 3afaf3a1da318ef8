"""Signed statements: in-toto Statement v1 inside a DSSE envelope with exactly one signature.

What is signed is the pre-authentication encoding (PAE), so the kind of payload is covered too. A signature is raw
ed25519, or ECDSA P-256 over sha256 in DER; both are checkable with openssl. Where its `scheme` is `sshsig` it is an
SSHSIG over the PAE, checkable with ssh-keygen; hardware keys sign in no other form. `cryptography` is loaded on first use.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.errors import IntegrityError, UsageError
from lockgate.records import sshsig
from lockgate.records.digest import Json, canonical, sha256_bytes

if TYPE_CHECKING:
    from lockgate.ports import Signer

__all__ = [
    "PAYLOAD_TYPE",
    "PREDICATES",
    "STATEMENT_TYPE",
    "Envelope",
    "Statement",
    "fingerprint",
    "material",
    "pae",
    "plain_key",
    "seal",
    "signature_holds",
]

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
PREDICATES: Final = "https://lockgate.dev/attestation/"
DEEPEST: Final = 64
"""Nesting of a payload. Readers walk it by recursion, in depths that differ; no statement of ours has ten."""

KEY_KINDS: Final = sshsig.KEY_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said (`predicate`, of kind `predicate_type`) about one thing (`subject_name`, `subject`).

    `subject` is a digest as the house writes it, `sha256:<hex>`; on the wire it is `{"sha256": "<hex>"}`.
    """

    predicate_type: str
    subject_name: str
    subject: str
    predicate: Mapping[str, Json]

    def encoded(self) -> bytes:
        """The payload that gets signed: canonical JSON."""
        algorithm, _, value = self.subject.partition(":")
        return canonical(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": self.subject_name, "digest": {algorithm: value}}],
                "predicateType": self.predicate_type,
                "predicate": dict(self.predicate),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with one signature over its PAE. `keyid` is a hint: only a registered key decides.

    `scheme` is empty for a raw signature, `sshsig` for one in OpenSSH's form; it is a hint, too.
    """

    payload: bytes
    keyid: str
    signature: bytes
    payload_type: str = PAYLOAD_TYPE
    scheme: str = ""

    def to_json(self) -> dict[str, Json]:
        """DSSE's own JSON form; `scheme` stands beside `sig`, where DSSE lets readers pass by what they do not know."""
        signature = {"keyid": self.keyid, "sig": base64.b64encode(self.signature).decode()}
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{**signature, "scheme": self.scheme} if self.scheme else signature],
        }

    @classmethod
    def from_json(cls, data: Json) -> Envelope:
        """Read DSSE JSON; IntegrityError unless it holds exactly one signature."""
        try:
            (signature,) = data["signatures"]
            keyid, payload_type, scheme = signature["keyid"], data["payloadType"], signature.get("scheme", "")
            payload, raw = _unbase64(data["payload"]), _unbase64(signature["sig"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError("not a DSSE envelope with one signature", value=repr(data)[:80]) from error
        if not all(isinstance(text, str) for text in (keyid, payload_type, scheme)):
            raise IntegrityError("a DSSE envelope's keyid, payloadType and scheme are text", value=repr(data)[:80])
        return cls(payload=payload, keyid=keyid, signature=raw, payload_type=payload_type, scheme=scheme)

    def statement(self) -> Statement:
        """Decode the payload without checking the signature. Raises IntegrityError when it is not in-toto v1."""
        try:
            data = cast("dict[str, Any]", json.loads(self.payload))
            (subject,) = data["subject"]
            ((algorithm, value),) = subject["digest"].items()
            predicate, parts = data["predicate"], (subject["name"], data["predicateType"], algorithm, value)
            known = self.payload_type == PAYLOAD_TYPE and data["_type"] == STATEMENT_TYPE
            canonical(
                data
            )  # what has no canonical form (NaN, half a surrogate pair) would stop whoever digests it later
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise _not_a_statement(self) from error
        if (
            not known
            or not isinstance(predicate, dict)
            or not all(isinstance(p, str) for p in parts)
            or _too_deep(data)
        ):
            raise _not_a_statement(self)
        return Statement(
            predicate_type=parts[1],
            subject_name=parts[0],
            subject=f"{algorithm}:{value}",
            predicate=cast("dict[str, Json]", predicate),
        )

    @property
    def payload_digest(self) -> str:
        """sha256 of what was signed; the same for every signature somebody may make over it."""
        return sha256_bytes(self.payload)


def _too_deep(value: Json) -> bool:
    """Whether lists and objects lie in each other more than `DEEPEST` times."""
    level: list[Json] = [value]
    for _ in range(DEEPEST):
        inner = [list(v.values()) if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [item for items in inner for item in items]
        if not level:
            return False
    return True


def _not_a_statement(envelope: Envelope) -> IntegrityError:
    return IntegrityError("not an in-toto Statement v1 about one subject", value=envelope.payload_digest)


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE v1 pre-authentication encoding, https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(statement: Statement, signer: Signer) -> Envelope:
    """Sign a statement."""
    payload = statement.encoded()
    signature = signer.sign(pae(PAYLOAD_TYPE, payload))
    return Envelope(payload=payload, keyid=signer.identity(), signature=signature, scheme=signer.scheme())


def signature_holds(envelope: Envelope, public_key: str) -> bool:
    """Say whether this OpenSSH public key made the envelope's signature; a key that cannot be read made none."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    signed = pae(envelope.payload_type, envelope.payload)
    if envelope.scheme == sshsig.SCHEME:
        return sshsig.verify(envelope.signature, signed, public_key)
    if envelope.scheme or sshsig.needs_sshsig(public_key):
        return False
    try:
        key, extra = _verifier(public_key)
        key.verify(envelope.signature, signed, *extra)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, UsageError):
        return False
    return True


@functools.lru_cache(maxsize=256)
def _verifier(public_key: str) -> tuple[Any, tuple[Any, ...]]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    key = load_ssh_public_key(plain_key(public_key).encode())
    return key, (ec.ECDSA(hashes.SHA256()),) if isinstance(key, ec.EllipticCurvePublicKey) else ()


def plain_key(public_key: str) -> str:
    """One OpenSSH public key line without its comment. Raises UsageError for another kind of key.

    >>> plain_key("ssh-rsa AAAA me@home")
    Traceback (most recent call last):
    ...
    lockgate.errors.UsageError: not a public key that can sign here: ssh-rsa AAAA me@home
      allowed: one line that starts with ssh-ed25519, ecdsa-sha2-nistp256, sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com
      next:    ssh-keygen -t ed25519 -f NEW_KEY
    """
    kind, _, rest = public_key.strip().partition(" ")
    blob = rest.split(" ")[0]
    try:
        sshsig.key_material(kind, _unbase64(blob))
    except (binascii.Error, ValueError):
        raise UsageError(
            "not a public key that can sign here",
            value=public_key.strip()[:120],
            allowed=f"one line that starts with {', '.join(KEY_KINDS[:-1])} or {KEY_KINDS[-1]}",
            next="ssh-keygen -t ed25519 -f NEW_KEY",
        ) from None
    return f"{kind} {blob}"


@functools.lru_cache(maxsize=256)
def fingerprint(public_key: str) -> str:
    """The key's OpenSSH fingerprint, as `ssh-keygen -l` prints it: `SHA256:<base64>`."""
    blob = _unbase64(plain_key(public_key).split(" ")[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def material(public_key: str) -> bytes:
    """The bare key: the same however its line is written, also when it is said to be a hardware key's."""
    kind, blob = plain_key(public_key).split(" ")
    return sshsig.key_material(kind, _unbase64(blob))
