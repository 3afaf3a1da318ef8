"""What people call a release: `latest`, an environment, or the start of its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.identity import read_ledger
from lockgate.delivery.releases import named
from lockgate.delivery.walk import Walk, walk_now
from lockgate.deploy.environments import fold

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["live_of", "resolve"]


def resolve(project: Project, ref: str, *, now: dt.datetime) -> str:
    """The release that `ref` means now. Raises NotFound with what it could mean."""
    walk = walk_now(project, now=now)
    trust = read_ledger(project)
    return named(trust, ref, live_of(walk, trust))


def live_of(walk: Walk, trust: Trusted) -> dict[str, str]:
    """Environment → live release."""
    deployments = fold(trust, approved_only=walk.approved_only)
    return {n: e.live.release for n, e in deployments.environments.items() if e.live}
