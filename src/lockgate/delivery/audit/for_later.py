"""What an auditor will ask for years later, kept while it is at hand: policy texts, evidence files, verification summaries.

A digest in the ledger proves nothing to somebody who cannot get the bytes. Policies change with the working copy and
evidence is a step's result like any other, so both are noted here when a release is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.declare import Pipeline
from lockgate.errors import IntegrityError, NotFound
from lockgate.gates.policy import declaration, policy_text
from lockgate.records.digest import canonical, sha256_bytes, sha256_file
from lockgate.records.statement import Envelope

if TYPE_CHECKING:
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact

__all__ = ["evidence_of", "keep_evidence", "keep_policy", "keep_summary", "policy_of", "summary_of"]


def keep_policy(project: Project, walk: Walk) -> None:
    """Keep policy and delivery declaration under the digest that gate results and approvals name."""
    import json

    kept = project.results("policies")
    if kept.get(walk.digest) is None:
        kept.put(walk.digest, json.loads(_text(walk)))


def policy_of(project: Project, walk: Walk, digest: str) -> bytes | None:
    """The bytes whose sha256 is this policy's digest: of today's policy, or as kept; None when nobody kept them."""
    if digest == walk.digest:
        return _text(walk)
    record = project.results("policies").get(digest)
    text = canonical(dict(record)) if record else b""
    return text if sha256_bytes(text) == digest else None


def _text(walk: Walk) -> bytes:
    return policy_text(walk.policy, declaration(Pipeline(walk.delivery.name, kind="delivery", stages=walk.stages)))


def keep_evidence(project: Project, artifact: Artifact) -> str:
    """Note where a gate's evidence lies, and answer the sha256 of its bytes: what a gate result names for auditors."""
    digest = sha256_file(project.store.get(artifact.object))
    if project.results("measured").get(digest) is None:
        project.results("measured").put(digest, {"object": artifact.object})
    return digest


def evidence_of(project: Project, digest: str) -> bytes | None:
    """The evidence file with this sha256; None when it is not here, or not what it was."""
    record = project.results("measured").get(digest) or {}
    try:
        data = project.store.get(record["object"]).read_bytes()
    except (KeyError, NotFound, IntegrityError):
        return None
    return data if sha256_bytes(data) == digest else None


def keep_summary(project: Project, wanted: str, envelope: Envelope) -> None:
    """Keep the verification summary of the deployment that ledger entry `wanted` asked for."""
    project.results("summaries").put(wanted, envelope.to_json())


def summary_of(project: Project, wanted: str) -> Envelope | None:
    """The summary that was signed when this deployment was served; None when none was, or it cannot be read."""
    record = project.results("summaries").get(wanted)
    try:
        return Envelope.from_json(dict(record)) if record else None
    except IntegrityError:
        return None
