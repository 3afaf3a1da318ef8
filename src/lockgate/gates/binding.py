"""What a person is asked before a deployment, and what exactly a decision binds: law 9's fields, as facts of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

from lockgate.declare import Approval, DeployTo
from lockgate.errors import UsageError, did_you_mean
from lockgate.gates.exceptions import Exceptions
from lockgate.gates.policy import EXCLUDED, Excluded, Grade, Policy, SelfApproval, duration
from lockgate.records.decisions import PLAN, Decision, GateResult, result_digest
from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.waivers import Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from lockgate.declare import Stage
    from lockgate.records.ledger import Head
    from lockgate.records.trust import Said, Trusted

__all__ = ["Ask", "Binding", "RoleAsked", "ask_for", "binding", "decide", "evidence_root", "listed", "results"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What is true now, and what an approval must name to count: digests, and the environment.

    `plan`: the delivery plan that is carried out; empty: none. An approval that names none counts for any.
    """

    release: str
    environment: str
    evidence: str
    policy: str
    people: str
    page: str
    plan: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAsked:
    """`need` different people in `role`, each signature counting for `valid_for`."""

    role: str
    need: int
    valid_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What people are asked before a release may enter an environment.

    Attributes:
        uncertain: gates to accept by name.
        exclude, answers, exceptions: as the policy says.
        grade: `signed`: only people's own signatures count; `attested`: also what a machine says that a forge said.
        environment, onward: where it is asked, and that environment with all that come after it.
    """

    roles: tuple[RoleAsked, ...]
    uncertain: tuple[str, ...] = ()
    self_approval: SelfApproval = "refused"
    exclude: tuple[Excluded, ...] = EXCLUDED
    answers: bool = False
    exceptions: Exceptions = field(default_factory=Exceptions)
    grade: Grade = "signed"
    environment: str = ""
    onward: tuple[str, ...] = ()

    def valid_for(self, role: str) -> timedelta | None:
        """How long a signature in this role counts; None when the role is not asked."""
        return next((r.valid_for for r in self.roles if r.role == role), None)


def ask_for(stages: Sequence[Stage], environment: str, *, policy: Policy, uncertain: Iterable[str] = ()) -> Ask:
    """Collect the approvals that stand between the deployment before and the one to `environment`."""
    asked: list[RoleAsked] = []
    known = [s.environment for s in stages if isinstance(s, DeployTo)]
    for stage in stages:
        if isinstance(stage, Approval):
            if any(r.role == stage.role for r in asked):
                raise UsageError("a role is asked twice before one deployment", value=stage.role, allowed="once")
            need = policy.need.get(stage.role, 1)
            asked.append(RoleAsked(role=stage.role, need=need, valid_for=duration(stage.valid_for)))
        elif isinstance(stage, DeployTo):
            if stage.environment == environment:
                return Ask(
                    roles=tuple(asked), uncertain=tuple(sorted(uncertain)), self_approval=policy.self_approval,
                    exclude=policy.exclude, answers=policy.answers, exceptions=policy.exceptions,
                    grade=policy.environment(environment).grade,
                    environment=environment, onward=tuple(known[known.index(environment) :]),
                )  # fmt: skip
            asked = []
    what = "the delivery pipeline does not deploy there"
    raise UsageError(what, value=environment, allowed=did_you_mean(environment, known))


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


def binding(trusted: Trusted, *, release: str, environment: str, policy: str, page: str, plan: str = "") -> Binding:
    """What an approval binds now. `page`: sha256 of the bytes of the evidence page that is shown."""
    return Binding(
        release=release,
        environment=environment,
        evidence=evidence_root(results(trusted.said, release=release, policy=policy).values()),
        policy=policy,
        people=trusted.people.digest,
        page=page,
        plan=plan,
    )


def decide(
    decision: Literal["approve", "reject"],
    *,
    role: str,
    reason: str,
    current: Binding,
    ask: Ask,
    accepted: Iterable[str] = (),
    conditions: Iterable[Condition] = (),
    answers: Mapping[str, str] | None = None,
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
            value=f"accepted: {listed(accepted)}",
            allowed=f"uncertain: {listed(ask.uncertain)}",
            next="lockgate approve … " + (" ".join(f"--accept {g}" for g in ask.uncertain) or "without --accept"),
        )
    bound = {f.name: getattr(current, f.name) for f in fields(current) if f.name != PLAN}
    extra: dict[str, Json] = {PLAN: current.plan} if current.plan else {}
    return Decision(
        decision=decision, role=role, reason=reason.strip(), accepted=accepted,
        not_after=now + valid_for, conditions=tuple(conditions), answers=dict(answers or {}), log=log, extra=extra, **bound,
    )  # fmt: skip


def listed(names: Iterable[str]) -> str:
    """Names as people read them."""
    return ", ".join(names) or "none"
