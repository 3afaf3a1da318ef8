"""`ledger log|verify`: what was decided, by whom, and whether all of it still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.anchor import check_anchors
from lockgate.delivery.identity import read_ledger
from lockgate.records.decisions import (
    AcceptedChange,
    Attested,
    Claim,
    Decision,
    GateResult,
    Healthy,
    Looked,
    PeopleSet,
    Proposed,
    Refused,
    Shown,
    Wanted,
)
from lockgate.records.digest import Json, short
from lockgate.records.forge_job import job_of
from lockgate.records.proposals import NOTE, TITLE, words_of
from lockgate.records.waivers import BrokeGlass, Met, Reviewed, Revoked, Waived
from lockgate.release.wording import quoted

if TYPE_CHECKING:
    from lockgate.project import Project

__all__ = ["lines", "verified"]


def lines(project: Project) -> list[dict[str, Json]]:
    """One record per entry: seq, time, digest, who, what, about; `counts` False with the reason when it is set aside."""
    found: list[dict[str, Json]] = []
    for said in read_ledger(project).said:
        what, about = _words(said.claim)
        found.append({
            "seq": said.entry.seq, "time": said.entry.time.isoformat(), "digest": said.entry.digest,
            "who": said.person.name if said.person else "(set aside)", "what": what,
            "about": about if said.person else said.why, "counts": said.person is not None,
        })  # fmt: skip
    return found


def verified(project: Project, *, fetch: str | None = None) -> dict[str, Json]:
    """Check chain, signatures, the head this copy saw before, and every anchor in git. Raises IntegrityError naming the entry.

    `fetch`: the git remote to ask for anchors first.
    """
    trust = read_ledger(project)
    anchors = check_anchors(project, trust, fetch=fetch)
    return {
        "anchors": len(anchors), "anchored": max((head.size for head in anchors), default=0),
        "entries": len(trust.said), "set_aside": len(trust.set_aside), "head": trust.head.digest, "trust_root": trust.root,
        "people": trust.people.digest,
    }  # fmt: skip


def _words(claim: Claim | None) -> tuple[str, str]:
    match claim:
        case Proposed():
            job = job_of(claim.extra)
            where = f", in {job.words}" if job else ""
            said = words_of(claim, NOTE) or words_of(claim, TITLE)
            why = f": {quoted(said)}" if said else ""
            return "proposed", f"release {short(claim.release)}, started by {claim.started_by}{where}{why}"
        case GateResult():
            return f"gate {claim.verdict.outcome}", f"{claim.verdict.gate}: {short(claim.release)}"
        case Decision():
            accepted = f", accepting {', '.join(claim.accepted)}" if claim.accepted else ""
            on = f", on condition: {'; '.join(c.text for c in claim.conditions)}" if claim.conditions else ""
            return (
                f"attested {claim.decision}" if isinstance(claim, Attested) else claim.decision,
                f"{short(claim.release)} for {claim.environment} as {claim.role}{accepted}: {claim.reason}{on}",
            )
        case Wanted():
            return (
                "wanted" if claim.because == "delivered" else "rolled back",
                f"{short(claim.release)} in {claim.environment}" + (f": {claim.reason}" if claim.reason else ""),
            )
        case Healthy():
            return "healthy", f"{short(claim.release)} in {claim.environment}"
        case Refused():
            return "refused", f"{short(claim.release)} in {claim.environment}: {claim.reason}"
        case Shown():
            return "shown", f"page {short(claim.page)} of release {short(claim.release)} for {claim.environment}"
        case Looked():
            return "looked", f"at holdout {short(claim.holdout)} with {short(claim.release)}"
        case AcceptedChange():
            done = "accepted a change" if claim.decision == "accept" else "withdrew"
            return done, f"of {claim.step}, {short(claim.fingerprint)}: {claim.reason}"
        case PeopleSet():
            return "people", f"version {claim.people.version}: {', '.join(p.name for p in claim.people.people)}"
        case Waived():
            return "waive", (
                f"{claim.gate} of {short(claim.release)} for {claim.environment} as {claim.role}, "
                f"until {claim.not_after:%F}: {claim.reason}"
            )
        case Revoked():
            return "revoke", f"entry {short(claim.entry)} about {short(claim.release)}: {claim.reason}"
        case BrokeGlass():
            return "break glass", f"{short(claim.release)} for {claim.environment} as {claim.role}: {claim.reason}"
        case Reviewed():
            return "review", f"of broken glass {short(claim.entry)} as {claim.role}: {claim.finding}"
        case Met():
            return "met", f"{claim.condition}: {claim.how}"
        case None:
            return "unknown", "a statement that this version cannot read"
