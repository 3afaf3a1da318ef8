"""A delivery that has not begun, on one page: what will run, what will be asked, of whom, what users will see, the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.wire import to_json

__all__ = [
    "FORMAT",
    "ApprovalAhead",
    "DeliveryPlan",
    "FieldChange",
    "GateAhead",
    "StepAhead",
    "UsersAhead",
    "WayBack",
]

FORMAT = "lockgate-delivery-plan/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAhead:
    """One step. `seconds`: what it took when it ran last, as decimal text; None: it is reused, or nobody knows."""

    name: str
    action: str
    reason: str
    seconds: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAhead:
    """One gate, and what it can tell on a holdout like the last one.

    Attributes:
        asks: its limits in words.
        rests_on: rows, days and groups behind its last number.
        resolves: how far from the limit the truth must lie to be decided four times in five; None: `why` says why not.
        unit: how `resolves` is written: `percent` and `harm` in points (a hundredth is one), `times` as a ratio, else `number`.
    """

    name: str
    asks: str
    rests_on: str = ""
    n: int | None = None
    days: int | None = None
    groups: int | None = None
    resolves: str | None = None
    unit: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAhead:
    """Who must agree before an environment.

    Attributes:
        need: how many different people. may: who holds the role and is not excluded.
        excluded: who holds the role and made this, or starts it now.
        flagged: own work counts, visibly and never as four eyes; so nobody is left out.
        valid_for: empty for validators, who measure again and sign no approval.
    """

    environment: str
    role: str
    need: int
    valid_for: str
    may: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    flagged: bool = False

    @property
    def possible(self) -> bool:
        """Whether enough people could agree."""
        return len(self.may) >= self.need


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One change of what callers send or get; `effect`: `breaks` somebody's program, or `fits`."""

    where: str
    what: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersAhead:
    """What users will see change, as far as that was computed.

    Attributes:
        says: one sentence each; empty: not computed yet, or there is nothing to compare with.
        next: the command that computes it.
    """

    says: tuple[str, ...] = ()
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """Where a rollback would go once the release is live in an environment. `stands` False: `why` says what is wrong."""

    environment: str
    release: str | None
    stands: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPlan:
    """The page, and what makes it this plan and no other.

    Attributes:
        to: the environment it stops at; None: the last one.
        policy, people: digests under which it was made.
        live: environment → the release that serves there; empty text: none.
        made_of: step → what decides about it: inputs, parameters, packages, definitions.
        code: digest of each file that answers requests, and of the code of each gate.
        stages: name and what it asks, in order.
        contract: None: it could not be told, `contract_unknown` says why.
        seconds: sum of what is known of the steps that will or may run. unknown: what is not in it.
    """

    format: str
    project: str
    pipeline: str
    to: str | None
    params: Mapping[str, Mapping[str, Json]]
    as_of: str
    policy: str
    people: str
    live: Mapping[str, str]
    made_of: Mapping[str, Json]
    code: Mapping[str, str]
    steps: tuple[StepAhead, ...]
    stages: tuple[tuple[str, str], ...]
    gates: tuple[GateAhead, ...]
    approvals: tuple[ApprovalAhead, ...]
    contract: tuple[FieldChange, ...] | None
    users: UsersAhead
    back: tuple[WayBack, ...]
    seconds: str
    unknown: tuple[str, ...] = ()
    contract_unknown: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def digest(self) -> str:
        """The plan's name, which an approval may bind: sha256 of the canonical record, every line of it."""
        return sha256_bytes(canonical(to_json(self)))
