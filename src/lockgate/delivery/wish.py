"""May this server follow this wish? Its own check: what stands in the ledger, held against its own policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.declare import Gate
from lockgate.deploy.environments import fold
from lockgate.errors import PermissionRefused
from lockgate.gates.approvals import authorised
from lockgate.gates.binding import ask_for, results
from lockgate.records import decisions
from lockgate.records.digest import short

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.records.trust import Trusted
    from lockgate.serving.child import Wanted

__all__ = ["approvals_behind", "check_wish", "delivery_behind"]


def check_wish(read: Trusted, asked: Wanted, walk: Walk, *, environment: str, now: dt.datetime) -> None:
    """Raise PermissionRefused unless the very entry asked for is what is wanted or live here, by those who may.

    A rollback rests on the delivery that it cites, which is checked as of its own time. What has never been healthy here
    must still be approved now: a reject or an expiry since then counts.
    """
    there = fold(read, approved_only=walk.approved_only).of(environment)
    said = read.at(asked.entry)
    wish = said.claim if said else None
    known = [w for w in (there.wanted, there.live.want if there.live else None) if w]
    if not isinstance(wish, decisions.Wanted) or (asked.entry, asked.release) not in [
        (w.entry, w.release) for w in known
    ]:
        raise PermissionRefused(
            "this deployment is not wanted here any more", value=short(asked.release), next="lockgate status"
        )
    origin = delivery_behind(read, asked.entry)
    ask = ask_for(walk.stages, environment, policy=walk.policy)
    was_healthy = any(s.want.entry in (asked.entry, origin) for s in there.history)
    if not was_healthy:  # what was served once was judged by the stages of its time
        _check_gates(read, wish, origin, walk, environment)
    stands = authorised(read, origin, ask=ask, now=None if was_healthy else now)
    if not stands.granted:
        raise PermissionRefused(
            "nobody who may has authorised this deployment", value=stands.missing, next="lockgate status"
        )


def approvals_behind(read: Trusted, entry: str) -> tuple[decisions.Decision, ...]:
    """The approvals that a wish, or the delivery that a rollback rests on, cites."""
    said = read.at(delivery_behind(read, entry))
    cited = said.claim.authorised_by if said and isinstance(said.claim, decisions.Wanted) else ()
    return tuple(a.claim for d in cited if (a := read.at(d)) and isinstance(a.claim, decisions.Decision))


def delivery_behind(read: Trusted, entry: str) -> str:
    """The delivery that a wish rests on: itself, or what a rollback cites, however many rollbacks lie between."""
    for _ in range(len(read.said) + 1):
        said = read.at(entry)
        if said is None or not isinstance(said.claim, decisions.Wanted) or said.claim.because == "delivered":
            return entry
        entry = next(iter(said.claim.authorised_by), "")
    return entry


def _check_gates(read: Trusted, wish: decisions.Wanted, origin: str, walk: Walk, environment: str) -> None:
    """Law 8: a missing gate fails. Judged under the policy that the delivery's approvals name, or today's."""
    approvals = approvals_behind(read, origin)
    policy = approvals[0].policy if approvals else walk.digest
    found = results(read.said, release=wish.release, policy=policy)
    gates = [s.name for s in walk.stages_before(environment) if isinstance(s, Gate)]
    if not approvals and wish.because == "rolled-back":
        return
    bad = [g for g in gates if g not in found or found[g].verdict.outcome == "fail"]
    if bad:
        others = {
            s.claim.policy
            for s in read.said
            if isinstance(s.claim, decisions.GateResult) and s.claim.release == wish.release
        }
        elsewhere = "" if found else _judged_elsewhere(others - {policy}, policy)
        raise PermissionRefused(
            "a gate was not passed by this release", value=", ".join(bad) + elsewhere, next="lockgate deliver"
        )


def _judged_elsewhere(others: set[str], policy: str) -> str:
    """A server whose working copy is older or newer than the one that delivered."""
    under = f"; it was judged under policy {', '.join(map(short, sorted(others)))}" if others else ""
    return f" (this server's policy is {short(policy)}{under})"
