"""May this server follow this wish? Its own check: what stands in the ledger, held against its own policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from lockgate.declare import Gate
from lockgate.deploy.environments import fold
from lockgate.errors import PermissionRefused
from lockgate.gates.approvals import authorised
from lockgate.gates.binding import ask_for, results
from lockgate.gates.remeasured import unconfirmed
from lockgate.gates.what_stands import passed_over
from lockgate.records import decisions
from lockgate.records.digest import short
from lockgate.records.in_force import rejects, revoked
from lockgate.records.waivers import BrokeGlass

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from lockgate.delivery.walk import Walk
    from lockgate.gates.approvals import Standing
    from lockgate.gates.binding import Ask
    from lockgate.records.trust import Said, Trusted

__all__ = [
    "NO_FAILURE",
    "approvals_behind",
    "as_let_in",
    "check_wish",
    "delivery_behind",
    "delivery_of",
    "policy_behind",
    "stopped_wishes",
]


NO_FAILURE: Final = ("pass", "not_applicable", "uncertain")


class Asked(Protocol):
    """A wish to follow: its ledger entry (a digest) and the release it names."""

    @property
    def entry(self) -> str: ...

    @property
    def release(self) -> str: ...


def check_wish(read: Trusted, asked: Asked, walk: Walk, *, environment: str, now: dt.datetime) -> Standing:
    """Who let it in. Raise PermissionRefused unless the very entry asked for is what is wanted or live here, by those who may.

    A rollback rests on the one delivery that it cites. What has been healthy here is judged as of the moment when it first
    was: an old approval need not be given again. What never was must be approved now. A reject counts whenever it came, and
    so does a revocation.
    """
    there = fold(read, approved_only=walk.approved_only).of(environment)
    said = read.at(asked.entry)
    wish = said.claim if said else None
    known = [(w.entry, w.release) for w in (there.wanted, there.live.want if there.live else None) if w]
    if not isinstance(wish, decisions.Wanted) or (asked.entry, asked.release) not in known:
        raise PermissionRefused(
            "this deployment is not wanted here any more", value=short(asked.release), next="lockgate status"
        )
    origin = delivery_behind(read, asked.entry)
    first = _first_healthy(read, origin, asked.release)
    then, at = (read.before(first.entry.seq), first.entry.time) if first else (read, now)
    ask = ask_for(walk.stages, environment, policy=walk.policy)
    gone = revoked(read, ask.exceptions.revokers)
    passes = _Passes(then, wish.release, ask, at, gone)
    _check_gates(then, passes, origin, walk, environment, was_healthy=first is not None)
    stands = authorised(then, origin, ask=ask, now=at, gone=gone)
    since = rejects(read.said, release=asked.release, environment=environment)
    if since or not stands.granted:
        names = ", ".join(s.person.name for s in since if s.person)
        raise PermissionRefused(
            "nobody who may has authorised this deployment", value=f"rejected by {names}" if names else stands.missing,
            next="lockgate status",
        )  # fmt: skip
    return stands


def policy_behind(read: Trusted, entry: str, walk: Walk) -> str:
    """The policy that a wish is held against: what its approvals name, or this server's own."""
    claims = (a.claim for a in approvals_behind(read, entry))
    return next((c.policy for c in claims if isinstance(c, decisions.Decision | BrokeGlass)), walk.digest)


def as_let_in(read: Trusted, entry: str, release: str) -> Trusted:
    """The ledger as it stood when a server first said that the delivery behind a wish was healthy; until one does, all of it."""
    first = _first_healthy(read, delivery_behind(read, entry), release)
    return read.before(first.entry.seq) if first else read


def stopped_wishes(read: Trusted, walk: Walk, environment: str) -> frozenset[str]:
    """The wishes (entries) whose approvals were revoked since, so that they no longer suffice: no rollback rests on them."""
    ask = ask_for(walk.stages, environment, policy=walk.policy)
    gone = revoked(read, ask.exceptions.revokers)
    if not gone:
        return frozenset()
    served = {s.want.entry for s in fold(read, approved_only=walk.approved_only).of(environment).history}
    return frozenset(entry for entry in served if not _suffices(read, entry, ask, gone))


def _suffices(read: Trusted, entry: str, ask: Ask, gone: frozenset[str]) -> bool:
    origin = delivery_behind(read, entry)
    said = read.at(origin)
    first = (
        _first_healthy(read, origin, said.claim.release) if said and isinstance(said.claim, decisions.Wanted) else None
    )
    if first is None:
        return False
    then = read.before(first.entry.seq)
    stands = authorised(then, origin, ask=ask, now=first.entry.time, gone=gone)
    return stands.agreed or bool(stands.glass)


def approvals_behind(read: Trusted, entry: str) -> tuple[Said, ...]:
    """The approvals, and the broken glass, that a wish cites, or the delivery that a rollback rests on.

    In the order in which they were signed, as `authorised` takes them: the first one names policy and page, and whoever wishes
    chooses the order in which they cite.
    """
    said = read.at(delivery_behind(read, entry))
    if said is None or not isinstance(said.claim, decisions.Wanted):
        return ()
    cited, before = set(said.claim.authorised_by), read.before(said.entry.seq).said
    return tuple(
        s
        for s in before
        if s.person and s.entry.digest in cited and isinstance(s.claim, decisions.Decision | BrokeGlass)
    )


