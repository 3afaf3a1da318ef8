"""Keys that are not a file: ssh-agent, hardware keys, SSHSIG; each checked against OpenSSH's own programs."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.authenticator import TOUCHED, VERIFIED, SoftwareKey, agent, agent_with, program, string
from lockgate.adapters.keys import FileSigner, create_key
from lockgate.adapters.ssh_agent import AgentSigner
from lockgate.adapters.ssh_keygen import KeygenSigner
from lockgate.errors import IntegrityError, NotFound, PermissionRefused, ServiceUnavailable, UsageError
from lockgate.records.people import TRUSTEE, Person
from lockgate.records.sshsig import NAMESPACE, Sshsig, armoured, needs_sshsig, unarmoured, verify
from lockgate.records.statement import (
    PAYLOAD_TYPE,
    PREDICATES,
    Envelope,
    Statement,
    fingerprint,
    pae,
    plain_key,
    seal,
    signature_holds,
)
from lockgate.testing.ledger import MemorySigner
from lockgate.testing.scene import CAST, Scene

STATEMENT = Statement(
    predicate_type=PREDICATES + "exam/v1", subject_name="release", subject="sha256:" + "ab" * 32, predicate={"a": "1"}
)
KINDS = ("ed25519", "ecdsa")


# ── hardware keys ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_a_hardware_key_signs_statements(kind: str) -> None:
    key = SoftwareKey(kind)
    envelope = seal(STATEMENT, key)
    assert (envelope.scheme, envelope.keyid) == ("sshsig", fingerprint(key.public_key()))
    assert signature_holds(envelope, key.public_key() + " my@desk")
    assert not signature_holds(envelope, SoftwareKey(kind).public_key())
    again = Envelope.from_json(json.loads(json.dumps(envelope.to_json())))
    assert again == envelope


CHANGES = {
    "no touch": {"flags": 0},
    "verified but not touched": {"flags": VERIFIED},
    "another application": {"application": "ssh:other"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CHANGES)
def test_what_the_hardware_adds_is_checked(kind: str, name: str) -> None:
    """The same key, and one byte or word of what it signs with is another: the twin that differs in nothing holds."""
    key = SoftwareKey(kind)
    public = key.public_key()
    assert signature_holds(seal(STATEMENT, key), public)
    for field, value in CHANGES[name].items():
        setattr(key, field, value)
    assert not signature_holds(seal(STATEMENT, key), public)


def test_a_touch_with_a_pin_holds_and_counters_may_stand_still() -> None:
    key = SoftwareKey(flags=TOUCHED | VERIFIED)
    assert signature_holds(seal(STATEMENT, key), key.public_key())
    key.counter = -1  # some keys always say zero; the ledger's head makes every statement unique
    assert signature_holds(seal(STATEMENT, key), key.public_key())


@pytest.mark.parametrize("position", [-1, -4, -5])
def test_flags_and_counter_are_signed(position: int) -> None:
    key = SoftwareKey()
    envelope = seal(STATEMENT, key)
    raw = bytearray(envelope.signature)
    raw[position] ^= 0x04
    assert not signature_holds(replace(envelope, signature=bytes(raw)), key.public_key())


@given(st.data())
def test_any_flipped_bit_breaks_it(data: st.DataObject) -> None:
    key, envelope = SIGNED[data.draw(st.sampled_from(KINDS))]
    raw = bytearray(envelope.signature)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not signature_holds(replace(envelope, signature=bytes(raw)), key.public_key())


SIGNED = {kind: (key, seal(STATEMENT, key)) for kind in KINDS for key in [SoftwareKey(kind)]}


@pytest.mark.parametrize(
    "change",
    [
        {"namespace": "git"},
        {"hash": "sha1"},
        {"hash": "sha256"},
        {"key": SoftwareKey().blob},
        {"signature": b""},
        {"signature": string(b"ssh-ed25519") + string(bytes(64))},
    ],
)
def test_every_field_of_an_sshsig_counts(change: dict[str, object]) -> None:
    key = SoftwareKey()
    envelope = seal(STATEMENT, key)
    found = Sshsig.read(envelope.signature)
    assert found.packed() == envelope.signature
    bad = replace(found, **change).packed()  # type: ignore[arg-type]
    assert not signature_holds(replace(envelope, signature=bad), key.public_key())
    assert not signature_holds(replace(envelope, signature=envelope.signature + b"\0"), key.public_key())
    assert not signature_holds(replace(envelope, signature=envelope.signature[:-1]), key.public_key())


@pytest.mark.parametrize("scheme", ["", "pgp"])
def test_the_scheme_does_not_help_a_signature_to_hold(scheme: str) -> None:
    key, plain = SoftwareKey(), MemorySigner("ann")
    assert not signature_holds(replace(seal(STATEMENT, key), scheme=scheme), key.public_key())
    assert not signature_holds(replace(seal(STATEMENT, plain), scheme="sshsig"), plain.public_key())
    with pytest.raises(IntegrityError):
        Envelope.from_json({**seal(STATEMENT, plain).to_json(), "signatures": [{"keyid": "a", "sig": "", "scheme": 1}]})


def test_an_approval_in_the_ledger_may_come_from_a_hardware_key() -> None:
    key = SoftwareKey("ecdsa")
    scene = Scene((*CAST, Person(name="hal", roles=(TRUSTEE,), keys=(key.public_key(),))))
    scene.append(seal(STATEMENT, key))
    scene.append(replace(seal(replace(STATEMENT, predicate={"a": "2"}), key), scheme=""))
    said = scene.trusted().said[1:]
    assert [(s.person.name if s.person else "", s.field) for s in said] == [("hal", ""), ("", "signature")]


# ── OpenSSH's programs ──────────────────────────────────────────────────────


def checked_by_ssh_keygen(folder: Path, public_key: str, blob: bytes, message: bytes) -> bool:
    (folder / "allowed").write_text(f'pat namespaces="{NAMESPACE}" {public_key}\n')
    (folder / "sig").write_text(armoured(blob))
    command = [program("ssh-keygen"), "-Y", "verify", "-f", "allowed", "-I", "pat", "-n", NAMESPACE, "-s", "sig"]
    return subprocess.run(command, cwd=folder, input=message, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_ssh_keygen_agrees_about_hardware_keys(tmp_path: Path, kind: str) -> None:
    key = SoftwareKey(kind)
    envelope = seal(STATEMENT, key)
    message = pae(PAYLOAD_TYPE, envelope.payload)
    assert checked_by_ssh_keygen(tmp_path, key.public_key(), envelope.signature, message)
    assert not checked_by_ssh_keygen(tmp_path, key.public_key(), envelope.signature, message + b" ")
    assert unarmoured(armoured(envelope.signature)) == envelope.signature


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hashed", ["sha256", "sha512"])
def test_what_ssh_keygen_signs_holds_here(tmp_path: Path, kind: str, hashed: str) -> None:
    subprocess.run([program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", str(tmp_path / "me")], check=True)
    command = [
        program("ssh-keygen"),
        "-Y",
        "sign",
        "-q",
        "-n",
        NAMESPACE,
        "-O",
        f"hashalg={hashed}",
        "-f",
        str(tmp_path / "me"),
    ]
    blob = unarmoured(subprocess.run(command, input=b"hello", check=True, capture_output=True).stdout.decode())
    public = plain_key((tmp_path / "me.pub").read_text())
    assert verify(blob, b"hello", public)
    assert not verify(blob, b"hello!", public)


@pytest.mark.parametrize("kind", KINDS)
def test_the_program_signs_for_a_key_file(tmp_path: Path, kind: str) -> None:
    """As it does for a hardware key's handle; a plain key stands in for one here."""
    subprocess.run([program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", str(tmp_path / "me")], check=True)
    signer = KeygenSigner(tmp_path / "me")
    envelope = seal(STATEMENT, signer)
    assert envelope.scheme == "sshsig"
    assert signature_holds(envelope, signer.public_key())
    (tmp_path / "me").unlink()
    with pytest.raises(PermissionRefused, match="did not sign"):
        seal(STATEMENT, signer)


# ── ssh-agent ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", ["", "secret"])
def test_a_key_that_ssh_agent_holds_signs_as_its_file_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, passphrase: str
) -> None:
    subprocess.run([program("ssh-keygen"), "-q", "-t", kind, "-N", passphrase, "-f", str(tmp_path / "me")], check=True)
    with agent(tmp_path) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        signer = AgentSigner(tmp_path / "me.pub")
        with pytest.raises(NotFound, match="ssh-add") as caught:
            seal(STATEMENT, signer)
        assert str(tmp_path / "me") in caught.value.next
        answer = tmp_path / "answer"
        answer.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
        answer.chmod(0o700)
        monkeypatch.setenv("SSH_ASKPASS", str(answer))
        monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
        subprocess.run([program("ssh-add"), "-q", str(tmp_path / "me")], check=True)
        (tmp_path / "me").unlink()  # the agent alone has it now
        envelope = seal(STATEMENT, signer)
    assert envelope.scheme == ""
    assert signature_holds(envelope, signer.public_key())
    assert not signature_holds(replace(envelope, payload=envelope.payload + b" "), signer.public_key())


@pytest.mark.parametrize("kind", KINDS)
def test_a_hardware_key_behind_an_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    key = SoftwareKey(kind)
    (tmp_path / "sk.pub").write_text(key.public_key() + " my@desk\n")
    with agent_with(key, tmp_path) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        envelope = seal(STATEMENT, AgentSigner(tmp_path / "sk.pub"))
        assert (envelope.scheme, signature_holds(envelope, key.public_key())) == ("sshsig", True)
        (tmp_path / "other.pub").write_text(SoftwareKey(kind).public_key())
        with pytest.raises(NotFound, match="does not hold this key"):
            seal(STATEMENT, AgentSigner(tmp_path / "other.pub"))


def test_an_owner_who_does_not_touch_the_key_signs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = SoftwareKey()
    (tmp_path / "sk.pub").write_text(key.public_key())
    with agent_with(key, tmp_path, declines=True) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        with pytest.raises(PermissionRefused, match="did not sign"):
            seal(STATEMENT, AgentSigner(tmp_path / "sk.pub"))


def test_no_agent_and_one_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "me.pub").write_text(create_key(tmp_path / "me").public_key())
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(NotFound, match="SSH_AUTH_SOCK"):
        seal(STATEMENT, AgentSigner(tmp_path / "me.pub"))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    with pytest.raises(ServiceUnavailable, match="ssh-add"):
        seal(STATEMENT, AgentSigner(tmp_path / "me.pub"))


def test_a_key_with_a_passphrase_is_sent_to_the_agent(tmp_path: Path) -> None:
    subprocess.run(
        [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "me")], check=True
    )
    with pytest.raises(UsageError, match="ssh-add") as caught:
        FileSigner(tmp_path / "me")
    assert f"--key {tmp_path}/me.pub" in str(caught.value)


def test_which_keys_need_the_form() -> None:
    assert [needs_sshsig(k) for k in (SoftwareKey().public_key(), MemorySigner("a").public_key())] == [True, False]
