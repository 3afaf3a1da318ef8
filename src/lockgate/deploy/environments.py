"""What is live: environments as a fold over the ledger. Nothing else is state.

`wanted` asks, `healthy` and `refused` answer. A rollback is authorised by the entry that wanted the same release in
the same environment before; that it was approved then is enough, unless a person has rejected it since. What it took
away does not come back by itself: a delivery of that release must cite an approval that was given since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lockgate.records.decisions import (
    Decision,
    Healthy,
    Proposed,
    Refused,
    Wanted,
)
from lockgate.records.digest import short
from lockgate.records.in_force import rejects
from lockgate.records.trust import Said, Trusted
from lockgate.records.waivers import BrokeGlass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

__all__ = [
    "Deployments",
    "Environment",
    "Ignored",
    "Served",
    "Want",
    "fold",
    "taken_away",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """The release an environment shall serve; `entry` is the digest of the ledger entry that asked, number `seq`."""

    release: str
    entry: str
    seq: int
    because: str
    by: str
    time: datetime
    authorised_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A release that an environment served, from its first `healthy` on; `until` None means it is live."""

    release: str
    want: Want
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment now. `refused` says why the wanted release is not served; `history` is oldest first.

    `withdrawn`: release → the rollback that took it away, until it is approved anew or gone back to by name.
    """

    name: str
    wanted: Want | None = None
    refused: str = ""
    history: tuple[Served, ...] = ()
    withdrawn: Mapping[str, Want] = field(default_factory=dict[str, Want])

    @property
    def live(self) -> Served | None:
        """What it serves."""
        return self.history[-1] if self.history else None

    def opponent(self, release: str) -> str | None:
        """What a release is compared with here: what is live or, when that is itself, what it replaced when it first came."""
        if self.live is None or self.live.release != release:
            return self.live.release if self.live else None
        first = next(i for i, served in enumerate(self.history) if served.release == release)
        return self.history[first - 1].release if first else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A deployment statement that changes nothing, and why."""

    entry: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployments:
    """All environments that the ledger mentions, and the statements that were ignored."""

    environments: dict[str, Environment]
    ignored: tuple[Ignored, ...]

    def of(self, name: str) -> Environment:
        """An environment; an empty one when nothing ever happened there."""
        return self.environments.get(name, Environment(name=name))


def fold(trusted: Trusted, *, approved_only: Collection[str]) -> Deployments:
    """Fold the ledger.

    `approved_only`: environments where a delivery must cite an approval that a person signed; until then nobody may
    follow it. It is a rule of today: what an operator once called healthy was served, whatever is asked now.
    """
    past = _Past()
    found: dict[str, Environment] = {}
    ignored: list[Ignored] = []
    for said in trusted.said:
        if isinstance(claim := said.claim, Wanted | Healthy | Refused):
            before = found.get(claim.environment, Environment(name=claim.environment))
            after = _take(before, said, past, approved_only=claim.environment in approved_only)
            if isinstance(after, str):
                ignored.append(Ignored(entry=said.entry.digest, why=after))
            else:
                found[claim.environment] = after
        else:
            past.note(said)
    return Deployments(environments=found, ignored=tuple(ignored))


def taken_away(there: Environment, release: str, approvals: Iterable[Said]) -> Want | None:
    """The rollback that took a release away from an environment, unless the signer of one of these approvals knew of it."""
    back = there.withdrawn.get(release)
    return back if back and all(a.claim is None or a.claim.log.size <= back.seq for a in approvals) else None


class _Past:
    """What was said before a point of the ledger, as far as it can authorise or forbid a deployment."""

    def __init__(self) -> None:
        self.proposed: set[str] = set()
        self.decisions: dict[tuple[str, str], list[Said]] = {}
        self.unapproved: dict[str, Want] = {}  # entry → what was wanted without citing an approval

    def note(self, said: Said) -> None:
        if said.person and isinstance(said.claim, Proposed):
            self.proposed.add(said.claim.release)
        elif said.person and isinstance(said.claim, Decision | BrokeGlass):
            self.decisions.setdefault((said.claim.release, said.claim.environment), []).append(said)

    def about(self, wanted: Wanted) -> Sequence[Said]:
        return self.decisions.get((wanted.release, wanted.environment), ())


