"""`ledger bundle` as an auditor meets it: a zip, a folder, a stand-alone program, and the tools every machine has."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from journeys.walking import FAILED, HUMAN, REFUSED, USAGE, WIDTH, Lockgate, Server, both, copy, edit

pytestmark = pytest.mark.sampled(6)

Copier = Callable[[Lockgate], Lockgate]
VERIFY = Path(__file__).resolve().parents[2] / "src" / "lockgate" / "release" / "verify.py"


def bundled(lockgate: Lockgate, folder: Path, *arguments: str) -> Path:
    """Make the zip and unpack it."""
    out = folder / "audit.zip"
    folder.mkdir(parents=True, exist_ok=True)
    lockgate("ledger", "bundle", *arguments, "--out", str(out))
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        archive.extractall(folder / "audit")
    return folder / "audit"


def root_of(lockgate: Lockgate) -> str:
    return lockgate.json("ledger", "verify")["trust_root"]


def verified(folder: Path, root: str, *arguments: str) -> tuple[int, str]:
    """Run the copy of the verifier that lies in the bundle, in isolation: nothing of ours can be imported."""
    command = [sys.executable, "-I", str(folder / "verify.py"), "--trust", root, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def audit(delivered: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the release that is live in production."""
    return bundled(delivered, tmp_path_factory.mktemp("audit"), "production")


def test_what_was_delivered_is_proved_to_a_stranger(delivered: Lockgate, audit: Path) -> None:
    code, said = verified(audit, root_of(delivered))
    assert code == 0, said
    *table, last = said.splitlines()
    assert [line for line in table if len(line) > WIDTH] == []
    assert last.startswith(f"PASSED  Release {delivered.release()[7:19]} was let into production at 20")
    assert "6 gates" in last and "signed by bob (product-owner)" in last
    for step in (
        "log",
        "trust root",
        "policy",
        "gate slices",
        "page",
        "approval product-owner",
        "rejects",
        "release",
        "summary",
    ):
        assert re.search(rf"^(good|pass|not_applicable) +{step}", said, re.MULTILINE), step
    known = delivered.json("ledger", "verify")
    assert verified(audit, known["trust_root"], "--head", known["head"], "--env", "production")[0] == 0
    assert verified(audit, "sha256:" + "0" * 64)[0] == 4


def test_the_auditor_is_told_what_to_ask_for(delivered: Lockgate, tmp_path: Path) -> None:
    done = delivered("ledger", "bundle", "--out", str(tmp_path / "a.zip"))
    told = delivered.json("ledger", "bundle", "--out", str(tmp_path / "a.zip"))
    for name in ("root", "policy", "head", "verifier"):
        assert told[name] in done.out
    assert told["root"] == root_of(delivered)
    assert told["verifier"] == "sha256:" + hashlib.sha256(VERIFY.read_bytes()).hexdigest()
    assert [line for line in done.out.splitlines() if len(line) > WIDTH and str(tmp_path) not in line] == []


def test_the_same_decision_is_the_same_file(delivered: Lockgate, fresh: Copier, tmp_path: Path) -> None:
    """Made again, and made in another folder: not one byte differs."""
    lockgate = fresh(delivered)
    for number, maker in enumerate((delivered, lockgate, delivered)):
        maker("ledger", "bundle", "production", "--out", str(tmp_path / f"{number}.zip"))
    files = {(tmp_path / f"{number}.zip").read_bytes() for number in range(3)}
    assert len(files) == 1


def test_the_verifier_in_the_bundle_is_the_one_in_the_package(audit: Path) -> None:
    assert (audit / "verify.py").read_bytes() == VERIFY.read_bytes()


def test_any_byte_of_the_zip_counts(delivered: Lockgate, audit: Path, tmp_path: Path) -> None:
    """A seeded sample over the content of every file; the verifier is ours, since a changed one says what it likes."""
    from lockgate.release import verify

    folder, chance = tmp_path / "audit", random.Random(11)
    shutil.copytree(audit, folder)
    asked, now = verify.Asked(trust=root_of(delivered)), datetime.now(UTC)
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size]
    for path in files * 2:
        whole = path.read_bytes()
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        assert not verify.verify(folder, asked, now=now).passed, (path, at)
        path.write_bytes(whole)
    assert verify.verify(folder, asked, now=now).passed


