"""The versioned rules of who and how much: `policy.toml` and the delivery declaration, under one digest.

A limit stands in one of the two places, never in both. What `policy.toml` does not say has the strict default:
nobody approves their own work, one person per role, every environment protected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from lockgate.declare import Approval, DeployTo, Gate
from lockgate.errors import UsageError, did_you_mean
from lockgate.gates.exceptions import Exceptions, check_exceptions, duration, read_exceptions
from lockgate.gates.ranges import check_limits
from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.tables import Table, read_toml
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockgate.declare import Pipeline, Stage

__all__ = [
    "EnvironmentRules",
    "Policy",
    "SelfApproval",
    "check_policy",
    "declaration",
    "duration",
    "limits_for",
    "parse_policy",
    "policy_digest",
    "policy_text",
]

SelfApproval = Literal["refused", "flagged"]
Excluded = Literal["policy_editor", "waiver_author"]
EXCLUDED: Final[tuple[Excluded, ...]] = ("policy_editor", "waiver_author")
Grade = Literal["signed", "attested"]
GRADES: Final = ("signed", "attested")

WHY: Final = "why"
SHOW: Final = "lockgate deliver --plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRules:
    """An unprotected environment may be entered while a gate is uncertain and no person has accepted it yet.

    `grade`: `signed` counts only what people signed with their own keys; `attested` also what a forge says they pressed.
    `remeasured`: how many validators must have measured every gate again before a release enters (ADR 38).
    """

    protected: bool = True
    grade: Grade = "signed"
    remeasured: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What `policy.toml` says.

    Attributes:
        self_approval: `flagged` lets authors approve their own work, visibly and never as four eyes.
        need: role → how many different people must approve; a role that is not listed needs one.
        limits: gate name → limits for its rule.
        reasons: gate name → why its limits are what they are: read by people, decides nothing, and so is in no digest.
        exclude: who beside authors does not approve: who edited the policy since the one in force was signed, who wrote a waiver that is needed.
        answers: whether an approval must answer every question of its page.
        exceptions: waivers, breaking glass, revocation.

    """

    self_approval: SelfApproval = "refused"
    grade: Grade = "signed"
    need: Mapping[str, int] = field(default_factory=dict[str, int])
    limits: Mapping[str, Mapping[str, Json]] = field(default_factory=dict[str, Mapping[str, Json]])
    reasons: Mapping[str, str] = field(default_factory=dict[str, str])
    environments: Mapping[str, EnvironmentRules] = field(default_factory=dict[str, EnvironmentRules])
    exclude: tuple[Excluded, ...] = EXCLUDED
    answers: bool = False
    exceptions: Exceptions = field(default_factory=Exceptions)

    def environment(self, name: str) -> EnvironmentRules:
        """The rules of one environment; strict when the file does not mention it."""
        return self.environments.get(name, EnvironmentRules(grade=self.grade))


def parse_policy(text: str, *, name: str = "policy.toml") -> Policy:
    r"""Read a policy file's text. Every unknown key is an error.

    >>> parse_policy("[roles.product-owner]\nneed = 2").need
    {'product-owner': 2}
    """
    file = read_toml(text, name)
    file.only("approval", "break_glass", "environments", "limits", "revocation", "roles", "waivers")
    approval, limits = file.table("approval"), file.tables("limits")
    approval.only("answers", "exclude", "grade", "self_approval")
    grade = approval.one_of("grade", GRADES, "signed")
    return Policy(
        self_approval=approval.one_of("self_approval", ("refused", "flagged"), "refused"),
        grade=grade,
        need={role: _need(table) for role, table in file.tables("roles").items()},
        limits={gate: _limits(table) for gate, table in limits.items()},
        reasons={gate: table.text(WHY) for gate, table in limits.items() if WHY in table.content},
        environments={env: _environment(table, grade) for env, table in file.tables("environments").items()},
        exclude=_excluded(approval),
        answers=approval.truth("answers", False),
        exceptions=read_exceptions(file),
    )


def _excluded(approval: Table) -> tuple[Excluded, ...]:
    given = approval.texts("exclude", EXCLUDED)
    for name in given:
        if name not in EXCLUDED:
            raise approval.wrong("exclude", name, did_you_mean(name, EXCLUDED))
    return tuple(name for name in EXCLUDED if name in given)


def _need(table: Table) -> int:
    table.only("need")
    return table.number("need", 1, least=1)


def _limits(table: Table) -> Mapping[str, Json]:
    for key, value in table.content.items():
        finite = not isinstance(value, float) or math.isfinite(value)
        if not (finite and isinstance(value, bool | int | float | str)):
            raise table.wrong(key, value, "a finite number, a text or true/false")
    return {key: value for key, value in table.content.items() if key != WHY}


def _environment(table: Table, grade: Grade) -> EnvironmentRules:
    table.only("grade", "protected", "remeasured")
    return EnvironmentRules(
        protected=table.truth("protected", True),
        grade=table.one_of("grade", GRADES, grade),
        remeasured=table.number("remeasured", 0, least=0),
    )


