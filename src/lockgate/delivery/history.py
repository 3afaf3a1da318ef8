"""What approved releases measured, as it stands signed in the ledger: what a ratchet holds the next one against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.gates.history import History, Measured
from lockgate.records.decisions import Decision, GateResult
from lockgate.records.in_force import rejects

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.records.digest import Json
    from lockgate.records.trust import Said, Trusted

__all__ = ["history_of", "measured_in"]


def history_of(trust: Trusted, *, release: str) -> History:
    """Numbers of every other release that a person approved and nobody rejected since, oldest approval first."""
    approved = {r: day for r, day in _approved(trust).items() if r != release}
    found: dict[tuple[str, str, str], Measured] = {}
    for said in trust.said:
        claim = said.claim
        if said.person and isinstance(claim, GateResult) and claim.release in approved:
            made = measured_in(claim, approved[claim.release])
            if made:
                found[made.release, made.metric, made.definition] = made
    return History(
        measured=tuple(sorted(found.values(), key=lambda m: (m.approved, m.release, m.metric, m.definition)))
    )


def _approved(trust: Trusted) -> dict[str, dt.date]:
    """Release → day of its first approval that no later reject for the same environment took back."""
    found: dict[str, dt.date] = {}
    for said in trust.said:
        claim = said.claim
        if _approves(said) and isinstance(claim, Decision):
            if not rejects(trust.said, release=claim.release, environment=claim.environment):
                found.setdefault(claim.release, said.entry.time.date())
    return found


def _approves(said: Said) -> bool:
    claim, person = said.claim, said.person
    return (
        isinstance(claim, Decision) and person is not None and person.kind == "person"
        and claim.decision == "approve" and claim.role in person.roles
    )  # fmt: skip


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
