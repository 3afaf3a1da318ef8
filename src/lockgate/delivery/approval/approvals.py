"""`approvals`: whether everybody who must agree before an environment has signed; until then, who is missing and how they sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.delivery.approval.missing import check_somebody_is_asked, how_to_sign, stopped
from lockgate.delivery.chosen import chosen
from lockgate.delivery.evidence.page import page_of
from lockgate.delivery.evidence.recorded_page import keep_recorded_page
from lockgate.delivery.identity import read_ledger, who
from lockgate.delivery.judging.check_recorded import check_recorded
from lockgate.delivery.judging.check_remeasured import lacking, not_remeasured
from lockgate.delivery.judging.material import judged_on
from lockgate.delivery.walk import walk_now
from lockgate.errors import LockgateError, NotFound, PermissionRefused, WaitingForHuman
from lockgate.gates.approvals import Standing, standing
from lockgate.gates.authors import editors_unknown
from lockgate.gates.binding import Ask, binding
from lockgate.records.digest import short
from lockgate.records.people import DELIVERER

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.gates.remeasured import Unconfirmed
    from lockgate.project import Project
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.trust import Trusted

__all__ = ["Asked", "approvals", "stands_now"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Where a release stands before the people of one environment.

    Attributes:
        ask: whom the policy asks, and for what. stands: who has signed.
        page: sha256 of the evidence page that they sign under; empty where nobody is asked.
        sign: the command of who is missing; empty when nobody is.
        error: why a pipeline stops here, or None.
        editors_unknown: why nobody can tell who edited the policy, where that matters; else empty.
        unmeasured: gates that too few validators measured again.
    """

    release: str
    environment: str
    ask: Ask
    stands: Standing
    page: str = ""
    sign: str = ""
    error: LockgateError | None = None
    editors_unknown: str = ""
    unmeasured: tuple[Unconfirmed, ...] = ()


def approvals(
    project: Project, environment: str, ref: str | None = None, *, clock: Callable[[], dt.datetime],
    job: ForgeJob | None = None, tell: Callable[[Event], None] = lambda _: None,
) -> Asked:  # fmt: skip
    """Read it in the ledger. A deliverer's key also makes the page that people sign under, if there is none yet.

    Raises what `check_recorded` does: nobody is asked about a release that a gate stops.
    """
    now = clock()
    walk, trust = walk_now(project, now=now), read_ledger(project)
    walk.check(environment)
    release = chosen(walk, trust, ref, job).release
    check_recorded(walk, trust, release, environment, now=now)
    ask = walk.ask(trust, release, environment)
    page = _page(project, walk, trust, release, ask, clock, tell) if ask.roles else ""
    stands = stands_now(walk, read_ledger(project), release, ask, page=page, now=clock())
    if not ask.roles:
        check_somebody_is_asked(walk, ask, stands)
    again = not_remeasured(walk, trust, release, environment)
    error = again if stands.granted else stopped(walk, release, ask, stands)
    waits = not stands.granted and not stands.rejected_by and bool(ask.roles)
    sign = how_to_sign(walk, release, ask, stands) if waits else ""
    matters = ask.self_approval == "refused" and "policy_editor" in ask.exclude and page
    return Asked(
        release=release, environment=environment, ask=ask, stands=stands, page=page, sign=sign, error=error,
        unmeasured=lacking(walk, trust, release, environment),
        editors_unknown=editors_unknown(read_ledger(project), page) if matters else "",
    )  # fmt: skip


def stands_now(walk: Walk, trust: Trusted, release: str, ask: Ask, *, page: str, now: dt.datetime) -> Standing:
    """Who counts, for the present evidence, policy, people and page."""
    current = binding(trust, release=release, environment=ask.environment, policy=walk.digest, page=page)
    return standing(trust, current, ask=ask, now=now)


def _page(
    project: Project, walk: Walk, trust: Trusted, release: str, ask: Ask, clock: Callable[[], dt.datetime],
    tell: Callable[[Event], None],
) -> str:  # fmt: skip
    if kept := page_of(project, walk, trust, release=release, environment=ask.environment):
        return kept.sha256
    if not _delivers(project, trust):
        raise WaitingForHuman(
            f"no evidence page of release {short(release)} for {ask.environment} is signed yet",
            value=f"only a {DELIVERER} signs one", next=f"lockgate approvals {ask.environment}   (with the pipeline's key)",
        )  # fmt: skip
    on = judged_on(project, walk, release)
    return keep_recorded_page(project, walk, release, ask.environment, on, now=clock(), tell=tell)


def _delivers(project: Project, trust: Trusted) -> bool:
    """Whether this copy's key may sign a page; who only looks has none, or another role."""
    try:
        return DELIVERER in who(project, trust).roles
    except (NotFound, PermissionRefused):
        return False
