"""SLSA v1 provenance: shapes as the specification names them, the same bytes whoever makes it, and no word of another pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from forge.test_semver import manifest, with_lineage

from lockgate.adapters.keys import FileSigner
from lockgate.errors import PermissionRefused
from lockgate.forge.provenance import Origin, of_the_pipeline, provenance, signed
from lockgate.records.forge_job import ForgeJob
from lockgate.records.statement import Envelope, signature_holds

JOB = ForgeJob(kind="gitlab", pipeline="12", commit="c" * 40, job="3", ref="main", project="group/shop")
ORIGIN = Origin(by="bot", root="sha256:" + "0" * 64, job=JOB, address="https://gitlab.example.org")
CLAIMS = {
    "pipeline_id": "12",
    "sha": "c" * 40,
    "project_path": "group/shop",
    "user_login": "ada",
    "runner_environment": "self-hosted",
}


def test_the_statement_has_what_slsa_asks_for() -> None:
    said = provenance(manifest(), ORIGIN)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    assert [s["name"] for s in said["subject"]] == ["manifest.json", "code/shop.py"]
    assert all(len(s["digest"]["sha256"]) == 64 for s in said["subject"])
    definition, details = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    assert {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"} == definition.keys()
    assert definition["resolvedDependencies"] == [
        {"uri": "git+https://gitlab.example.org/group/shop@refs/heads/main", "digest": {"gitCommit": "c"}},
        {"name": "source sales", "digest": {"blake3": "1"}},
    ]
    assert details == {
        "builder": {"id": "https://gitlab.example.org/group/shop"},
        "metadata": {"invocationId": "https://gitlab.example.org/group/shop/-/jobs/3"},
    }


def test_outside_of_a_forge_the_builder_is_who_proposed() -> None:
    said = provenance(manifest(), Origin(by="ada", root="sha256:" + "1" * 64))
    assert said["predicate"]["runDetails"] == {"builder": {"id": f"https://lockgate.dev/proposer/{'1' * 64}/ada"}}


def test_a_commit_that_is_not_the_whole_truth_says_so() -> None:
    [code, *_] = provenance(with_lineage(dirty=True), ORIGIN)["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert code["annotations"] == {"dirty": True}


def test_claims_speak_for_their_own_pipeline_and_leave_people_out() -> None:
    assert of_the_pipeline(CLAIMS, JOB) == {
        "pipeline_id": "12",
        "sha": "c" * 40,
        "project_path": "group/shop",
        "runner_environment": "self-hosted",
    }
    for claim in ("pipeline_id", "sha", "project_path"):
        with pytest.raises(PermissionRefused, match=claim):
            of_the_pipeline({**CLAIMS, claim: "other"}, JOB)


def test_the_signature_is_over_the_very_bytes(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    key.chmod(0o600)
    signer = FileSigner(key)
    once = signed(provenance(manifest(), ORIGIN), signer)
    assert once == signed(provenance(manifest(), ORIGIN), signer)
    envelope = Envelope.from_json(json.loads(once))
    assert signature_holds(envelope, signer.public_key())
    changed = Envelope(
        payload=envelope.payload.replace(b"shop", b"ship"), keyid=envelope.keyid, signature=envelope.signature
    )
    assert not signature_holds(changed, signer.public_key())
