"""SLSA Provenance v1 (https://slsa.dev/spec/v1.1/provenance): how a release was built, in one standard statement about its files.

It is made from the manifest and from what the ledger says of the job that proposed the release, so it is the same whoever makes
it and whenever; it holds no time. The pipeline's key signs it as DSSE. It claims no SLSA level: what a forge's runner isolates
is the forge's to say, so claims of a job's checked ID token stand in it as the forge said them.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from lockgate.errors import PermissionRefused
from lockgate.records.digest import Json, canonical
from lockgate.records.frozen import field, frozen
from lockgate.records.statement import PAYLOAD_TYPE, STATEMENT_TYPE, Envelope, pae
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.ports import Signer
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.release import Manifest

__all__ = ["BUILD_TYPE", "PROVENANCE", "Origin", "of_the_pipeline", "provenance", "signed"]

PROVENANCE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "https://lockgate.dev/build/release/v1"
OF_THE_PIPELINE: Final = (
    "iss", "project_id", "project_path", "pipeline_id", "pipeline_source", "ref", "ref_type", "ref_protected", "sha",
    "runner_environment",
)  # fmt: skip
"""Claims that are the same in every job of a pipeline: one job's token speaks for them in another."""


@frozen(kw_only=True)
class Origin:
    """Where a release was built.

    Attributes:
        by: who signed the proposal, by name. root: the ledger's trust root.
        job: of a forge; None: on somebody's own machine. address: of the forge, when it is known.
        claims: of that pipeline's checked ID token, as `of_the_pipeline` lets them through.
    """

    by: str
    root: str
    job: ForgeJob | None = None
    address: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)


def of_the_pipeline(claims: Mapping[str, str], job: ForgeJob) -> Mapping[str, str]:
    """The claims that speak for the pipeline of a job. Raises PermissionRefused when they are of another pipeline or commit."""
    for claim, own in (("pipeline_id", job.pipeline), ("sha", job.commit), ("project_path", job.project)):
        if own and claims.get(claim) != own:
            raise PermissionRefused(
                f"the ID token is not of this job's pipeline: {claim}", value=claims.get(claim, "none"),
                allowed=own, next="publish with the token that GitLab gave this very job, or without LOCKGATE_ID_TOKEN",
            )  # fmt: skip
    return {name: claims[name] for name in OF_THE_PIPELINE if name in claims}


def provenance(manifest: Manifest, origin: Origin) -> Mapping[str, Json]:
    """The whole statement; its subjects are the manifest and every file that it lists."""
    subjects = [{"name": "manifest.json", "digest": _sha256(manifest.digest)}]
    subjects += [{"name": f.path, "digest": _sha256(f.sha256)} for f in sorted(manifest.files, key=lambda f: f.path)]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PROVENANCE,
        "predicate": {"buildDefinition": _definition(manifest, origin), "runDetails": _details(origin)},
    }


def signed(statement: Mapping[str, Json], signer: Signer) -> bytes:
    """As a DSSE envelope, one line of JSON."""
    payload = canonical(dict(statement))
    signature = signer.sign(pae(PAYLOAD_TYPE, payload))
    envelope = Envelope(payload=payload, keyid=signer.identity(), signature=signature, scheme=signer.scheme())
    return canonical(envelope.to_json()) + b"\n"


def _definition(manifest: Manifest, origin: Origin) -> Json:
    lineage = manifest.lineage
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "project": manifest.project, "pipeline": manifest.name, "as_of": manifest.as_of, "parameters": to_json(lineage.parameters),
        },
        "internalParameters": {"python": manifest.python, "platform": manifest.platform},
        "resolvedDependencies": [_code(manifest, origin), *_data(manifest)],
    }  # fmt: skip


def _code(manifest: Manifest, origin: Origin) -> Json:
    """The commit; `dirty` where files differed from it, because then the commit is not the whole truth."""
    place = (
        f"git+{origin.address}/{origin.job.project}" if origin.address and origin.job and origin.job.project else "git"
    )
    ref = f"@refs/heads/{origin.job.ref}" if origin.job and origin.job.ref else ""
    found: dict[str, Json] = {"uri": place + ref, "digest": {"gitCommit": manifest.lineage.commit}}
    return found | ({"annotations": {"dirty": True}} if manifest.lineage.dirty else {})


def _data(manifest: Manifest) -> list[Json]:
    """Sources and datasets by the digests that the lineage has, under their own algorithm."""
    named = [("source", n, d) for n, d in manifest.lineage.sources.items()]
    named += [("dataset", n, d) for n, d in manifest.lineage.datasets.items()]
    return [{"name": f"{kind} {name}", "digest": _digest(value)} for kind, name, value in sorted(named)]


def _details(origin: Origin) -> Json:
    job = origin.job
    if job is None:
        return {"builder": {"id": f"https://lockgate.dev/proposer/{origin.root.removeprefix('sha256:')}/{origin.by}"}}
    project = f"{origin.address or job.kind}/{job.project}"
    details: dict[str, Json] = {"builder": {"id": project}, "metadata": {"invocationId": f"{project}/-/jobs/{job.job}"}}
    return details | ({"byproducts": [_claims(origin.claims)]} if origin.claims else {})


def _claims(claims: Mapping[str, Json]) -> Json:
    """What GitLab said of the job, as in-toto's ResourceDescriptor, which has to have a uri, a digest or content."""
    return {
        "name": "id_token",
        "mediaType": "application/json",
        "content": base64.b64encode(canonical(dict(claims))).decode(),
        "annotations": dict(claims),
    }


def _sha256(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def _digest(value: str) -> dict[str, str]:
    algorithm, _, digits = value.partition(":")
    return {algorithm: digits} if digits else {"unknown": value}
