"""The signed provenance of a release: made when it is first asked for, kept in the store, and believed only if it holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.identity import signer
from lockgate.durable import write_atomic
from lockgate.errors import IntegrityError, NotFound
from lockgate.forge.provenance import Origin, of_the_pipeline, provenance, signed
from lockgate.records.digest import canonical, short
from lockgate.records.forge_job import job_of
from lockgate.records.people import DELIVERER
from lockgate.records.proposals import first_proposal
from lockgate.records.statement import Envelope, signature_holds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.proposals import Proposal
    from lockgate.records.release import Manifest
    from lockgate.records.trust import Trusted

__all__ = ["Where", "origin_of", "proposal", "provenance_file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What a job knows of the forge. `address`: of the instance. `claims`: of this job's checked ID token, if it has one."""

    job: ForgeJob | None = None
    address: str = ""
    claims: Mapping[str, str] | None = None


def proposal(trust: Trusted, release: str) -> Proposal:
    """The entry since which a release exists. Raises NotFound."""
    found = first_proposal(trust.said, release)
    if found is None:
        raise NotFound("nobody proposed this release", value=short(release), next="lockgate releases")
    return found


def origin_of(trust: Trusted, release: str, where: Where) -> Origin:
    """Where it was built, by what its first proposal says. Raises PermissionRefused for claims that are not of this job's pipeline.

    A release that an earlier pipeline proposed was built there: what this one's token says is nothing about that.
    """
    said = proposal(trust, release)
    job = job_of(said.claim.extra)
    own = of_the_pipeline(where.claims, where.job) if where.claims and where.job else {}
    claims = own if where.job and where.job.is_of_the_pipeline(job) else {}
    return Origin(by=said.person.name, root=trust.root, job=job, address=where.address.rstrip("/"), claims=claims)


def provenance_file(project: Project, trust: Trusted, manifest: Manifest, origin: Origin) -> Path:
    """The envelope as a file. One that is kept, is about these files and holds stays: not every key signs the same twice."""
    kept, statement = project.results("provenance"), provenance(manifest, origin)
    known = kept.get(manifest.digest)
    if known is None or not _holds(known, statement, trust):
        known = json.loads(signed(statement, signer(project)))
        kept.put(manifest.digest, known)
    path = project.home / "provenance" / f"{manifest.digest.removeprefix('sha256:')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, canonical(dict(known)) + b"\n")
    return path


def _holds(record: Mapping[str, Json], statement: Mapping[str, Json], trust: Trusted) -> bool:
    """Whether a deliverer signed it about the very same files, and it says no more of the forge than is known now."""
    try:
        envelope = Envelope.from_json(record)
        said = json.loads(envelope.payload)
    except (IntegrityError, ValueError):
        return False
    keys = [key for person, key in trust.people.by_key().values() if DELIVERER in person.roles]
    same = [_bare(s) for s in (said, statement)]
    return same[0] == same[1] and any(signature_holds(envelope, key) for key in keys)


def _bare(statement: Mapping[str, Json]) -> Json:
    """Without the claims of an ID token, which one job has and another has not."""
    predicate = dict(statement.get("predicate") or {})
    details = {k: v for k, v in (predicate.get("runDetails") or {}).items() if k != "byproducts"}
    return {**statement, "predicate": {**predicate, "runDetails": details}}
