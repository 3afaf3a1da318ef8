"""Private keys in OpenSSH files: ed25519 or P-256, readable by their owner only."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Literal

from lockgate.durable import sync_directory, write_atomic
from lockgate.errors import NotFound, PermissionRefused, UsageError
from lockgate.records.statement import fingerprint, plain_key

__all__ = ["FileSigner", "create_key"]


class FileSigner:
    """A `Signer` from an OpenSSH private key file. The key is read once; it never appears in a message."""

    def __init__(self, path: Path) -> None:
        self._key = _load(path, _read_private(path))
        self._public = _public_line(self._key)

    def identity(self) -> str:
        """The key's OpenSSH fingerprint, `SHA256:…`."""
        return fingerprint(self._public)

    def public_key(self) -> str:
        """The key as one OpenSSH line, without a comment."""
        return self._public

    def scheme(self) -> str:
        """It signs raw: checkable with openssl."""
        return ""

    def sign(self, message: bytes) -> bytes:
        """Raw ed25519, or DER ECDSA over sha256 for P-256."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        return self._key.sign(message)


def create_key(path: Path, *, kind: Literal["ed25519", "p256"] = "ed25519", comment: str = "") -> FileSigner:
    """Make a key pair: `path` (0600) and `path.pub`. An existing file is never overwritten (UsageError)."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, s.NoEncryption())
    line = f"{_public_line(key)} {comment}".strip() + "\n"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        raise _already_there(path)
    # The public half first: whoever has the key has both, however this ends.
    write_atomic(path.with_name(path.name + ".pub"), line.encode())
    _write_new(path, private)
    return FileSigner(path)


def _already_there(path: Path) -> UsageError:
    return UsageError(
        "a key is already there and will not be overwritten",
        value=str(path),
        allowed=f"a path that does not exist; or, if this is the key that is meant, --key {path}.pub",
        next=f"ssh-keygen -l -f {path}",
    )


def _write_new(path: Path, data: bytes) -> None:
    """Give the finished file its name only if nobody has it: `link` fails where a rename would overwrite."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    write_atomic(temporary, data, mode=0o600)
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise _already_there(path) from error
    finally:
        os.unlink(temporary)
    sync_directory(path.parent)


def _read_private(path: Path) -> bytes:
    """The file's bytes, from one open file whose owner and mode were checked."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise NotFound(
            "there is no key here", value=str(path), allowed="an OpenSSH private key file", next="lockgate init"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid not in (os.geteuid(), 0):
            raise PermissionRefused(
                "others may read or replace this private key",
                value=f"{path}: mode {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}",
                allowed=f"mode 0600, owner {os.geteuid()}",
                next=f"chmod 600 {path}",
            )
        return file.read()


def _load(path: Path, data: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        key = load_ssh_private_key(data, password=None)
    except TypeError as error:
        raise UsageError(
            "this key has a passphrase, which Lockgate never asks for: let ssh-agent hold it",
            value=str(path),
            allowed=f"--key {path}.pub once ssh-agent holds it; or a key without a passphrase that only you can read",
            next=f"ssh-add {path}",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not_usable(path, "not an OpenSSH private key") from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise _not_usable(path, "this kind of key cannot sign here")


def _not_usable(path: Path, what: str) -> UsageError:
    return UsageError(
        what, value=str(path), allowed="ed25519 or P-256", next=f"ssh-keygen -t ed25519 -N '' -f {path}-lockgate"
    )


def _public_line(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return plain_key(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