def _take(now: Environment, said: Said, past: _Past, *, approved_only: bool) -> Environment | str:
    """The environment after one statement, or why the statement is ignored."""
    if said.person is None:
        return said.why
    match said.claim:
        case Wanted() as claim:
            if why := _forbidden(claim, now, past):
                return why
            if approved_only and claim.because == "delivered" and not _cites_approval(claim, said.entry.time, past):
                past.unapproved[said.entry.digest] = _want(said, claim)
                return f"no approval of this release for {claim.environment} is cited"
            if claim.because == "delivered" and taken_away(
                now, claim.release, _approvals(claim, said.entry.time, past)
            ):
                past.unapproved[said.entry.digest] = _want(said, claim)
                return f"it was rolled back from {claim.environment}, and no approval given since is cited"
            return _wanted(now, _want(said, claim))
        case Healthy() as claim:
            late = past.unapproved.get(claim.wanted)
            known = replace(now, wanted=late) if late and _is_newer(late, now.wanted) else now
            return _healthy(known, claim, said)
        case Refused() as claim:
            return _refused(now, claim)
        case _:
            return "it says nothing about an environment"


def _wanted(now: Environment, want: Want) -> Environment:
    """What a rollback leaves is withdrawn; what is wanted is not."""
    left = [now.wanted, now.live.want if now.live else None] if want.because == "rolled-back" else []
    withdrawn = {**now.withdrawn, **{w.release: want for w in left if w}}
    withdrawn.pop(want.release, None)
    return replace(now, wanted=want, refused="", withdrawn=withdrawn)


def _want(said: Said, claim: Wanted) -> Want:
    return Want(
        release=claim.release, entry=said.entry.digest, seq=said.entry.seq, because=claim.because,
        by=said.person.name if said.person else "", time=said.entry.time, authorised_by=claim.authorised_by,
    )  # fmt: skip


def _forbidden(claim: Wanted, now: Environment, past: _Past) -> str:
    """Why this wanted release may not be wanted; empty when it may."""
    if rejects(past.about(claim), release=claim.release, environment=claim.environment):
        return f"a person rejected release {short(claim.release)} for {claim.environment}"
    if claim.because == "rolled-back":
        served = (s.want.entry for s in now.history if s.release == claim.release)
        authorised = len(claim.authorised_by) == 1 and claim.authorised_by[0] in served
        return "" if authorised else f"{claim.environment} never served this release by the entry it cites"
    if claim.because != "delivered":
        return f"unknown reason {claim.because!r}"
    return "" if claim.release in past.proposed else "nobody registered this release"


def _cites_approval(claim: Wanted, time: datetime, past: _Past) -> bool:
    return bool(_approvals(claim, time, past))


def _approvals(claim: Wanted, time: datetime, past: _Past) -> list[Said]:
    """The approvals that a delivery cites and that counted at that time."""
    return [s for s in past.about(claim) if s.entry.digest in claim.authorised_by and _approves(s, time)]


def _is_newer(late: Want, wanted: Want | None) -> bool:
    return wanted is None or late.seq > wanted.seq


def _approves(said: Said, time: datetime) -> bool:
    """Whether it is a person's approval, or broken glass, that still counted when the deployment was asked for."""
    claim, person = said.claim, said.person
    if not isinstance(claim, Decision | BrokeGlass) or person is None or person.kind != "person":
        return False
    approves = isinstance(claim, BrokeGlass) or claim.decision == "approve"
    return approves and claim.role in person.roles and time < claim.not_after


def _healthy(now: Environment, claim: Healthy, said: Said) -> Environment | str:
    want = now.wanted
    if want is None or claim.wanted != want.entry or claim.release != want.release:
        return "it answers another wanted release than the present one"
    if now.live and now.live.want.entry == want.entry:
        return replace(now, refused="")  # one more server, or a restart
    ended = (*now.history[:-1], replace(now.live, until=said.entry.time)) if now.live else ()
    served = Served(release=want.release, want=want, since=said.entry.time)
    return replace(now, refused="", history=(*ended, served))


def _refused(now: Environment, claim: Refused) -> Environment | str:
    want = now.wanted
    if want is None or claim.wanted != want.entry or claim.release != want.release:
        return "it answers another wanted release than the present one"
    return replace(now, refused=claim.reason)
