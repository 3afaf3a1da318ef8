"""May this release go there: which approvals count, and the first field in which each other one differs.

Pure: facts in, `Standing` out; the clock is an argument. People are counted, never keys; one person fills one role.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal

from lockgate.declare import Approval, DeployTo
from lockgate.errors import PermissionRefused, UsageError, did_you_mean
from lockgate.gates.policy import Policy, SelfApproval, duration
from lockgate.records.decisions import Decision, GateResult, Proposed, result_digest
from lockgate.records.digest import canonical, sha256_bytes, short
from lockgate.records.trust import Said, Trusted, rejects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from lockgate.declare import Stage
    from lockgate.records.ledger import Head
    from lockgate.records.people import Person

__all__ = [
    "Ask",
    "Binding",
    "Objection",
    "RoleAsked",
    "RoleStanding",
    "Standing",
    "ask_for",
    "authors",
    "binding",
    "decide",
    "evidence_root",
    "objection",
    "results",
    "standing",
]

BOUND: Final = ("environment", "policy", "people", "evidence", "page")
ELSEWHERE: Final = frozenset({"release", "environment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What is true now, and what an approval must name to count: digests, and the environment."""

    release: str
    environment: str
    evidence: str
    policy: str
    people: str
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAsked:
    """`need` different people in `role`, each signature counting for `valid_for`."""

    role: str
    need: int
    valid_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What people are asked before a release may enter an environment. `uncertain`: gates to accept by name."""

    roles: tuple[RoleAsked, ...]
    uncertain: tuple[str, ...] = ()
    self_approval: SelfApproval = "refused"

    def valid_for(self, role: str) -> timedelta | None:
        """How long a signature in this role counts; None when the role is not asked."""
        return next((r.valid_for for r in self.roles if r.role == role), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why one decision does not count: the first `field` that forbids it, and the sentence."""

    field: str
    why: str
    entry: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStanding:
    """One role: how many people are needed, and who counts."""

    role: str
    need: int
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a release stands before the people.

    Attributes:
        approvals: digests of the ledger entries that were counted: what a deployment is authorised by.
        rejected_by: people whose reject stands.
        own_work: people who are counted although it is their own work (`self_approval = "flagged"`).
        not_counted: every other approval of this ledger, with its first reason.
    """

    roles: tuple[RoleStanding, ...]
    approvals: tuple[str, ...]
    rejected_by: tuple[str, ...]
    own_work: tuple[str, ...]
    not_counted: tuple[Objection, ...]

    @property
    def granted(self) -> bool:
        """Everybody who must agree does, and nobody's reject stands."""
        return not self.rejected_by and all(len(r.people) >= r.need for r in self.roles)

    @property
    def four_eyes(self) -> bool:
        """Granted by people, none of whom approved their own work."""
        return self.granted and bool(self.approvals) and not self.own_work

    @property
    def missing(self) -> str:
        """What is still needed, in words; empty when granted."""
        if self.rejected_by:
            return "rejected by " + ", ".join(self.rejected_by)
        short_of = [f"{r.need - len(r.people)} more {r.role}" for r in self.roles if len(r.people) < r.need]
        near = [f"{o.person}'s approval does not count: {o.why}" for o in self.not_counted if o.field not in ELSEWHERE]
        return "; ".join([*short_of, *near]) if short_of else ""


def ask_for(
    stages: Sequence[Stage], environment: str, *, policy: Policy, uncertain: Iterable[str] = ()
) -> Ask:
    """Collect the approvals that stand between the deployment before and the one to `environment`."""
    asked: list[RoleAsked] = []
    for stage in stages:
        if isinstance(stage, Approval):
            need = policy.need.get(stage.role, 1)
            asked.append(RoleAsked(role=stage.role, need=need, valid_for=duration(stage.valid_for)))
        elif isinstance(stage, DeployTo):
            if stage.environment == environment:
                return Ask(
                    roles=tuple(asked), uncertain=tuple(sorted(uncertain)), self_approval=policy.self_approval
                )
            asked = []
    known = [s.environment for s in stages if isinstance(s, DeployTo)]
    raise UsageError("the delivery pipeline does not deploy there", value=environment, allowed=did_you_mean(environment, known))


