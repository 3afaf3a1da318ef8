"""Statements and envelopes: what is signed, and what does not hold."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.adapters.keys import create_key
from lockgate.errors import IntegrityError
from lockgate.records.statement import (
    PAYLOAD_TYPE,
    PREDICATES,
    STATEMENT_TYPE,
    Envelope,
    Statement,
    fingerprint,
    pae,
    plain_key,
    seal,
    signature_holds,
)
from lockgate.testing.ledger import MemorySigner

if TYPE_CHECKING:
    from pathlib import Path

STATEMENT = Statement(
    predicate_type=PREDICATES + "exam/v1", subject_name="release", subject="sha256:" + "ab" * 32, predicate={"a": ["1"]}
)
KINDS = ("ed25519", "p256")


def test_a_statement_is_in_toto_v1() -> None:
    assert json.loads(STATEMENT.encoded()) == {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "release", "digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://lockgate.dev/attestation/exam/v1",
        "predicate": {"a": ["1"]},
    }


@given(st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.lists(st.text(max_size=8))))
def test_an_envelope_comes_back_whole(predicate: dict[str, object]) -> None:
    statement = Statement(predicate_type="t", subject_name="s", subject="sha256:00", predicate=predicate)
    envelope = seal(statement, MemorySigner("ann"))
    again = Envelope.from_json(json.loads(json.dumps(envelope.to_json())))
    assert again == envelope
    assert again.statement() == statement


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_key_that_signed_holds(tmp_path: Path, kind: str) -> None:
    signer, other = create_key(tmp_path / "a", kind=kind), create_key(tmp_path / "b", kind=kind)  # type: ignore[arg-type]
    envelope = seal(STATEMENT, signer)
    assert signature_holds(envelope, signer.public_key())
    assert signature_holds(envelope, signer.public_key() + " somebody@home")
    assert not signature_holds(envelope, other.public_key())


@given(st.data())
def test_any_flipped_bit_of_payload_or_signature_breaks_it(data: st.DataObject) -> None:
    signer = MemorySigner("ann")
    envelope = seal(STATEMENT, signer)
    name = data.draw(st.sampled_from(["payload", "signature"]))
    raw = bytearray(getattr(envelope, name))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    parts = {"payload": envelope.payload, "signature": envelope.signature, name: bytes(raw)}
    assert not signature_holds(Envelope(keyid=envelope.keyid, **parts), signer.public_key())


def test_the_payload_type_is_signed_too() -> None:
    signer = MemorySigner("ann")
    envelope = seal(STATEMENT, signer)
    other = Envelope(payload=envelope.payload, keyid=envelope.keyid, signature=envelope.signature, payload_type="x")
    assert not signature_holds(other, signer.public_key())
    with pytest.raises(IntegrityError):
        other.statement()


def test_a_key_that_is_no_point_of_the_curve_made_no_signature() -> None:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x02zz"
    assert not signature_holds(seal(STATEMENT, MemorySigner("ann")), "ssh-ed25519 " + base64.b64encode(blob).decode())


@pytest.mark.parametrize(
    "change",
    [
        {"signatures": []},
        {"signatures": [{"keyid": "a", "sig": ""}, {"keyid": "b", "sig": ""}]},
        {"signatures": [{"keyid": 1, "sig": ""}]},
        {"payload": "not base64!"},
        {"payload": None},
        {"payloadType": 3},
    ],
)
def test_anything_but_one_good_signature_is_refused(change: dict[str, object]) -> None:
    good = seal(STATEMENT, MemorySigner("ann")).to_json()
    assert Envelope.from_json(good)
    with pytest.raises(IntegrityError):
        Envelope.from_json({**good, **change})


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"null", b"[" * 100_000, STATEMENT.encoded().replace(b"Statement/v1", b"Statement/v2")],
)
def test_a_payload_that_is_no_statement_is_an_error(payload: bytes) -> None:
    with pytest.raises(IntegrityError):
        Envelope(payload=payload, keyid="", signature=b"").statement()


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_agrees(tmp_path: Path, kind: str) -> None:
    """An auditor needs no Lockgate: the signature is over the PAE, raw ed25519 or DER ECDSA."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl is not installed")
    signer = create_key(tmp_path / "key", kind=kind)  # type: ignore[arg-type]
    envelope = seal(STATEMENT, signer)
    (tmp_path / "pae").write_bytes(pae(PAYLOAD_TYPE, envelope.payload))
    (tmp_path / "sig").write_bytes(envelope.signature)
    (tmp_path / "pub.pem").write_bytes(_pem(signer.public_key()))
    if kind == "ed25519":
        check = [
            openssl,
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "pub.pem",
            "-rawin",
            "-in",
            "pae",
            "-sigfile",
            "sig",
        ]
    else:
        check = [openssl, "dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig", "pae"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "pae").write_bytes(pae(PAYLOAD_TYPE, envelope.payload + b" "))
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def _pem(public_key: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

    return load_ssh_public_key(public_key.encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_the_fingerprint_is_what_ssh_keygen_prints(tmp_path: Path) -> None:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("the program ssh-keygen is not installed")
    signer = create_key(tmp_path / "key", comment="me@home")
    out = subprocess.run([program, "-l", "-f", str(tmp_path / "key.pub")], capture_output=True, text=True, check=True)
    assert out.stdout.split()[1:3] == [fingerprint(signer.public_key()), "me@home"]
    assert plain_key((tmp_path / "key.pub").read_text()) == signer.public_key()
