"""What was tried before: releases that were stopped on the way to an environment since the live one was proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.deploy.environments import fold
from lockgate.deploy.releases import release_states
from lockgate.gates.what_stands import passed_over
from lockgate.records.decisions import Proposed
from lockgate.records.pack import Attempt

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockgate.delivery.walk import Walk
    from lockgate.deploy.releases import ReleaseState
    from lockgate.deploy.stopped import Stop
    from lockgate.records.trust import Said, Trusted

__all__ = ["attempts"]


def attempts(walk: Walk, trust: Trusted, *, release: str, live: str | None, environment: str) -> tuple[Attempt, ...]:
    """Stopped releases, newest first, as the ledger stood when `release` was proposed: a page waits and stays the same."""
    mine = _proposal(trust, release)
    if mine is None:
        return ()
    past = trust.before(mine.entry.seq)
    since = _proposal(trust, live) if live else None

    def passed(other: str) -> Collection[str]:
        ask = walk.ask(past, other, environment)
        return passed_over(past, release=other, policy=walk.digest, ask=ask, now=mine.entry.time)

    states = release_states(past, fold(past, approved_only=walk.approved_only), environment=environment, passed=passed)
    stopped = (s for s in reversed(states) if s.state == "rejected" and s.release != release)
    return tuple(_attempt(s) for s in stopped if since is None or s.proposed >= since.entry.time)


def _proposal(trust: Trusted, release: str | None) -> Said | None:
    said = (s for s in trust.said if s.person and isinstance(s.claim, Proposed) and s.claim.release == release)
    return next(said, None)


def _attempt(state: ReleaseState) -> Attempt:
    return Attempt(
        release=state.release, proposed=state.proposed.date(), why=tuple(_in_words(s) for s in state.stopped)
    )


def _in_words(stop: Stop) -> str:
    who = f"{stop.name} failed" if stop.what == "gate" else f"{stop.who} ({stop.name}) rejected it"
    return f"{who}: {stop.reason}"
