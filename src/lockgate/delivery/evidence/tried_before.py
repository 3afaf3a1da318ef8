"""What was tried before: releases that were stopped on the way to an environment since the live one was proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.deploy.environments import fold
from lockgate.deploy.releases import release_states
from lockgate.gates.what_stands import passed_over
from lockgate.records.pack import Attempt
from lockgate.records.proposals import first_proposal

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockgate.delivery.walk import Walk
    from lockgate.deploy.releases import ReleaseState
    from lockgate.deploy.stopped import Stop
    from lockgate.records.trust import Trusted

__all__ = ["attempts"]


def attempts(walk: Walk, trust: Trusted, *, release: str, live: str | None, environment: str) -> tuple[Attempt, ...]:
    """Stopped releases, newest first, as the ledger stood when `release` was proposed: a page waits and stays the same."""
    mine = first_proposal(trust.said, release)
    if mine is None:
        return ()
    past = trust.before(mine.entry.seq)
    since = first_proposal(trust.said, live) if live else None

    def passed(other: str) -> Collection[str]:
        ask = walk.ask(past, other, environment)
        return passed_over(past, release=other, policy=walk.digest, ask=ask, now=mine.entry.time)

    states = release_states(past, fold(past, approved_only=walk.approved_only), environment=environment, passed=passed)
    stopped = (s for s in reversed(states) if s.state == "rejected" and s.release != release)
    return tuple(_attempt(s) for s in stopped if since is None or s.proposed >= since.entry.time)


def _attempt(state: ReleaseState) -> Attempt:
    return Attempt(
        release=state.release, proposed=state.proposed.date(), why=tuple(_in_words(s) for s in state.stopped)
    )


def _in_words(stop: Stop) -> str:
    who = f"{stop.name} failed" if stop.what == "gate" else f"{stop.who} ({stop.name}) rejected it"
    return f"{who}: {stop.reason}"