def check_policy(policy: Policy, pipeline: Pipeline) -> None:
    """Hold the policy against the declaration: names that exist nowhere, and limits set twice, are errors."""
    _refuse_strangers("limits", policy.limits, (s.name for s in pipeline.stages if isinstance(s, Gate)))
    _refuse_strangers("roles", policy.need, (s.role for s in pipeline.stages if isinstance(s, Approval)))
    environments = (s.environment for s in pipeline.stages if isinstance(s, DeployTo))
    _refuse_strangers("environments", policy.environments, environments)
    check_exceptions(policy.exceptions, [s.name for s in pipeline.stages if isinstance(s, Gate)])
    for stage in pipeline.stages:
        if isinstance(stage, Gate):
            _check_limits(stage, limits_for(policy, stage))
        elif isinstance(stage, Approval):
            duration(stage.valid_for)


def _check_limits(gate: Gate, limits: Mapping[str, Json]) -> None:
    """Every limit of a built-in rule is known, set where it has no default, a number, and in its range; and names its place."""
    from lockgate.gates.rules import LIMITS, OPTIONAL
    from lockgate.gates.rules.ruling import finite

    known = LIMITS.get(gate.rule)
    if known is None:
        return
    table = f"policy.toml [limits.{gate.name}]"
    if known and not limits and set(known.values()) == {OPTIONAL}:
        listed = ", ".join(f"{name} = …" for name in known)
        raise UsageError(
            f"gate '{gate.name}' has no limit",
            value="none is set",
            allowed=f"one or more in {table} ({listed}), or where it is declared",
        )
    merged = {name: value for name, value in {**known, **limits}.items() if value != OPTIONAL}
    if stranger := next((name for name in merged if name not in known), None):
        raise UsageError(f"{table} has no such limit", value=stranger, allowed=did_you_mean(stranger, known), next=SHOW)
    if unset := next((name for name, value in merged.items() if value is None), None):
        allowed = f"{table} {unset} = …, or {unset}=… where it is declared"
        raise UsageError(f"gate '{gate.name}' has no limit", value=unset, allowed=allowed)
    check_limits(gate.rule, {n: finite(f"{table}: {n}", v) for n, v in merged.items()}, gate.params, where=table)


def _refuse_strangers(table: str, named: Iterable[str], known: Iterable[str]) -> None:
    known = set(known)
    for name in named:
        if name not in known:
            raise UsageError(
                f"policy.toml: [{table}.{name}] is in no stage of the delivery pipeline",
                value=name,
                allowed=did_you_mean(name, known),
                next=SHOW,
            )


def limits_for(policy: Policy, gate: Gate) -> Mapping[str, Json]:
    """A gate's limits from both places; a limit that both set is a UsageError."""
    ruled = policy.limits.get(gate.name, {})
    for key in sorted(set(ruled) & set(gate.limits)):
        raise UsageError(
            f"limit {key!r} of gate {gate.name!r} is set twice",
            value=f"policy.toml [limits.{gate.name}] {key} = {ruled[key]}; delivery declaration {gate.limits[key]}",
            allowed="one place: remove it from policy.toml or from the declaration",
            next=SHOW,
        )
    return {**gate.limits, **ruled}


def declaration(pipeline: Pipeline) -> Json:
    """The delivery declaration as JSON: everything that decides, functions by name."""
    return {"name": pipeline.name, "stages": [_stage(stage) for stage in pipeline.stages]}


def _stage(stage: Stage) -> Json:
    match stage:
        case Gate():
            return {
                "gate": stage.name,
                "evidence": _name_of(stage.evidence),
                "rule": stage.rule,
                "params": to_json(stage.params),
                "limits": to_json(stage.limits),
            }
        case Approval():
            return {"approval": stage.role, "valid_for": stage.valid_for}
        case DeployTo():
            return {"deploy_to": stage.environment}


def _name_of(function: str | Callable[..., object]) -> str:
    if isinstance(function, str):
        return function
    return f"{function.__module__}:{function.__qualname__}"


def policy_digest(policy: Policy, declared: Json) -> str:
    """*The* policy digest: sha256 over the canonical policy and the canonical delivery declaration."""
    return sha256_bytes(policy_text(policy, declared))


def policy_text(policy: Policy, declared: Json) -> bytes:
    """The bytes that the policy digest is of: all that decides, for somebody who has neither the code nor the file.

    What a file does not say of the tables that came later leaves no trace: an upgrade voids nobody's signature.
    """
    told, strict = to_json(policy), to_json(Policy())
    told = {
        n: v
        for n, v in told.items()
        if n != "reasons" and (n not in ("exclude", "answers", "exceptions") or v != strict[n])
    }
    for rules in told["environments"].values():
        if not rules["remeasured"]:
            del rules["remeasured"]
    return canonical({"declaration": declared, "policy": told})
