"""SLSA Verification Summary Attestation v1: in one standard statement, that a server checked a release before it served it.

https://slsa.dev/spec/v1.1/verification_summary. It sums up, and decides nothing: the statements that it names travel
with it. Who served signs it, so the pair that a consumer accepts is an operator's key and the verifier of its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from lockgate.records.decisions import PeopleSet
from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.statement import Statement

if TYPE_CHECKING:
    from datetime import datetime

    from lockgate.records.ledger import Entry
    from lockgate.records.trust import Said, Trusted

__all__ = ["VSA", "Level", "attestations", "resource_uri", "summary", "verifier_uri"]

VSA: Final = "https://slsa.dev/verification_summary/v1"
PLACE: Final = "https://lockgate.dev"

Level = Literal[
    "LOCKGATE_FOUR_EYES",
    "LOCKGATE_APPROVED",
    "LOCKGATE_ATTESTED",
    "LOCKGATE_GATES",
    "LOCKGATE_WAIVED",
    "LOCKGATE_BROKEN_GLASS",
]
"""What was verified, as custom results: people other than the authors agreed; people agreed, own work among it; people other
than the authors agreed, for one of whom only a forge's word stands; no person was asked; a failed gate was waived; somebody
broke the glass. None says `SLSA_…`: how it was built is not what a server checks."""


def summary(
    trusted: Trusted,
    *,
    name: str,
    release: str,
    environment: str,
    policy: str,
    level: Level,
    verifier: str,
    now: datetime,
) -> Statement:
    """The statement that a server signs once it serves `release`.

    Args:
        trusted: the ledger that it checked. name: what the release is called.
        policy: digest of the policy that it was held against. verifier: the name of who checked and signs.
    """
    predicate: dict[str, Json] = {
        "verifier": {"id": verifier_uri(trusted.root, verifier)},
        "timeVerified": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "resourceUri": resource_uri(trusted.root, environment),
        "policy": {"uri": f"{PLACE}/policy/{_hex(policy)}", "digest": {"sha256": _hex(policy)}},
        "inputAttestations": [_attestation(said.entry) for said in attestations(trusted, release)],
        "verificationResult": "PASSED",
        "verifiedLevels": [level],
        "slsaVersion": "1.1",
    }
    return Statement(predicate_type=VSA, subject_name=name, subject=release, predicate=predicate)


def attestations(trusted: Trusted, release: str) -> tuple[Said, ...]:
    """All statements that the check rests on: every register of people, and all that counts and is about the release."""
    counts = (s for s in trusted.said if s.person and s.claim)
    return tuple(s for s in counts if isinstance(s.claim, PeopleSet) or getattr(s.claim, "release", "") == release)


def verifier_uri(root: str, name: str) -> str:
    """Who checked, under the trust root that knows this name."""
    return f"{PLACE}/verifier/{_hex(root)}/{quote(name, safe='')}"


def resource_uri(root: str, environment: str) -> str:
    """The environment of this ledger: a summary for staging is none for production, nor for somebody else's."""
    return f"{PLACE}/environment/{_hex(root)}/{quote(environment, safe='')}"


def _attestation(entry: Entry) -> Json:
    """One ledger entry; the digest is of its DSSE envelope as canonical JSON, the file in a bundle's `statements/`."""
    envelope = sha256_bytes(canonical(entry.envelope.to_json()))
    return {"uri": f"{PLACE}/ledger/entry/{_hex(entry.digest)}", "digest": {"sha256": _hex(envelope)}}


def _hex(digest: str) -> str:
    return digest.rpartition(":")[2]
