"""What of a ledger is in force now: rejects that stand, what was revoked, who still holds key and role, registers that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.decisions import Attested, Decision, PeopleSet
from lockgate.records.people import ATTESTER, DELIVERER, OPERATOR, People
from lockgate.records.waivers import Revoked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from lockgate.records.trust import Said, Trusted

__all__ = ["pending_people", "rejects", "revoked", "still_holds"]


def rejects(said: Iterable[Said], *, release: str, environment: str) -> tuple[Said, ...]:
    """The rejects that stand: each person's last word on this release here, in a role then held, is `reject`.

    Only who rejected can lift it, by approving later. It stands whatever happens to evidence, policy or people; a
    role that no policy asks any more counts too, or dropping the role would lift its veto.
    """
    last: dict[str, Said] = {}
    for each in said:
        claim, person = each.claim, each.person
        if not (isinstance(claim, Decision) and person and person.kind == "person") or each.attester:
            continue  # what a key has signed, no button takes back
        may = claim.role in person.roles and claim.role not in (DELIVERER, OPERATOR)
        if may and (claim.release, claim.environment) == (release, environment):
            last[person.name] = each
    return tuple(s for s in last.values() if isinstance(s.claim, Decision) and s.claim.decision != "approve")


def pending_people(trusted: Trusted) -> dict[str, tuple[People, tuple[str, ...]]]:
    """Digest → a register that trustees want next, and who of them has signed; it waits for the quorum."""
    found: dict[str, tuple[People, tuple[str, ...]]] = {}
    for said in trusted.said:
        if isinstance(said.claim, PeopleSet) and said.person and said.claim.people.previous == trusted.people.digest:
            people = said.claim.people
            signed = found.get(people.digest, (people, ()))[1]
            found[people.digest] = (people, tuple(dict.fromkeys((*signed, said.person.name))))
    return found


def revoked(trusted: Trusted, revokers: Collection[str] = ()) -> frozenset[str]:
    """Digests of the entries that count no more: by their own signer's word, or by a person's in one of the `revokers`."""
    signers = {s.entry.digest: s.person.name for s in trusted.said if s.person}
    gone: set[str] = set()
    for said in trusted.said:
        claim, person = said.claim, said.person
        if isinstance(claim, Revoked) and person and person.kind == "person":
            may = claim.role in revokers and claim.role in person.roles
            if may or signers.get(claim.entry) == person.name:
                gone.add(claim.entry)
    return frozenset(gone)


def still_holds(said: Said, trusted: Trusted, role: str) -> bool:
    """Whether who signed an entry has that key and this role by today's register, under the same name.

    For what was attested: the machine has its key and role, and the account still belongs to that person in this role.
    """
    owner, name = trusted.people.by_key().get(said.entry.envelope.keyid), said.person.name if said.person else ""
    if said.attester and isinstance(said.claim, Attested):
        person = trusted.people.behind(said.claim.account)
        held = person is not None and person.name == name and role in person.roles
        return held and owner is not None and owner[0].name == said.attester.name and ATTESTER in owner[0].roles
    return owner is not None and owner[0].name == name and role in owner[0].roles
