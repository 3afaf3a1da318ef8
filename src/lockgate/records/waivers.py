"""What is said when the rule is not kept: waivers, revocations, broken glass, and conditions that were met.

Each is a signed statement of its own. None edits what a gate said or what a person signed: a reader finds both, the
result and the word that lets it pass, and `gates.waivers` says which words stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.ledger import Head
from lockgate.records.statement import PREDICATES
from lockgate.records.wire import to_json

__all__ = ["BrokeGlass", "Condition", "Met", "Reviewed", "Revoked", "Waived"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What an approval asks for. `due` None: before the deployment; else the approval counts until then without it."""

    text: str
    due: datetime | None = None
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """`waiver/v1`: a person lets one failed result of one gate pass, for one release. Several must say the same.

    Attributes:
        environment: how far the release may go with it; the environments before that one are included.
        result: `result_digest` of the failed gate result; another measurement is not waived.
        role: what the signer decides in. control: what is done instead. owner: who answers for it until `not_after`.
        page: sha256 of the evidence page that the signer was shown.
    """

    predicate_type: ClassVar[str] = PREDICATES + "waiver/v1"
    subject: ClassVar[str] = "release"
    release: str
    gate: str
    environment: str
    result: str
    role: str
    reason: str
    control: str
    owner: str
    not_after: datetime
    page: str
    log: Head
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def text(self) -> str:
        """sha256 of what every signer of the same waiver says alike."""
        said = to_json(self)
        return sha256_bytes(canonical({n: v for n, v in said.items() if n not in ("role", "page", "log")}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """`revocation/v1`: ledger entry `entry` (a digest: an approval, a waiver, broken glass) shall count no more.

    Who signed it may always say so; `role` names the role that the policy lets revoke, empty for one's own word.
    """

    predicate_type: ClassVar[str] = PREDICATES + "revocation/v1"
    subject: ClassVar[str] = "release"
    release: str
    environment: str
    entry: str
    role: str
    reason: str
    log: Head
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokeGlass:
    """`break-glass/v1`: one person lets a release into an environment at once; it opens a review that somebody must close.

    Attributes:
        results: gate → `result_digest` of every failed or uncertain result that is passed over.
        not_after: until when a deployment may cite it.
    """

    predicate_type: ClassVar[str] = PREDICATES + "break-glass/v1"
    subject: ClassVar[str] = "release"
    release: str
    environment: str
    role: str
    reason: str
    results: Mapping[str, str]
    policy: str
    people: str
    not_after: datetime
    log: Head
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """`review/v1`: somebody looked at the broken glass of ledger entry `entry` (a digest) and writes what they found."""

    predicate_type: ClassVar[str] = PREDICATES + "review/v1"
    subject: ClassVar[str] = "release"
    release: str
    environment: str
    entry: str
    role: str
    finding: str
    log: Head
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """`condition-met/v1`: a condition of the approval in ledger entry `entry` (a digest) is met; `how` says by what."""

    predicate_type: ClassVar[str] = PREDICATES + "condition-met/v1"
    subject: ClassVar[str] = "release"
    release: str
    environment: str
    entry: str
    condition: str
    role: str
    how: str
    log: Head
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])
