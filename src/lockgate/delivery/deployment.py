"""Deploying is pull: write the wish into the ledger, and wait for what the environment answers (law 12)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lockgate.delivery.identity import LedgerReader, append
from lockgate.delivery.wish import check_wish
from lockgate.deploy.environments import fold, taken_away
from lockgate.errors import MovedOn, PermissionRefused, ServiceUnavailable, StepFailed, WaitingForHuman
from lockgate.records.decisions import PLAN, Wanted
from lockgate.records.digest import short

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from lockgate.delivery.walk import Walk
    from lockgate.gates.approvals import Standing
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["serving_since", "wait_for_answer", "want"]

POLL_SECONDS = 0.2


def serving_since(walk: Walk, trust: Trusted, release: str, environment: str) -> dt.datetime | None:
    """Since when the environment serves this release and wants no other; None when it does not."""
    there = fold(trust, approved_only=walk.approved_only).of(environment)
    settled = there.live and there.wanted and there.live.release == there.wanted.release == release
    return there.live.since if settled and there.live else None


def want(
    project: Project, walk: Walk, release: str, environment: str, *,
    standing: Callable[[Trusted], Standing], now: dt.datetime, plan: str = "",
) -> str | None:  # fmt: skip
    """Ask an environment for a release; the digest of the ledger entry, or None when it serves it already, and may.

    `standing` is asked again whenever the ledger moved, so that a reject in the last moment counts. `plan`: the digest of
    the delivery plan that this is part of.
    """

    def claim(trust: Trusted) -> Wanted | None:
        if serving_since(walk, trust, release, environment) and _still_may(walk, trust, environment, now):
            return None
        stands = standing(trust)
        if not stands.granted:
            raise WaitingForHuman(
                f"release {short(release)} may not enter {environment} yet",
                value=stands.missing,
                next="lockgate status",
            )
        _need_not_taken_away(walk, trust, release, environment, stands)
        return Wanted(
            release=release,
            environment=environment,
            because="delivered",
            authorised_by=stands.approvals,
            log=trust.head,
            extra={PLAN: plan} if plan else {},
        )

    entry = append(project, claim, now=now)
    return entry.digest if entry else None


def _still_may(walk: Walk, trust: Trusted, environment: str, now: dt.datetime) -> bool:
    """Whether a server that starts again would follow what is live; what was revoked since needs a new wish."""
    live = fold(trust, approved_only=walk.approved_only).of(environment).live
    if live is None:
        return False
    try:
        check_wish(trust, live.want, walk, environment=environment, now=now)
    except PermissionRefused:
        return False
    return True


def _need_not_taken_away(walk: Walk, trust: Trusted, release: str, environment: str, stands: Standing) -> None:
    """What a person rolled back does not come back because a pipeline ran again."""
    approvals = [said for digest in stands.approvals if (said := trust.at(digest))]
    there = fold(trust, approved_only=walk.approved_only).of(environment)
    if back := taken_away(there, release, approvals):
        raise WaitingForHuman(
            f"release {short(release)} was rolled back from {environment}", value=f"by {back.by} at {back.time:%F %T %Z}",
            allowed="a newer release, a signature given since, or going back to it by name",
            next=f"lockgate rollback {environment} --to {short(release)}",
        )  # fmt: skip


def wait_for_answer(project: Project, walk: Walk, environment: str, wanted: str, *, seconds: float) -> None:
    """Return when the environment is healthy with what ledger entry `wanted` asked for.

    Raises:
        StepFailed: it refused. PermissionRefused: the wish counts for nothing.
        MovedOn: somebody asked for another release meanwhile. ServiceUnavailable: silence for `seconds`.
    """
    ends, ledger = time.monotonic() + seconds, LedgerReader(project)
    while time.monotonic() < ends:
        deployments = fold(ledger.read(), approved_only=walk.approved_only)
        if ignored := next((i for i in deployments.ignored if i.entry == wanted), None):
            raise PermissionRefused(
                f"the wish for {environment} counts for nothing", value=ignored.why, next="lockgate ledger log"
            )
        there = deployments.of(environment)
        if there.wanted is None or there.wanted.entry != wanted:
            now = short(there.wanted.release) if there.wanted else "nothing"
            raise MovedOn(f"{environment} was asked for another release meanwhile", value=now, next="lockgate status")
        if there.refused:
            raise StepFailed(f"{environment} refused the release", value=there.refused, next="lockgate status")
        if there.live and there.live.want.entry == wanted:
            return
        time.sleep(POLL_SECONDS)
    raise ServiceUnavailable(
        f"nobody serves {environment}", value=f"no answer within {seconds:.0f} s", next=f"lockgate serve {environment}"
    )
