"""`status` and `releases`: what is live where, and how far each release came. Folds over the ledger, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.declare import Gate
from lockgate.delivery.evidence.page import page_of
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.served_requests import answers
from lockgate.delivery.walk import Walk, walk_now
from lockgate.deploy.environments import fold
from lockgate.deploy.releases import ReleaseState, release_states
from lockgate.gates.approvals import standing
from lockgate.gates.binding import binding, results
from lockgate.gates.what_stands import WhatStands, passed_over, what_stands
from lockgate.records.digest import short
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
        newest: the newest registered release; `blocker` says what stands before it (empty: nothing).
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
        found.append(EnvironmentStatus(
            environment=name, release=live.release if live else None, since=live.since if live else None, strategy="direct",
            health=health, wanted=there.wanted.release if there.wanted else None,
            answers=answers(project, name, live.release) if live else None, newest=newest.release if newest else None, blocker=_blocker(project, walk, trust, newest, name, now),
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
) -> str:
    """The first thing that keeps the newest release from going live here."""
    if newest is None:
        return "no release yet: lockgate deliver"
    if newest.state in ("live", "rejected"):
        return "" if newest.state == "live" else newest.why
    found = results(trust.said, release=newest.release, policy=walk.digest)
    if pending := [s.name for s in walk.stages if isinstance(s, Gate) and s.name not in found]:
        return f"gate {pending[0]} was not run: lockgate deliver"
    ask = walk.ask(trust, newest.release, environment)
    page = page_of(project, walk, trust, release=newest.release, environment=environment)
    if ask.roles and page is None:
        return "no evidence page yet: lockgate deliver"
    current = binding(
        trust, release=newest.release, environment=environment, policy=walk.digest, page=page.sha256 if page else ""
    )
    stands = standing(trust, current, ask=ask, now=now)
    return "lockgate deliver" if stands.granted else f"{stands.missing}: lockgate approve {short(newest.release)}"
