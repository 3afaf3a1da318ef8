"""A hardware key in software: makes `sk-` keys and signs as PROTOCOL.u2f says. And an ssh-agent that holds one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lockgate.records.sshsig import NAMESPACE, Sshsig, to_sign

TOUCHED, VERIFIED = 0x01, 0x04


def program(name: str) -> str:
    """A program of OpenSSH; where it is missing the test is skipped by its name, and in CI that fails."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"the program {name} (package openssh-client) is not installed")
    return found


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def mpint(number: int) -> bytes:
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


class SoftwareKey:
    """`kind` is ed25519 or ecdsa. It is its own `Signer`; `flags` and `counter` are what the next signature says."""

    def __init__(self, kind: str = "ed25519", *, application: str = "ssh:", flags: int = TOUCHED) -> None:
        self.application, self.flags, self.counter = application, flags, 41
        if kind == "ed25519":
            self.kind = b"sk-ssh-ed25519@openssh.com"
            self.key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey = ed25519.Ed25519PrivateKey.generate()
            body = string(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        else:
            self.kind = b"sk-ecdsa-sha2-nistp256@openssh.com"
            self.key = ec.generate_private_key(ec.SECP256R1())
            point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            body = string(b"nistp256") + string(point)
        self.blob = string(self.kind) + body + string(application.encode())

    def public_key(self) -> str:
        return f"{self.kind.decode()} {base64.b64encode(self.blob).decode()}"

    def identity(self) -> str:
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def scheme(self) -> str:
        return "sshsig"

    def sign(self, message: bytes) -> bytes:
        signature = self.touched(to_sign(message))
        return Sshsig(key=self.blob, namespace=NAMESPACE, hash="sha512", signature=signature).packed()

    def touched(self, data: bytes) -> bytes:
        """The inner signature: `string kind, string signature, byte flags, uint32 counter`."""
        self.counter += 1
        tail = struct.pack(">BI", self.flags, self.counter)
        signed = hashlib.sha256(self.application.encode()).digest() + tail + hashlib.sha256(data).digest()
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA256())))
            raw = mpint(r) + mpint(s)
        else:
            raw = self.key.sign(signed)
        return string(self.kind) + string(raw) + tail


@contextlib.contextmanager
def agent(folder: Path) -> Iterator[str]:
    """A real ssh-agent; the path of its socket."""
    place = str(folder / "agent")
    process = subprocess.Popen([program("ssh-agent"), "-D", "-a", place], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if os.path.exists(place):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield place
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def agent_with(key: SoftwareKey, folder: Path, *, declines: bool = False) -> Iterator[str]:
    """A small ssh-agent that holds one hardware key; `declines`: its owner does not touch it."""
    place = str(folder / "sk-agent")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(struct.error):
                    while True:
                        (length,) = struct.unpack(">I", connection.recv(4))
                        request = connection.recv(length, socket.MSG_WAITALL)
                        connection.sendall(string(answer(request)))

    def answer(request: bytes) -> bytes:
        if request[0] == 11:
            return bytes([12]) + struct.pack(">I", 1) + string(key.blob) + string(b"a key in software")
        if declines:
            return bytes([5])
        (length,) = struct.unpack(">I", request[1:5])
        start = 5 + length + 4
        (length,) = struct.unpack(">I", request[start - 4 : start])
        return bytes([14]) + string(key.touched(request[start : start + length]))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield place
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
