"""The verification summary (SLSA VSA) of a deployment: written and signed by the server, once it serves what it checked.

The server is the verifier: before it serves, it holds the ledger against its own policy and every byte against the
manifest. A deliverer's word for the same would sum up only itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.audit.for_later import keep_policy, keep_summary, summary_of
from lockgate.delivery.identity import signer, who
from lockgate.delivery.wish import as_let_in, check_wish, policy_behind
from lockgate.gates.binding import results
from lockgate.records.proposals import proposals
from lockgate.records.statement import seal
from lockgate.records.vsa import summary

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.gates.approvals import Standing
    from lockgate.project import Project
    from lockgate.records.trust import Trusted
    from lockgate.records.vsa import Level
    from lockgate.serving.child import Wanted

__all__ = ["sum_up"]


def sum_up(project: Project, read: Trusted, asked: Wanted, walk: Walk, *, environment: str, now: dt.datetime) -> None:
    """Sign and keep the summary of a deployment that is healthy, unless there is one.

    Raises PermissionRefused when the check that it would sum up does not hold.
    """
    if summary_of(project, asked.entry) is not None:
        return
    stands = check_wish(read, asked, walk, environment=environment, now=now)
    name = next(p.claim.name for p in proposals(read.said) if p.claim.release == asked.release)
    policy = policy_behind(read, asked.entry, walk)
    then = as_let_in(read, asked.entry, asked.release).said  # as the auditor reads it, however late this is written
    failed = any(r.verdict.outcome == "fail" for r in results(then, release=asked.release, policy=policy).values())
    statement = summary(
        read, name=name, release=asked.release, environment=environment, policy=policy,
        level=level(stands, failed=failed), verifier=who(project, read).name, now=now,
    )  # fmt: skip
    keep_policy(project, walk)
    keep_summary(project, asked.entry, seal(statement, signer(project)))


def level(stands: Standing, *, failed: bool) -> Level:
    """What people did for this deployment, as the summary's one level. `failed`: a gate did, and was passed over."""
    if stands.glass and not stands.agreed:
        return "LOCKGATE_BROKEN_GLASS"
    if failed:
        return "LOCKGATE_WAIVED"
    if not stands.approvals:
        return "LOCKGATE_GATES"
    if not stands.four_eyes:
        return "LOCKGATE_APPROVED"
    return "LOCKGATE_ATTESTED" if stands.attested else "LOCKGATE_FOUR_EYES"