def delivery_of(read: Trusted, release: str, environment: str, *, approved_only: Collection[str]) -> str:
    """The delivery behind what the environment served last of a release; "" when it never served it."""
    there = fold(read, approved_only=approved_only).of(environment)
    served = next((s for s in reversed(there.history) if s.release == release), None)
    return delivery_behind(read, served.want.entry) if served else ""


def delivery_behind(read: Trusted, entry: str) -> str:
    """The delivery that a wish rests on: itself, or what a rollback cites, however many rollbacks lie between.

    Every rollback on the way cites exactly one wish, for the same release in the same environment; else there is none ("").
    """
    first = read.at(entry)
    wish = first.claim if first else None
    while isinstance(wish, decisions.Wanted) and wish.because != "delivered":
        said = read.at(wish.authorised_by[0]) if len(wish.authorised_by) == 1 else None
        before = said.claim if said else None
        if not (isinstance(before, decisions.Wanted) and _same_place(before, wish)):
            return ""
        entry, wish = said.entry.digest if said else "", before
    return entry


def _same_place(one: decisions.Wanted, other: decisions.Wanted) -> bool:
    return (one.release, one.environment) == (other.release, other.environment)


def _first_healthy(read: Trusted, origin: str, release: str) -> Said | None:
    """The first answer of a server that the delivery was healthy."""
    wish = read.at(origin)
    place = wish.claim.environment if wish and isinstance(wish.claim, decisions.Wanted) else ""
    claims = ((s, s.claim) for s in read.said if s.person and isinstance(s.claim, decisions.Healthy))
    return next((s for s, c in claims if (c.wanted, c.release, c.environment) == (origin, release, place)), None)


@dataclass(frozen=True, slots=True)
class _Passes:
    """Which gates stop a release, not being waived; as of then, by the server's own policy.

    An outcome that this version does not know stops it: a newer one may mean harm by it (law 8).
    """

    read: Trusted
    release: str
    ask: Ask
    at: dt.datetime
    gone: frozenset[str]

    def failed(self, policy: str) -> list[str]:
        """The gates whose results under this policy stop the release."""
        found = results(self.read.said, release=self.release, policy=policy)
        bad = [g for g, r in found.items() if r.verdict.outcome not in NO_FAILURE]
        passed = bad and passed_over(
            self.read, release=self.release, policy=policy, ask=self.ask, now=self.at, gone=self.gone
        )
        return [g for g in bad if g not in passed]


def _check_gates(
    read: Trusted, passes: _Passes, origin: str, walk: Walk, environment: str, *, was_healthy: bool
) -> None:
    """Law 8: a missing gate fails. Judged under the policy that the delivery's approvals name, or today's.

    Where nobody approves and it was healthy before, by the stages of its time: no policy then failed it.
    """
    claims = (a.claim for a in approvals_behind(read, origin))
    approvals = [c for c in claims if isinstance(c, decisions.Decision | BrokeGlass)]
    if was_healthy and not approvals:
        _check_no_failure(read, passes)
        return
    policy = policy_behind(read, origin, walk)
    if not was_healthy or policy == walk.digest:
        _check_measured_again(read, passes.release, policy, walk, environment)
    found = results(read.said, release=passes.release, policy=policy)
    gates = list(found) if was_healthy else [s.name for s in walk.stages_before(environment) if isinstance(s, Gate)]
    failed = passes.failed(policy)
    if not (was_healthy or passes.ask.roles) and walk.policy.environment(environment).protected:
        failed += [g for g, r in found.items() if r.verdict.outcome == "uncertain"]  # nobody is asked to accept it
    if bad := [g for g in gates if g not in found or g in failed]:
        others = {c.policy for c in _results_of(read, passes.release)}
        elsewhere = "" if found else _judged_elsewhere(others - {policy}, policy)
        raise PermissionRefused(
            "a gate was not passed by this release", value=", ".join(bad) + elsewhere, next="lockgate deliver"
        )


def _check_measured_again(read: Trusted, release: str, policy: str, walk: Walk, environment: str) -> None:
    """As the server's own policy demands; what was let in before it demanded that stays."""
    need = walk.policy.environment(environment).remeasured
    gates = [s.name for s in walk.stages_before(environment) if isinstance(s, Gate)]
    if lacking := unconfirmed(read, release=release, policy=policy, gates=gates, need=need):
        raise PermissionRefused(
            "nobody independent measured again what this release was let in by",
            value="; ".join(f"{u.gate}: {u.why}" for u in lacking), next=f"lockgate approvals {environment}",
        )  # fmt: skip


def _check_no_failure(read: Trusted, passes: _Passes) -> None:
    policies = {c.policy for c in _results_of(read, passes.release)}
    if policies and all(passes.failed(policy) for policy in policies):
        raise PermissionRefused(
            "a gate was not passed by this release", value=short(passes.release), next="lockgate status"
        )


def _results_of(read: Trusted, release: str) -> list[decisions.GateResult]:
    claims = (s.claim for s in read.said if s.person)
    return [c for c in claims if isinstance(c, decisions.GateResult) and c.release == release]


def _judged_elsewhere(others: set[str], policy: str) -> str:
    """A server whose working copy is older or newer than the one that delivered."""
    under = f"; it was judged under policy {', '.join(map(short, sorted(others)))}" if others else ""
    return f" (this server's policy is {short(policy)}{under})"