# ── by hand ──────────────────────────────────────────────────────────────────


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True)


def test_sha256sum_checks_every_byte_of_bundle_and_release(delivered: Lockgate, audit: Path, tmp_path: Path) -> None:
    for folder in (audit, audit / "release"):
        done = shell("sha256sum --strict -c SHA256SUMS", folder)
        assert done.returncode == 0, done.stderr
        listed = {line.partition("  ")[2] for line in (folder / "SHA256SUMS").read_text().splitlines()}
        there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert there - listed == {"SHA256SUMS"}
    unpacked = delivered.root / ".lockgate" / "releases" / delivered.release().removeprefix("sha256:")
    assert shell("sha256sum --strict -c SHA256SUMS", unpacked).returncode == 0
    copied = tmp_path / "release"
    shutil.copytree(unpacked, copied)
    (copied / "lock.txt").write_text("numpy==0\n")
    assert shell("sha256sum --strict -c SHA256SUMS", copied).returncode == 1


def test_sha256sum_finds_what_was_signed(delivered: Lockgate, audit: Path) -> None:
    """Root, policy, page, release and ledger entries are plain sha256 of plain files."""
    sums = {
        p: shell(f"sha256sum {p}", audit).stdout.split()[0]
        for p in ("people/0001.json", "policy.json", "page.html", "release/manifest.json")
    }
    (approval,) = (audit / "statements").glob("*-approval.json")
    said = json.loads(base64.b64decode(json.loads(approval.read_bytes())["payload"]))["predicate"]
    assert sums["people/0001.json"] == root_of(delivered).removeprefix("sha256:")
    assert sums["policy.json"] == said["policy"].removeprefix("sha256:")
    assert sums["page.html"] == said["page"].removeprefix("sha256:")
    assert sums["release/manifest.json"] == delivered.release().removeprefix("sha256:")
    line = shell(
        'sed \'s/"digest":"[^"]*",//\' ledger.jsonl | tail -1 | tr -d \'\\n\' | sha256sum', audit
    ).stdout.split()[0]
    assert line == delivered.json("ledger", "verify")["head"].removeprefix("sha256:")


def by_hand(text: str, **names: str) -> str:
    """The commands of README.txt for one signature, with its names filled in."""
    lines = text.partition("One signature")[2].splitlines()
    commands = [line.strip() for line in lines if line.startswith("    ")][:4]
    assert len(commands) == 4 and commands[-1].startswith("openssl pkeyutl")
    script = "\n".join(commands)
    for name, value in names.items():
        script = re.sub(rf"\b{name}\b", value, script)
    return script


def test_the_page_for_auditors_works_as_written(delivered: Lockgate, fresh: Copier) -> None:
    """docs/verify.md from top to bottom, with real programs, after `lockgate` alone."""
    lockgate = fresh(delivered)
    page = (VERIFY.parents[3] / "docs" / "verify.md").read_text()
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    lines = [line for line in lines if "dgst" not in line and "ssh" not in line.lower()]  # Bob's key is ed25519
    assert lines[0] == "lockgate ledger bundle production --out audit.zip" and lines[1].startswith("unzip ")
    find = "S=$(basename statements/*-approval.json .json); NAME=$(basename keys/bob-*.pem .pem)"
    script = "\n".join([*lines[:3], find, *lines[3:]])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "ROOT": root_of(lockgate), "CODE": str(lockgate.root), "PROJECT": "shop"}
    subprocess.run(["git", "init", "-q"], cwd=lockgate.root, check=True)
    lockgate("ledger", "anchor")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=lockgate.root, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 fit, the newest after" in done.stdout
    assert "PASSED  Release " in done.stdout and "Signature Verified Successfully" in done.stdout
    module = [sys.executable, "-m", "lockgate.release.verify", "audit", "--trust", root_of(lockgate)]
    assert subprocess.run(module, cwd=lockgate.root, capture_output=True).returncode == 0


