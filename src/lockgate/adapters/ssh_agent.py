"""ssh-agent as a key holder: the private half stays with the agent, which may ask its owner for a touch or a word.

A small client of https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/ over the socket that `SSH_AUTH_SOCK` names: list the keys, and ask
for one signature. Plain keys sign raw, as a key file does; hardware keys (`sk-`) sign as SSHSIG.
"""

from __future__ import annotations

import base64
import os
import socket
import struct
from typing import TYPE_CHECKING, Final

from lockgate.errors import NotFound, PermissionRefused, ServiceUnavailable
from lockgate.records.sshsig import NAMESPACE, SCHEME, Sshsig, der_of, needs_sshsig, strings_of, to_sign
from lockgate.records.statement import fingerprint, plain_key

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AgentSigner"]

LIST_KEYS: Final = 11
KEYS: Final = 12
SIGN: Final = 13
SIGNED: Final = 14
LONGEST_ANSWER: Final = 1 << 20
ANSWER_SECONDS: Final = 120.0
"""A person may have to find the key and touch it."""


class AgentSigner:
    """A `Signer` whose private half an ssh-agent holds. `path` is the public key's file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._public = plain_key(path.read_text(encoding="utf-8"))
        self._blob = base64.b64decode(self._public.split(" ")[1])

    def identity(self) -> str:
        """The key's OpenSSH fingerprint, `SHA256:…`."""
        return fingerprint(self._public)

    def public_key(self) -> str:
        """The key as one OpenSSH line, without a comment."""
        return self._public

    def scheme(self) -> str:
        """`sshsig` for a hardware key, else raw."""
        return SCHEME if needs_sshsig(self._public) else ""

    def sign(self, message: bytes) -> bytes:
        """Ask the agent. NotFound when it does not hold the key, PermissionRefused when its owner declined."""
        if self.scheme():
            signature = self._ask(to_sign(message))
            return Sshsig(key=self._blob, namespace=NAMESPACE, hash="sha512", signature=signature).packed()
        _, raw = strings_of(self._ask(message), 2)
        return der_of(raw) if self._public.startswith("ecdsa-") else raw

    def _ask(self, data: bytes) -> bytes:
        with _connected() as agent:
            if self._blob not in _held(agent):
                raise NotFound(
                    "ssh-agent does not hold this key", value=f"{self.identity()} ({self._path})",
                    allowed="a key that `ssh-add -l` lists", next=f"ssh-add {self._path.with_suffix('')}",
                )  # fmt: skip
            kind, answer = _exchange(agent, SIGN, _string(self._blob) + _string(data) + struct.pack(">I", 0))
        if kind != SIGNED:
            raise PermissionRefused(
                "ssh-agent did not sign", value=f"{self.identity()} ({self._path})",
                allowed="a key that is there, touched or confirmed in time", next="ssh-add -l, then try again",
            )  # fmt: skip
        (signature,) = strings_of(answer, 1)
        return signature


def _connected() -> socket.socket:
    place = os.environ.get("SSH_AUTH_SOCK", "")
    if not place:
        raise NotFound(
            "no ssh-agent to sign with", value="SSH_AUTH_SOCK is not set", allowed="a running agent",
            next='eval "$(ssh-agent)" && ssh-add KEY',
        )  # fmt: skip
    agent = socket.socket(socket.AF_UNIX)
    agent.settimeout(ANSWER_SECONDS)
    try:
        agent.connect(place)
    except OSError as error:
        agent.close()
        raise ServiceUnavailable(
            "ssh-agent does not answer", value=f"{place}: {error}", next='eval "$(ssh-agent)" && ssh-add KEY'
        ) from error
    return agent


def _held(agent: socket.socket) -> set[bytes]:
    """The public keys, as blobs, of all keys that the agent can sign with."""
    kind, answer = _exchange(agent, LIST_KEYS, b"")
    if kind != KEYS:
        return set()
    (count,) = struct.unpack(">I", answer[:4])
    return set(strings_of(answer[4:], 2 * count)[::2])


def _exchange(agent: socket.socket, kind: int, body: bytes) -> tuple[int, bytes]:
    try:
        agent.sendall(_string(bytes([kind]) + body))
        (length,) = struct.unpack(">I", _received(agent, 4))
        answer = _received(agent, min(length, LONGEST_ANSWER))
    except (OSError, struct.error) as error:
        raise ServiceUnavailable("ssh-agent broke off", value=str(error), next="try again") from error
    return answer[0] if answer else 0, answer[1:]


def _received(agent: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        if not (part := agent.recv(length - len(data))):
            break
        data += part
    return data


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
