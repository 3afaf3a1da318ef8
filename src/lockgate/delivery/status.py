"""`status` and `releases`: what is live where, and how far each release came. Folds over the ledger, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.declare import DeployTo, Gate
from lockgate.delivery.approval.missing import how_to_sign
from lockgate.delivery.evidence.page import page_of
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.served_requests import answers
from lockgate.delivery.onward import DELIVER, proposed_in
from lockgate.delivery.walk import Walk, walk_now
from lockgate.deploy.environments import fold
from lockgate.deploy.releases import ReleaseState, release_states
from lockgate.gates.approvals import standing
from lockgate.gates.binding import binding, results
from lockgate.gates.what_stands import WhatStands, passed_over, what_stands
from lockgate.records.in_force import revoked

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from lockgate.deploy.environments import Deployments
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["EnvironmentStatus", "releases", "status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStatus:
    """One environment now: what the ledger says, and whether the server it names answers.

    Attributes:
        health: `healthy`, `waiting` for another release, `refused` with the reason, or `empty`.
        wanted: the release that the environment was asked for last.
        answers: whether a server answers now with the live release; None when nothing is live.
        newest: the newest registered release; `blocker` says what stands before it (empty: nothing), `next` what to do about it.
        stands: waivers, conditions and broken glass of the live release here, and every review that is open in the ledger.
    """

    environment: str
    release: str | None
    since: dt.datetime | None
    strategy: str
    health: str
    wanted: str | None
    answers: bool | None
    newest: str | None
    blocker: str
    next: str = ""
    stands: WhatStands = field(default_factory=WhatStands)


def status(project: Project, *, now: dt.datetime) -> tuple[EnvironmentStatus, ...]:
    """Every environment of the delivery pipeline, in the order they are entered."""
    walk, trust = _read(project, now)
    deployments = fold(trust, approved_only=walk.approved_only)
    found: list[EnvironmentStatus] = []
    for name in walk.environments:
        there = deployments.of(name)
        known = _states(walk, trust, deployments, name, now)
        newest = known[-1] if known else None
        live = there.live
        settled = there.wanted is None or (live is not None and live.want.entry == there.wanted.entry)
        health = (
            f"refused: {there.refused}"
            if there.refused
            else ("healthy" if settled and live else "waiting" if there.wanted else "empty")
        )
        why, step = _blocker(project, walk, trust, newest, name, now)
        found.append(EnvironmentStatus(
            environment=name, release=live.release if live else None, since=live.since if live else None, strategy="direct",
            health=health, wanted=there.wanted.release if there.wanted else None,
            answers=answers(project, name, live.release) if live else None, newest=newest.release if newest else None,
            blocker=f"{why}: {step}" if step else why, next=step,
            stands=_stands(walk, trust, live.release if live else "", name, now),
        ))  # fmt: skip
    return tuple(found)


def releases(project: Project, *, now: dt.datetime, rejected: bool = False) -> tuple[ReleaseState, ...]:
    """Every release and its state towards the last environment, newest first; `rejected`: what was stopped, live or not."""
    walk, trust = _read(project, now)
    last = walk.environments[-1] if walk.environments else ""
    states = _states(walk, trust, fold(trust, approved_only=walk.approved_only), last, now)
    return tuple(s for s in reversed(states) if not rejected or s.state == "rejected" or s.stopped)


def _states(
    walk: Walk, trust: Trusted, deployments: Deployments, environment: str, now: dt.datetime
) -> tuple[ReleaseState, ...]:
    """How far each release came; a failed gate that is waived does not stop it, and a revoked approval is none."""

    def passed(release: str) -> Mapping[str, str]:
        ask = walk.ask(trust, release, environment)
        return passed_over(trust, release=release, policy=walk.digest, ask=ask, now=now)

    gone = revoked(trust, walk.policy.exceptions.revokers)
    return release_states(trust, deployments, environment=environment, passed=passed, gone=gone)


def _stands(walk: Walk, trust: Trusted, release: str, environment: str, now: dt.datetime) -> WhatStands:
    ask = walk.ask(trust, release, environment)
    return what_stands(trust, release=release, policy=walk.digest, ask=ask, now=now)


def _read(project: Project, now: dt.datetime) -> tuple[Walk, Trusted]:
    return walk_now(project, now=now), read_ledger(project)


def _blocker(
    project: Project, walk: Walk, trust: Trusted, newest: ReleaseState | None, environment: str, now: dt.datetime
) -> tuple[str, str]:
    """The first thing that keeps the newest release from going live here, and the next step; both empty: nothing does."""
    if newest is None:
        return "no release yet", DELIVER
    if newest.state in ("live", "rejected"):
        return "" if newest.state == "live" else newest.why, ""
    release, job = newest.release, proposed_in(trust, newest.release)
    if first := _not_passed(walk, trust, release, environment):
        stage, why = first
        return why, f"job {stage} of {job.words}" if job else DELIVER
    ask = walk.ask(trust, release, environment)
    page = page_of(project, walk, trust, release=release, environment=environment)
    if ask.roles and page is None:
        return "no evidence page yet", f"job approve:{environment} of {job.words}" if job else DELIVER
    current = binding(
        trust, release=release, environment=environment, policy=walk.digest, page=page.sha256 if page else ""
    )
    stands = standing(trust, current, ask=ask, now=now)
    if stands.rejected_by:
        return stands.missing, ""
    if not stands.granted:
        return stands.missing, how_to_sign(walk, release, ask, stands)
    agreed = "everybody has agreed" if ask.roles else "nobody is asked"
    return f"{agreed}, and it was not delivered yet", f"job deploy:{environment} of {job.words}" if job else DELIVER


def _not_passed(walk: Walk, trust: Trusted, release: str, environment: str) -> tuple[str, str] | None:
    """The first stage on the way to an environment that a release has not been through: its job, and why; in their order."""
    known = results(trust.said, release=release, policy=walk.digest)
    deployments = fold(trust, approved_only=walk.approved_only)
    for stage in walk.stages_before(environment):
        if isinstance(stage, Gate) and stage.name not in known:
            return f"gate:{stage.name}", f"gate {stage.name} was not run"
        if isinstance(stage, DeployTo) and not any(
            s.release == release for s in deployments.of(stage.environment).history
        ):
            return f"deploy:{stage.environment}", f"it goes to {stage.environment} first"
    return None
