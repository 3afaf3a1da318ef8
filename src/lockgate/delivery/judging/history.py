"""What approved releases were signed with, and served: what a ratchet holds the next one against.

Nobody loosens the bar afterwards. A result that came after the approval is not what people signed; a reject or a
revocation of a release that was live stops the release, not the number. What was approved and never served moves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.deploy.environments import fold
from lockgate.gates.binding import evidence_root, results
from lockgate.gates.history import History, Measured
from lockgate.records.decisions import Decision, GateResult
from lockgate.records.in_force import revoked

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable

    from lockgate.deploy.environments import Want
    from lockgate.records.digest import Json
    from lockgate.records.trust import Said, Trusted

__all__ = ["history_of", "measured_in"]


def history_of(
    trust: Trusted, *, release: str, approved_only: Collection[str] = (), revokers: Collection[str] = ()
) -> History:
    """Numbers that every other release was approved with, and delivered by that approval; oldest approval first.

    Args:
        approved_only: as of `fold`. revokers: roles that may revoke what others signed.
    """
    measured: dict[str, list[Said]] = {}
    for said in trust.said:
        if isinstance(said.claim, GateResult) and said.claim.release != release:
            measured.setdefault(said.claim.release, []).append(said)
    taken_back = revoked(trust, revokers)
    found: dict[Measured, None] = {}
    for want, environment in _followed(trust, approved_only):
        before = [s for s in measured.get(want.release, ()) if s.entry.seq < want.seq]
        for said in _approvals(trust, want, environment, taken_back, revokers) if before else ():
            found.update(dict.fromkeys(_bound(said, before)))
    return History(measured=_first_of_each(found))


def _followed(trust: Trusted, approved_only: Collection[str]) -> list[tuple[Want, str]]:
    """Deliveries that a server followed, with their environments; a rollback cites one of them and says nothing new."""
    there = fold(trust, approved_only=approved_only).environments
    return [(s.want, name) for name, e in there.items() for s in e.history if s.want.because == "delivered"]


def _approvals(
    trust: Trusted, want: Want, environment: str, taken_back: Collection[str], revokers: Collection[str]
) -> Iterable[Said]:
    """The persons' approvals of this release, here, that a delivery cites and that still counted when it was asked for."""
    for said in map(trust.at, want.authorised_by):
        claim, person = said.claim if said else None, said.person if said else None
        if said is None or not isinstance(claim, Decision) or person is None or said.entry.seq >= want.seq:
            continue
        approves = claim.decision == "approve" and person.kind == "person" and claim.role in person.roles
        about_this = (claim.release, claim.environment) == (want.release, environment)
        late = want.time >= claim.not_after
        gone = said.entry.digest in taken_back and said.entry.digest in revoked(trust.before(want.seq), revokers)
        if approves and about_this and not late and not gone:
            yield said


def _bound(said: Said, before: Iterable[Said]) -> Iterable[Measured]:
    """The numbers of the results that an approval binds, if they are those that stood when it was followed."""
    claim = said.claim
    assert isinstance(claim, Decision)
    stood = results(before, release=claim.release, policy=claim.policy).values()
    if evidence_root(stood) == claim.evidence:
        day = said.entry.time.date()
        yield from (made for result in stood if (made := measured_in(result, day)))


def _first_of_each(found: Iterable[Measured]) -> tuple[Measured, ...]:
    """The same number of the same release once, on the day of its first approval."""
    kept: dict[tuple[str, ...], Measured] = {}
    for each in sorted(found, key=lambda m: (m.approved, m.release, m.metric, m.definition, m.holdout, m.value)):
        kept.setdefault((each.release, each.metric, each.definition, each.holdout, each.value), each)
    return tuple(kept.values())


def measured_in(claim: GateResult, approved: dt.date) -> Measured | None:
    """The number that a gate's verdict carries, when it says which metric it is."""
    extra = claim.verdict.extra
    statistic, definition = _fields(extra.get("statistic")), extra.get("definition")
    value, name = statistic.get("value"), statistic.get("name")
    if claim.verdict.outcome == "fail" or not (
        isinstance(value, str) and isinstance(name, str) and isinstance(definition, str)
    ):
        return None
    holdout = claim.inputs.get("@holdout", "")
    low, high = statistic.get("low"), statistic.get("high")
    return Measured(
        release=claim.release, approved=approved, metric=name, value=value, definition=definition, holdout=holdout,
        low=low if isinstance(low, str) else None, high=high if isinstance(high, str) else None,
    )  # fmt: skip


def _fields(value: Json) -> dict[str, Json]:
    return dict(value) if isinstance(value, dict) else {}
