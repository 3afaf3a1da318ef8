"""`rollback ENV`: the only way down. No build, no gate: authorised by the entry that wanted the release here before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.identity import append, read_ledger, who
from lockgate.delivery.walk import walk_now
from lockgate.delivery.wish import stopped_wishes
from lockgate.deploy.environments import fold
from lockgate.deploy.releases import rollback_target
from lockgate.errors import PermissionRefused
from lockgate.records.decisions import Wanted
from lockgate.records.people import OPERATOR

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.project import Project
    from lockgate.records.ledger import Entry
    from lockgate.records.trust import Trusted

__all__ = ["rollback"]


def rollback(project: Project, environment: str, *, to: str | None, reason: str, now: dt.datetime) -> tuple[str, Entry]:
    """Want a release again that this environment has served. Answers its digest and the ledger entry."""
    me = who(project, read_ledger(project))
    if OPERATOR not in me.roles:
        raise PermissionRefused(
            f"{me.name} may not roll back", value=", ".join(me.roles), allowed=OPERATOR, next="lockgate people"
        )
    walk = walk_now(project, now=now)
    walk.check(environment)
    chosen: list[str] = []

    def claim(trust: Trusted) -> Wanted:
        there = fold(trust, approved_only=walk.approved_only).of(environment)
        target = rollback_target(trust, there, to=to, gone=stopped_wishes(trust, walk, environment))
        chosen[:] = [target.release]
        return Wanted(
            release=target.release, environment=environment, because="rolled-back", authorised_by=(target.want.entry,),
            reason=reason, log=trust.head,
        )  # fmt: skip

    entry = append(project, claim, now=now)
    assert entry is not None
    return chosen[0], entry
