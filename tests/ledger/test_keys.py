"""Key files: made safely, read only when safe, and clear words when not."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from lockgate.adapters.keys import FileSigner, create_key
from lockgate.errors import NotFound, PermissionRefused, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_key_is_for_its_owner_only_and_leaves_nothing_else(tmp_path: Path) -> None:
    signer = create_key(tmp_path / "keys" / "me", comment="me@home")
    assert (tmp_path / "keys" / "me").stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in (tmp_path / "keys").iterdir()) == ["me", "me.pub"]
    assert (tmp_path / "keys" / "me.pub").read_text() == f"{signer.public_key()} me@home\n"
    assert FileSigner(tmp_path / "keys" / "me").identity() == signer.identity()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    create_key(tmp_path / "me")
    before = (tmp_path / "me").read_bytes()
    with pytest.raises(UsageError, match="will not be overwritten"):
        create_key(tmp_path / "me")
    assert (tmp_path / "me").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["me", "me.pub"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    create_key(tmp_path / "me")
    (tmp_path / "me").chmod(mode)
    with pytest.raises(PermissionRefused, match="chmod 600") as caught:
        FileSigner(tmp_path / "me")
    assert "PRIVATE" not in str(caught.value)
    (tmp_path / "me").chmod(0o400)
    assert FileSigner(tmp_path / "me")


def test_a_missing_key_and_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        FileSigner(tmp_path / "me")
    (tmp_path / "me").write_text("hello")
    (tmp_path / "me").chmod(0o600)
    with pytest.raises(UsageError, match="not an OpenSSH private key"):
        FileSigner(tmp_path / "me")


@pytest.mark.parametrize(
    ("options", "words"), [(["-t", "ed25519", "-N", "secret"], "passphrase"), (["-t", "rsa", "-N", ""], "kind of key")]
)
def test_keys_of_ssh_keygen_that_cannot_sign_here(tmp_path: Path, options: list[str], words: str) -> None:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("the program ssh-keygen is not installed")
    subprocess.run([program, "-q", *options, "-f", str(tmp_path / "me")], check=True)
    with pytest.raises(UsageError, match=words) as caught:
        FileSigner(tmp_path / "me")
    assert "ssh-" in caught.value.next


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_keys_of_ssh_keygen_that_can(tmp_path: Path, kind: str) -> None:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("the program ssh-keygen is not installed")
    subprocess.run([program, "-q", "-t", kind, "-N", "", "-f", str(tmp_path / "me")], check=True)
    assert FileSigner(tmp_path / "me").public_key() in (tmp_path / "me.pub").read_text()
