"""docs/verify.md and a bundle's README.txt: every command by hand is executed, with the real programs and every kind of key."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from ledger.authenticator import SoftwareKey, program
from lockgate.adapters.keys import create_key
from lockgate.ports import Signer
from lockgate.records.decisions import Decision, state
from lockgate.records.statement import seal
from lockgate.release import verify
from lockgate.testing.scene import CAST, person
from release.auditing import Office

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "verify.md").read_text()
PROGRAMS = {"openssl pkeyutl": "ed25519", "openssl dgst": "p256", "ssh-keygen -Y verify": "sk-ed25519"}


def commands(section: str) -> list[str]:
    """The commands of a section, in order."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def run(script: str, folder: Path, **names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **names},
    )


def signer_of(kind: str, folder: Path) -> Signer:
    if kind.startswith("sk-"):
        return SoftwareKey(kind.removeprefix("sk-"))
    return create_key(folder / kind, kind="p256" if kind == "p256" else "ed25519")


def bundle_signed_by(signer: Signer, folder: Path) -> tuple[Office, Path]:
    """A release that pat let in, with this key."""
    cast = tuple(person("pat", "product-owner", keys=(signer.public_key(),)) if p.name == "pat" else p for p in CAST)
    office = Office(cast).ready()
    said = Decision(**{**office.decision(), "log": office.scene.ledger.head()})
    office.served(office.scene.append(seal(state(said), signer)))
    return office, office.bundle(folder / "deep" / "audit")


@pytest.mark.parametrize("kind", ["ed25519", "p256", "sk-ed25519", "sk-ecdsa"])
def test_a_signature_is_checked_by_the_verifier_and_by_hand(kind: str, tmp_path: Path) -> None:
    for name in ("openssl", "ssh-keygen", "sha256sum"):
        program(name)
    office, folder = bundle_signed_by(signer_of(kind, tmp_path), tmp_path)
    report = verify.verify(folder, verify.Asked(trust=office.scene.trusted().root), now=office.scene.now)
    assert report.passed, report.sentence
    (statement,) = (folder / "statements").glob("*-approval.json")
    keys = {k.stem.partition("-")[0]: k.stem for k in (folder / "keys").glob("*.pem")}
    lines = commands("By hand")
    used = next(p for p, k in PROGRAMS.items() if k == (kind if not kind.startswith("sk-") else "sk-ed25519"))
    others = [p for p in PROGRAMS if p != used]
    mine = [
        line for line in lines if not any(line.startswith(p) for p in others) and not line.startswith("(cd release")
    ]
    assert any(line.startswith(used) for line in mine)
    done = run("\n".join(mine), folder, S=statement.stem, NAME=keys["pat"])
    assert done.returncode == 0, done.stderr
    said = {"openssl pkeyutl": "Signature Verified Successfully", "openssl dgst": "Verified OK"}.get(used, "Good ")
    assert said in done.stdout
    wrong = run("\n".join(mine), folder, S=statement.stem, NAME=keys["pia"])
    assert wrong.returncode != 0
    check = next(line for line in mine if line.startswith(used))
    forged = run(f"printf x >> ../signed\n{check}", folder, S=statement.stem, NAME=keys["pat"])
    assert forged.returncode != 0
    assert verify.verify(folder, verify.Asked(trust=office.scene.trusted().root), now=office.scene.now).passed


@pytest.mark.parametrize("kind", ["sk-ed25519", "sk-ecdsa"])
def test_a_hardware_key_that_nobody_touched_signs_nothing(kind: str, tmp_path: Path) -> None:
    key = SoftwareKey(kind.removeprefix("sk-"), flags=0)
    office, folder = bundle_signed_by(key, tmp_path)
    report = verify.verify(folder, verify.Asked(trust=office.scene.trusted().root), now=office.scene.now)
    assert not report.passed
    assert any("signature does not hold" in detail for _, _, detail in report.rows)


def test_the_page_names_every_level_and_option() -> None:
    from lockgate.records.vsa import Level

    assert [level for level in Level.__args__ if f"`{level}`" not in PAGE] == []
    options = set(re.findall(r'"(--[a-z-]+)"', Path(verify.__file__).read_text()))
    assert [option for option in options if option not in PAGE] == []
