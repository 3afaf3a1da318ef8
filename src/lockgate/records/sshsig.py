"""SSHSIG: the form in which ssh-agent, `ssh-keygen -Y` and hardware keys (`sk-`) sign.

A signature is the binary blob that OpenSSH armours, so that `ssh-keygen -Y verify` checks it by hand. What the key
signs is a wrapping of the message's sha512 under our namespace. A hardware key signs sha256(application), its flags
and a counter with it: no signature counts without the flag that a person touched it.

Formats: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig and PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "KEY_KINDS",
    "NAMESPACE",
    "SCHEME",
    "SK_KINDS",
    "Sshsig",
    "armoured",
    "der_of",
    "key_material",
    "needs_sshsig",
    "strings_of",
    "to_sign",
    "unarmoured",
    "verify",
]

SCHEME: Final = "sshsig"
NAMESPACE: Final = "dsse@lockgate.dev"
MAGIC: Final = b"SSHSIG"
SK_ED25519: Final = "sk-ssh-ed25519@openssh.com"
SK_ECDSA: Final = "sk-ecdsa-sha2-nistp256@openssh.com"
SK_KINDS: Final = (SK_ED25519, SK_ECDSA)
KEY_KINDS: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", *SK_KINDS)
TOUCHED: Final = 0x01
"""The flag of a hardware key that says a person was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshsig:
    """A signature as OpenSSH packs it. `key` and `signature` are blobs in SSH's wire form."""

    key: bytes
    namespace: str
    hash: str
    signature: bytes

    def packed(self) -> bytes:
        """The blob between the armour's lines."""
        texts = (self.namespace.encode(), b"", self.hash.encode())
        return MAGIC + struct.pack(">I", 1) + b"".join(_string(t) for t in (self.key, *texts, self.signature))

    @classmethod
    def read(cls, blob: bytes) -> Sshsig:
        """Read a blob; ValueError unless it is version 1 and nothing is left over."""
        if blob[:10] != MAGIC + struct.pack(">I", 1):
            message = "not an SSHSIG of version 1"
            raise ValueError(message)
        key, namespace, reserved, hashed, signature = strings_of(blob[10:], 5)
        if reserved:
            message = "SSHSIG has something in its reserved field"
            raise ValueError(message)
        return cls(key=key, namespace=namespace.decode(), hash=hashed.decode(), signature=signature)


def to_sign(message: bytes, *, hash: str = "sha512", namespace: str = NAMESPACE) -> bytes:
    """What the key signs for a message. ValueError for a hash that OpenSSH does not allow here."""
    if hash not in ("sha256", "sha512"):
        message_ = f"SSHSIG does not hash with {hash}"
        raise ValueError(message_)
    digest = hashlib.new(hash, message).digest()
    return MAGIC + b"".join(_string(t) for t in (namespace.encode(), b"", hash.encode(), digest))


def verify(blob: bytes, message: bytes, public_key: str) -> bool:
    """Say whether this public key (one OpenSSH line) signed the message as SSHSIG in our namespace."""
    try:
        found = Sshsig.read(blob)
        if found.key != _blob_of(public_key) or found.namespace != NAMESPACE:
            return False
        return _holds(found.signature, to_sign(message, hash=found.hash), public_key)
    except (ValueError, struct.error, UnicodeDecodeError, binascii.Error):
        return False


def key_material(kind: str, blob: bytes) -> bytes:
    """The bare public key in a key's blob: 32 bytes of ed25519, or an uncompressed point on P-256.

    ValueError unless the blob is exactly a key of this kind: another packing of the same key would be another
    fingerprint, and one key could stand under two names.
    """
    if kind not in KEY_KINDS:
        message = f"a key of the kind {kind!r}"
        raise ValueError(message)
    curve, application = "nistp256" in kind, kind in SK_KINDS
    first, *parts = strings_of(blob, 2 + curve + application)
    raw = parts[1] if curve else parts[0]
    fits = len(raw) == 65 and raw[0] == 4 and parts[0] == b"nistp256" if curve else len(raw) == 32
    if first != kind.encode() or not fits:
        message = f"a {kind} key that is packed in another way than OpenSSH does"
        raise ValueError(message)
    return raw


def needs_sshsig(public_key: str) -> bool:
    """Hardware keys sign in no other form."""
    return public_key.split(" ", maxsplit=1)[0] in SK_KINDS


def _holds(signature: bytes, message: bytes, public_key: str) -> bool:
    """Check the inner signature, `string kind, string signature`, and flags and counter of a hardware key behind them."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    kind, raw, rest = _two_strings(signature)
    key, kind_of_key, application = _key(public_key)
    if kind.decode() != kind_of_key:
        return False
    if kind_of_key in SK_KINDS:
        flags, counter = struct.unpack(">BI", rest)
        if not flags & TOUCHED:
            return False
        message = (
            hashlib.sha256(application).digest() + struct.pack(">BI", flags, counter) + hashlib.sha256(message).digest()
        )
    elif rest:
        return False
    try:
        _check(key, raw, message)
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check(key: Any, raw: bytes, message: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(der_of(raw), message, ec.ECDSA(hashes.SHA256()))
    else:
        key.verify(raw, message)


def der_of(raw: bytes) -> bytes:
    """An ECDSA signature in SSH's form (`mpint r, mpint s`) as DER."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    r, s = strings_of(raw, 2)
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))


@functools.lru_cache(maxsize=256)
def _key(public_key: str) -> tuple[Any, str, bytes]:
    """The key that checks, its kind, and the application of a hardware key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    blob = _blob_of(public_key)
    kind, *parts = _every_string(blob)
    if kind.decode() in ("ssh-ed25519", SK_ED25519):
        return ed25519.Ed25519PublicKey.from_public_bytes(parts[0]), kind.decode(), (*parts[1:], b"")[0]
    curve, point, *application = parts
    if curve != b"nistp256":
        message = f"the curve {curve!r} is not P-256"
        raise ValueError(message)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return key, kind.decode(), (*application, b"")[0]


def armoured(blob: bytes) -> str:
    """As `ssh-keygen -Y verify` reads it."""
    text = base64.b64encode(blob).decode()
    lines = [text[i : i + 70] for i in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def unarmoured(text: str) -> bytes:
    """The blob in what `ssh-keygen -Y sign` writes; ValueError when it is something else."""
    first, *lines, last = text.strip().splitlines()
    if (first, last) != ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"):
        message = "not an armoured SSH signature"
        raise ValueError(message)
    return base64.b64decode("".join(lines), validate=True)


def _blob_of(public_key: str) -> bytes:
    return base64.b64decode(public_key.split(" ")[1], validate=True)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def strings_of(data: bytes, count: int) -> list[bytes]:
    """So many strings of SSH's wire form, and nothing behind them; ValueError otherwise."""
    found = list(_every_string(data))
    if len(found) != count:
        message = f"{len(found)} parts where {count} should be"
        raise ValueError(message)
    return found


def _every_string(data: bytes) -> Iterator[bytes]:
    while data:
        part, data = _one_string(data)
        yield part


def _two_strings(data: bytes) -> tuple[bytes, bytes, bytes]:
    first, data = _one_string(data)
    second, data = _one_string(data)
    return first, second, data


def _one_string(data: bytes) -> tuple[bytes, bytes]:
    if len(data) < 4:
        message = "cut short"
        raise ValueError(message)
    (length,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + length:
        message = "cut short"
        raise ValueError(message)
    return data[4 : 4 + length], data[4 + length :]