def results(said: Iterable[Said], *, release: str, policy: str) -> Mapping[str, GateResult]:
    """Gate → its newest result on this release under this policy. A result under another policy is stale."""
    newest: dict[str, GateResult] = {}
    for each in said:
        claim = each.claim
        if each.person and isinstance(claim, GateResult) and (claim.release, claim.policy) == (release, policy):
            newest[claim.verdict.gate] = claim
    return newest


def evidence_root(results: Iterable[GateResult]) -> str:
    """sha256 over the sorted digests of gate results. Measuring the same again does not change it."""
    return sha256_bytes(canonical(["evidence", sorted(result_digest(r) for r in results)]))


def binding(trusted: Trusted, *, release: str, environment: str, policy: str, page: str) -> Binding:
    """What an approval binds now. `page`: sha256 of the bytes of the evidence page that is shown."""
    return Binding(
        release=release,
        environment=environment,
        evidence=evidence_root(results(trusted.said, release=release, policy=policy).values()),
        policy=policy,
        people=trusted.people.digest,
        page=page,
    )


def decide(
    decision: Literal["approve", "reject"],
    *,
    role: str,
    reason: str,
    current: Binding,
    ask: Ask,
    accepted: Iterable[str] = (),
    log: Head,
    now: datetime,
) -> Decision:
    """Make a person's decision on what is true now. Raises UsageError when it could not count as it is."""
    valid_for = ask.valid_for(role)
    if valid_for is None:
        roles = [r.role for r in ask.roles]
        raise UsageError(
            f"nobody is asked in this role before {current.environment}", value=role, allowed=did_you_mean(role, roles)
        )
    if not reason.strip():
        raise UsageError("a decision needs a reason", value="an empty one", next=f"lockgate {decision} … --reason TEXT")
    accepted = tuple(sorted(set(accepted)))
    if decision == "approve" and accepted != ask.uncertain:
        raise UsageError(
            "every uncertain gate is accepted by name, and only those",
            value=f"accepted: {_listed(accepted)}",
            allowed=f"uncertain: {_listed(ask.uncertain)}",
            next="lockgate approve … " + " ".join(f"--accept {g}" for g in ask.uncertain),
        )
    bound = {f.name: getattr(current, f.name) for f in fields(current)}
    return Decision(
        decision=decision, role=role, reason=reason.strip(), accepted=accepted,
        not_after=now + valid_for, log=log, **bound,
    )  # fmt: skip


def authors(trusted: Trusted, release: str) -> frozenset[str]:
    """The people whose own work this is: authors, who started the run, and who registered the release."""
    names: set[str] = set()
    for each in trusted.said:
        if each.person and isinstance(each.claim, Proposed) and each.claim.release == release:
            names.update((*each.claim.authors, each.claim.started_by, each.person.name))
    people = trusted.people.people
    return frozenset(names | {p.name for p in people if any(p.is_called(n) for n in names)})


def standing(trusted: Trusted, current: Binding, *, ask: Ask, now: datetime) -> Standing:
    """Count the people. `now` is the real clock; an approval from the ledger's future does not count either."""
    counted: list[tuple[Said, Decision, Person]] = []
    objections: list[Objection] = []
    own = authors(trusted, current.release)
    for said in trusted.said:
        if not isinstance(said.claim, Decision) or said.claim.decision == "reject":
            continue
        against = _against(said, current, ask=ask, own=own, now=now)
        if against:
            objections.append(against)
        elif said.person:
            counted.append((said, said.claim, said.person))
    seats = _seats(counted, ask, own)
    against_it = rejects(trusted.said, release=current.release, environment=current.environment)
    return Standing(
        roles=tuple(RoleStanding(role=r.role, need=r.need, people=tuple(seats.get(r.role, ()))) for r in ask.roles),
        approvals=tuple(s.entry.digest for s, d, p in counted if p.name in seats.get(d.role, ())),
        rejected_by=tuple(s.person.name for s in against_it if s.person),
        own_work=tuple(sorted({p for people in seats.values() for p in people} & own)),
        not_counted=tuple(objections),
    )


def _against(
    said: Said, current: Binding, *, ask: Ask, own: frozenset[str], now: datetime
) -> Objection | None: ...


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