def test_openssl_checks_a_signature_as_the_readme_says(audit: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "audit"
    shutil.copytree(audit, folder)
    (approval,) = (folder / "statements").glob("*-approval.json")
    (bob,) = (folder / "keys").glob("bob-*.pem")
    (ada,) = (folder / "keys").glob("ada-*.pem")
    script = by_hand((folder / "README.txt").read_text(), S=approval.stem, NAME=bob.stem)
    done = shell(script, folder)
    assert "Signature Verified Successfully" in done.stdout, done.stderr
    assert shell(script.replace(bob.stem, ada.stem), folder).returncode != 0
    assert verified(folder, "sha256:" + hashlib.sha256((folder / "people/0001.json").read_bytes()).hexdigest())[0] == 0


# ── what is not delivered ────────────────────────────────────────────────────


def test_a_release_that_waits_is_refused_until_it_is_signed(
    waiting: Lockgate, approved: Lockgate, tmp_path: Path
) -> None:
    code, said = verified(bundled(waiting, tmp_path / "1"), root_of(waiting))
    assert (code, said.splitlines()[-1]) == (4, "REFUSED  approvals: 1 more product-owner")
    code, said = verified(bundled(approved, tmp_path / "2"), root_of(approved))
    assert code == 0 and "may enter production now" in said.splitlines()[-1], said


def test_a_reject_is_in_the_bundle_and_decides(waiting: Lockgate, fresh: Copier, tmp_path: Path) -> None:
    lockgate = fresh(waiting)
    lockgate.reject()
    code, said = verified(bundled(lockgate, tmp_path), root_of(lockgate))
    assert code == 4
    assert any((tmp_path / "audit" / "statements").glob("*-approval.json"))
    assert said.splitlines()[-1].startswith("REFUSED  approvals: 1 more product-owner")


def test_staging_asks_nobody_so_the_auditor_names_the_rules(delivered: Lockgate, tmp_path: Path) -> None:
    folder = bundled(delivered, tmp_path, "staging")
    code, said = verified(folder, root_of(delivered))
    assert code == 4 and "--policy sha256:" in said
    policy = delivered.json("ledger", "bundle", "staging", "--out", str(tmp_path / "b.zip"))["policy"]
    code, said = verified(folder, root_of(delivered), "--policy", policy)
    assert code == 0, said
    assert "LOCKGATE_GATES" in said


def test_a_failed_gate_is_told_with_its_reason(founded: Lockgate, fresh: Copier, tmp_path: Path) -> None:
    lockgate = fresh(founded)
    edit(lockgate.root, "shop/delivery.py", "min_rows=10,", "min_rows=100000,")
    with both(lockgate):
        lockgate("deliver", expect=FAILED)
    code, said = verified(bundled(lockgate, tmp_path), root_of(lockgate))
    assert code == 4
    assert said.splitlines()[-1].startswith("REFUSED  gates: enough_good_data says fail: ")


# ── years later ──────────────────────────────────────────────────────────────


def test_policy_and_release_may_have_moved_on(delivered_twice: Lockgate, fresh: Copier, tmp_path: Path) -> None:
    """The first release is retired, and the rules are others now: what was decided then is still provable."""
    lockgate = fresh(delivered_twice)
    edit(lockgate.root, "shop/delivery.py", 'valid_for="7d"', 'valid_for="1d"')
    first, second = (r["release"][7:19] for r in reversed(lockgate.json("releases")))
    for number, release in enumerate((first, second)):
        code, said = verified(bundled(lockgate, tmp_path / str(number), release), root_of(lockgate))
        assert code == 0, said
        assert f"Release {release} was let into production" in said


def test_the_release_s_files_may_stay_at_home(delivered: Lockgate, tmp_path: Path) -> None:
    folder = bundled(delivered, tmp_path, "production", "--no-files")
    assert sorted(p.name for p in (folder / "release").iterdir()) == ["SHA256SUMS", "manifest.json"]
    assert "were left out" in (folder / "README.txt").read_text()
    root = root_of(delivered)
    assert verified(folder, root)[0] == 4
    assert "not looked at" in verified(folder, root, "--decision-only")[1]
    unpacked = delivered.root / ".lockgate" / "releases" / delivered.release().removeprefix("sha256:")
    code, said = verified(folder, root, "--files", str(unpacked))
    assert code == 0 and "each recomputed from its bytes" in said


def test_another_working_copy_makes_the_same_bundle_from_store_and_ledger_alone(
    delivered: Lockgate, audit: Path, fresh: Copier, tmp_path: Path
) -> None:
    """No key, no unpacked release, no memory: what is shared is enough."""
    lockgate = fresh(delivered)
    shutil.rmtree(lockgate.root / ".lockgate" / "releases" / lockgate.release().removeprefix("sha256:"))
    shutil.rmtree(lockgate.root / ".lockgate" / "shown")
    for name in ("key", "key.pub", "bob", "bob.pub"):
        (lockgate.root / ".lockgate" / name).unlink(missing_ok=True)
    again = bundled(lockgate, tmp_path)
    assert (again / "SHA256SUMS").read_bytes() == (audit / "SHA256SUMS").read_bytes()


def test_garbage_collection_keeps_what_proves(delivered: Lockgate, fresh: Copier, tmp_path: Path) -> None:
    lockgate = fresh(delivered)
    lockgate("store", "gc", "--keep", "0", "--yes")
    code, said = verified(bundled(lockgate, tmp_path), root_of(lockgate))
    assert code == 0, said


# ── the summary ──────────────────────────────────────────────────────────────


def test_the_summary_says_what_the_standard_wants(delivered: Lockgate, audit: Path) -> None:
    """https://slsa.dev/spec/v1.1/verification_summary, field by field; law: one signer, one statement, one subject."""
    envelope = json.loads((audit / "vsa.json").read_bytes())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert len(envelope["signatures"]) == 1
    said: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert said["subject"] == [{"name": "shop", "digest": {"sha256": delivered.release().removeprefix("sha256:")}}]
    predicate = said["predicate"]
    required = {"verifier", "timeVerified", "resourceUri", "policy", "verificationResult", "verifiedLevels"}
    assert required <= set(predicate) <= required | {"inputAttestations", "dependencyLevels", "slsaVersion"}
    root = root_of(delivered).removeprefix("sha256:")
    assert predicate["verifier"] == {"id": f"https://lockgate.dev/verifier/{root}/ada"}
    assert datetime.strptime(predicate["timeVerified"], "%Y-%m-%dT%H:%M:%SZ")
    assert predicate["resourceUri"] == f"https://lockgate.dev/environment/{root}/production"
    policy = hashlib.sha256((audit / "policy.json").read_bytes()).hexdigest()
    assert predicate["policy"] == {"uri": f"https://lockgate.dev/policy/{policy}", "digest": {"sha256": policy}}
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["verifiedLevels"] == ["LOCKGATE_FOUR_EYES"]
    assert not predicate["verifiedLevels"][0].startswith("SLSA_")  # the spec keeps that prefix for its own levels
    assert re.fullmatch(r"\d+\.\d+", predicate["slsaVersion"])
    statements = {hashlib.sha256(p.read_bytes()).hexdigest(): p.name for p in (audit / "statements").iterdir()}
    named = [e["digest"]["sha256"] for e in predicate["inputAttestations"]]
    assert set(named) <= set(statements) and all(
        e["uri"].startswith("https://") for e in predicate["inputAttestations"]
    )
    kinds = {statements[d].partition("-")[2].removesuffix(".json") for d in named}
    assert kinds == {
        "people",
        "release",
        "look",
        "gate-result",
        "page",
        "approval",
        "wanted",
        "healthy",
    }  # healthy in staging


def test_a_server_writes_one_summary_per_deployment(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    summaries = lockgate.root / ".lockgate" / "summaries"
    before = {p.name: p.read_bytes() for p in summaries.rglob("*") if p.is_file()}
    assert len(before) == 2  # staging and production
    with Server(lockgate, "production") as production:
        production.answers()
    assert {p.name: p.read_bytes() for p in summaries.rglob("*") if p.is_file()} == before
    for path in summaries.rglob("*"):
        if path.is_file():
            path.unlink()
    with Server(lockgate, "production") as production:  # one that could not be kept is written by the next start
        production.answers()
    assert len([p for p in summaries.rglob("*") if p.is_file()]) == 1


# ── usage ────────────────────────────────────────────────────────────────────


def test_wrong_usage_is_told(delivered: Lockgate) -> None:
    assert "release is for `ledger bundle`" in delivered("ledger", "log", "production", expect=USAGE).err
    assert "no such release" in delivered("ledger", "bundle", "nothing", expect=USAGE).err
    assert "does not deploy there" in delivered("ledger", "bundle", "latest", "--env", "prod", expect=USAGE).err
