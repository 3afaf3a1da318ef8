"""Which release a job is about: the one that its pipeline proposed, one that was named, or the newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.delivery.refs import live_of
from lockgate.delivery.releases import named
from lockgate.errors import NotFound, UsageError
from lockgate.records.digest import short
from lockgate.records.forge_job import job_of
from lockgate.records.proposals import proposals

if TYPE_CHECKING:
    from lockgate.delivery.walk import Walk
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.proposals import Proposal
    from lockgate.records.trust import Trusted

__all__ = ["Chosen", "chosen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A release, and how it was found. `said`: the entry by which its pipeline proposed it."""

    release: str
    by: Literal["pipeline", "name", "newest"]
    said: Proposal | None = None


def chosen(walk: Walk, trust: Trusted, ref: str | None, job: ForgeJob | None) -> Chosen:
    """Find it in the ledger.

    Raises NotFound when the pipeline proposed nothing, or the name means no or several releases; UsageError when the
    pipeline proposed another release than the one that is named.
    """
    said = _proposed_by(trust, job, name=walk.training.name) if job else None
    proposed = said.claim.release if said else ""
    if ref is not None:
        release = named(trust, ref, live_of(walk, trust))
        if proposed and release != proposed:
            raise UsageError(
                "this pipeline proposed another release", value=short(release), allowed=short(proposed),
                next="leave the name out, or ask outside of the pipeline",
            )  # fmt: skip
        return Chosen(release=release, by="pipeline" if proposed else "name", said=said)
    if job is None:
        return Chosen(release=named(trust, "latest", live_of(walk, trust)), by="newest")
    if said is None:
        raise NotFound(
            "this pipeline proposed no release", value=job.words, allowed="the job that proposes, before this one",
            next="lockgate propose",
        )  # fmt: skip
    return Chosen(release=proposed, by="pipeline", said=said)


def _proposed_by(trust: Trusted, job: ForgeJob, *, name: str) -> Proposal | None:
    """The newest entry by which a job of this pipeline proposed a release of the training pipeline `name`."""
    newest = (p for p in proposals(reversed(trust.said)) if p.claim.name == name)
    return next((p for p in newest if job.is_of_the_pipeline(job_of(p.claim.extra))), None)
