"""Did somebody independent measure again what the gates said? What one key invents, another one that measures does not confirm (ADR 38).

Pure: the ledger in, per gate who confirmed it. A validator is a person or machine with that role beside `deliverer`, whose own work the
release is not. Their newest word on a gate must be the outcome that counts, and one of them must have said the very result that counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.authors import authors
from lockgate.gates.binding import results
from lockgate.records.decisions import GateResult, result_digest
from lockgate.records.in_force import still_holds
from lockgate.records.people import VALIDATOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.records.people import Person
    from lockgate.records.trust import Trusted

__all__ = ["Unconfirmed", "unconfirmed", "validators", "words_on"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A gate that too few measured again. `by`: who did, and found the same. `why`: in words."""

    gate: str
    by: tuple[str, ...]
    why: str


def unconfirmed(
    trusted: Trusted, *, release: str, policy: str, gates: Iterable[str], need: int
) -> tuple[Unconfirmed, ...]:
    """The gates whose result that counts fewer than `need` validators confirm, in the order given; empty where `need` is 0."""
    present = results(trusted.said, release=release, policy=policy)
    found = [(g, *_confirmed(trusted, present[g])) for g in gates if need and g in present]
    return tuple(
        Unconfirmed(gate=g, by=by, why=_why(by, need, is_same=is_same))
        for g, by, is_same in found
        if len(by) < need or not is_same
    )


def validators(trusted: Trusted, release: str) -> tuple[Person, ...]:
    """Who may measure a release again: in the role now, and not of those whose own work it is."""
    own = authors(trusted, release)
    return tuple(p for p in trusted.people.people if VALIDATOR in p.roles and p.name not in own)


def words_on(trusted: Trusted, result: GateResult) -> dict[str, GateResult]:
    """Validator → their newest word on the gate of a result, on the same release under the same policy."""
    own, words = authors(trusted, result.release), dict[str, GateResult]()
    for said in trusted.said:
        claim, person = said.claim, said.person
        if not (person and isinstance(claim, GateResult) and claim.verdict.gate == result.verdict.gate):
            continue
        is_theirs = VALIDATOR in person.roles and person.name not in own and still_holds(said, trusted, VALIDATOR)
        if is_theirs and (claim.release, claim.policy) == (result.release, result.policy):
            words[person.name] = claim
    return words


def _confirmed(trusted: Trusted, result: GateResult) -> tuple[tuple[str, ...], bool]:
    """Whose newest word has the outcome of a result, and whether one of them said this very one."""
    words = words_on(trusted, result)
    agree = {name: w for name, w in words.items() if w.verdict.outcome == result.verdict.outcome}
    return tuple(sorted(agree)), any(result_digest(w) == result_digest(result) for w in agree.values())


def _why(by: tuple[str, ...], need: int, *, is_same: bool) -> str:
    if len(by) < need or not by:
        return f"measured again by {len(by)} of {need}"
    assert not is_same
    return f"another result came after what {', '.join(by)} measured"
