"""What a ledger entry can say: one frozen record per predicate type, all fields of law 9 included.

Every record carries `log`, the ledger's head that its signer saw. It makes each statement unique (a copy of an old
one is a replay and counts for nothing) and anchors the ledger in every signature.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import ClassVar, Final, Literal, TypeAlias

from lockgate.errors import IntegrityError
from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.evidence import Verdict
from lockgate.records.ledger import Head
from lockgate.records.people import People
from lockgate.records.statement import PREDICATES, Statement
from lockgate.records.waivers import BrokeGlass, Condition, Met, Reviewed, Revoked, Waived
from lockgate.records.wire import from_json, to_json

__all__ = [
    "CLAIMS",
    "PLAN",
    "AcceptedChange",
    "Attested",
    "Claim",
    "Decision",
    "GateResult",
    "Healthy",
    "Looked",
    "PeopleSet",
    "Proposed",
    "Refused",
    "Shown",
    "Wanted",
    "read_claim",
    "result_digest",
    "state",
]

Extra: TypeAlias = Mapping[str, Json]

PLAN: Final = "plan"
"""In `extra` of an approval: the digest of the delivery plan that it is for, and of no other. In that of `Wanted`: the plan
that this deployment is part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """`release/v1`: a release was built. `authors` are names or e-mail addresses; `lineage` is a digest."""

    predicate_type: ClassVar[str] = PREDICATES + "release/v1"
    subject: ClassVar[str] = "release"
    release: str
    name: str
    authors: tuple[str, ...]
    started_by: str
    lineage: str
    log: Head
    extra: Extra = field(default_factory=dict[str, Json])


