"""Why a release does not go on: which gate failed and who rejected it, when, and in which words. A fold over the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.records.decisions import Decision, GateResult
from lockgate.records.in_force import rejects
from lockgate.records.trust import Said, Trusted

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Stop", "stops"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One thing that stops a release.

    Attributes:
        what: a failed gate, or a person's reject.
        name: the gate, or the role the person decided in.
        who: the person, or who ran the gate and signed its result.
        reason: the verdict's sentence, or the person's own words.
        lifted_by: what would let it go on.
    """

    what: Literal["gate", "reject"]
    name: str
    who: str
    when: datetime
    reason: str
    lifted_by: str


def stops(trusted: Trusted, *, release: str, environment: str) -> tuple[Stop, ...]:
    """Everything that stands against a release, the oldest first. A gate counts by its newest result."""
    against = [_reject(s, s.claim) for s in rejects(trusted.said, release=release, environment=environment)
               if isinstance(s.claim, Decision)]  # fmt: skip
    newest: dict[str, tuple[Said, GateResult]] = {}
    for said in trusted.said:
        if said.person and isinstance(said.claim, GateResult) and said.claim.release == release:
            newest[said.claim.verdict.gate] = (said, said.claim)
    failed = [_gate(said, claim) for said, claim in newest.values() if claim.verdict.outcome == "fail"]
    return tuple(sorted((*failed, *against), key=lambda s: (s.when, s.what, s.name)))


def _gate(said: Said, claim: GateResult) -> Stop:
    return Stop(
        what="gate", name=claim.verdict.gate, who=_name(said), when=said.entry.time, reason=claim.verdict.reason,
        lifted_by="another release passes; or the policy allows a waiver, and people sign one",
    )  # fmt: skip


def _reject(said: Said, claim: Decision) -> Stop:
    return Stop(
        what="reject", name=claim.role, who=_name(said), when=said.entry.time, reason=claim.reason,
        lifted_by=f"{_name(said)} approves it later",
    )  # fmt: skip


def _name(said: Said) -> str:
    return said.person.name if said.person else ""