CHANGE: Final = "change"
"""In `extra` of a gate result: the number of the merge request in whose pipeline it was measured, by a policy that may be only proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """`gate-result/v1`: what a gate said. `policy` is the digest it was judged under; `inputs` name → digest."""

    predicate_type: ClassVar[str] = PREDICATES + "gate-result/v1"
    subject: ClassVar[str] = "release"
    release: str
    verdict: Verdict
    policy: str
    log: Head
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    extra: Extra = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`approval/v1`: a person approves or rejects exactly this.

    Attributes:
        evidence: the evidence root. policy, people, page: digests; the page is the bytes that were shown.
        accepted: the uncertain gates that the person accepts, each by name.
        not_after: when an approval stops to count; a reject never does.
        conditions: what must come true for the approval to count. answers: question of the page → the person's answer.

    """

    predicate_type: ClassVar[str] = PREDICATES + "approval/v1"
    subject: ClassVar[str] = "release"
    release: str
    decision: Literal["approve", "reject"]
    role: str
    reason: str
    environment: str
    evidence: str
    policy: str
    people: str
    page: str
    accepted: tuple[str, ...]
    not_after: datetime
    log: Head
    conditions: tuple[Condition, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    extra: Extra = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested(Decision):
    """`attested-approval/v1`: a machine says that a forge says that a person approved exactly this. Never a reject.

    Attributes:
        account: who pressed the button, by the forge's own word: `gitlab:NAME`, which the register knows as an alias.
        forge: what that rests on, as texts: issuer, project, pipeline, job, commit, ref, and claims of the ID token.

    """

    predicate_type: ClassVar[str] = PREDICATES + "attested-approval/v1"
    account: str
    forge: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`wanted/v1`: an environment shall serve this release.

    `authorised_by` holds digests of ledger entries: the approvals that were counted; for a rollback, the entry
    that wanted this release here before.
    """

    predicate_type: ClassVar[str] = PREDICATES + "wanted/v1"
    subject: ClassVar[str] = "release"
    release: str
    environment: str
    because: Literal["delivered", "rolled-back"]
    log: Head
    authorised_by: tuple[str, ...] = ()
    reason: str = ""
    extra: Extra = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthy:
    """`healthy/v1`: the environment serves the release that ledger entry `wanted` (a digest) asked for."""

    predicate_type: ClassVar[str] = PREDICATES + "healthy/v1"
    subject: ClassVar[str] = "release"
    release: str
    environment: str
    wanted: str
    log: Head
    extra: Extra = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """`refused/v1`: the environment does not serve what ledger entry `wanted` (a digest) asked for."""

    predicate_type: ClassVar[str] = PREDICATES + "refused/v1"
    subject: ClassVar[str] = "release"
    release: str
    environment: str
    wanted: str
    reason: str
    log: Head
    extra: Extra = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """`look/v1`: an evaluation looked at a holdout; how often decides how much its verdicts are worth."""

    predicate_type: ClassVar[str] = PREDICATES + "look/v1"
    subject: ClassVar[str] = "holdout"
    holdout: str
    reason: str
    log: Head
    release: str = ""
    extra: Extra = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """`page/v1`: the evidence page that people will see before `environment`. `page` is the sha256 of its bytes.

    `shows` is a digest of everything the page is made from: evidence, policy, people, the words of the settings.
    `pack` is the sha256 of the page's content as JSON; older pages have none.
    `questions` stand on the page; `policy_editors` are names and addresses of who edited the policy it judges by since the one in force was signed.
    """

    predicate_type: ClassVar[str] = PREDICATES + "page/v1"
    subject: ClassVar[str] = "release"
    release: str
    environment: str
    shows: str
    page: str
    card: str
    log: Head
    pack: str = ""
    questions: tuple[str, ...] = ()
    policy_editors: tuple[str, ...] = ()
    extra: Extra = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedChange:
    """`accepted-change/v1`: a person says that a change of a step's code does not change what it makes.

    The newest word on a fingerprint counts, and it counts for that one only: the next change of code, parameter,
    input or package gives another fingerprint, about which nothing was said.

    Attributes:
        fingerprint: of the step with its new code. before: of the run whose result may stand for it.
        artifact: identity of that result; another value stored under `before` was not accepted.
        changed: the definitions that differ, as they were shown.
    """

    predicate_type: ClassVar[str] = PREDICATES + "accepted-change/v1"
    subject: ClassVar[str] = "fingerprint"
    fingerprint: str
    before: str
    artifact: str
    step: str
    reason: str
    changed: tuple[str, ...]
    log: Head
    decision: Literal["accept", "withdraw"] = "accept"
    extra: Extra = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSet:
    """`people/v1`: a signer wants this register of people; it holds once a quorum of trustees has said so."""

    predicate_type: ClassVar[str] = PREDICATES + "people/v1"
    subject: ClassVar[str] = "digest"
    people: People
    log: Head
    extra: Extra = field(default_factory=dict[str, Json])

    @property
    def digest(self) -> str:
        """The register's digest; the statement's subject."""
        return self.people.digest


Claim: TypeAlias = (
    Proposed | GateResult | Decision | Wanted | Healthy | Refused | Looked | Shown | AcceptedChange | PeopleSet
    | Waived | Revoked | BrokeGlass | Reviewed | Met | Attested
)  # fmt: skip

CLAIMS: Final[Mapping[str, type[Claim]]] = {
    kind.predicate_type: kind
    for kind in (
        Proposed, GateResult, Decision, Wanted, Healthy, Refused, Looked, Shown, AcceptedChange, PeopleSet,
        Waived, Revoked, BrokeGlass, Reviewed, Met, Attested,
    )
}  # fmt: skip


def state(claim: Claim) -> Statement:
    """Put a claim into the form that gets signed: its subject's digest outside, everything else in the predicate."""
    predicate = to_json(claim)
    predicate.pop(claim.subject, None)
    return Statement(
        predicate_type=claim.predicate_type,
        subject_name="people" if isinstance(claim, PeopleSet) else claim.subject,
        subject=getattr(claim, claim.subject),
        predicate=predicate,
    )


def read_claim(statement: Statement) -> Claim | None:
    """Read a statement back; None when a newer Lockgate wrote its kind. IntegrityError names a field that is wrong."""
    kind = CLAIMS.get(statement.predicate_type)
    if kind is None:
        return None
    subject = {} if kind is PeopleSet else {kind.subject: statement.subject}
    try:
        claim = from_json(kind, {**statement.predicate, **subject})
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        raise IntegrityError(f"{kind.__name__} statement cannot be read", value=str(error)) from error
    _check_fields(claim)
    if getattr(claim, kind.subject) != statement.subject:
        raise IntegrityError(f"{kind.__name__} statement is not about its subject", value=statement.subject)
    return claim


def result_digest(result: GateResult) -> str:
    """sha256 of a gate result without the log position: measuring the same again, wherever, gives the same digest."""
    said = to_json(result)
    del said["log"]
    said.pop(CHANGE, None)
    return sha256_bytes(canonical(said))


def _check_fields(record: object) -> None:
    """The decoder trusts scalars; a fold must not: a list for a name, or a time without zone, would crash it."""
    for name, kinds in _scalars(type(record)):
        value = getattr(record, name)
        if value is None and kinds.optional:
            continue
        members = typing.cast("tuple[object, ...]", value) if kinds.many else (value,)
        if not all(isinstance(member, kinds.kind) for member in members):
            raise IntegrityError(f"{type(record).__name__}.{name} is not {kinds.kind.__name__}", value=repr(value)[:80])
        if isinstance(value, datetime) and value.utcoffset() is None:
            raise IntegrityError(f"{type(record).__name__}.{name} has no time zone", value=value.isoformat())
        for member in members:
            if kinds.nested:
                _check_fields(member)


@dataclass(frozen=True, slots=True)
class _Kinds:
    kind: type
    many: bool
    nested: bool
    optional: bool


@functools.cache
def _scalars(kind: type) -> tuple[tuple[str, _Kinds], ...]:
    hints = typing.get_type_hints(kind)
    named = ((f.name, hints[f.name]) for f in fields(typing.cast("typing.Any", kind)))
    return tuple((name, kinds) for name, hint in named if (kinds := _kinds(hint)) is not None)


def _kinds(hint: typing.Any) -> _Kinds | None:
    many, optional = typing.get_origin(hint) is tuple, type(None) in typing.get_args(hint)
    inner = typing.get_args(hint)[0] if many or optional else hint
    if typing.get_origin(inner) is Literal:
        inner = str
    if inner in (str, int, datetime):
        return _Kinds(inner, many, nested=False, optional=optional)
    if isinstance(inner, type) and hasattr(inner, "__dataclass_fields__"):
        return _Kinds(inner, many, nested=True, optional=optional)
    return None
