"""`revoke` and `meet`: take a signed word back; say that a condition of an approval is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.entries import entry_named
from lockgate.delivery.identity import append, holder, who
from lockgate.delivery.walk import walk_now
from lockgate.errors import NotFound, PermissionRefused, UsageError
from lockgate.gates.authors import authors
from lockgate.gates.conditions import conditions_of
from lockgate.records.decisions import Decision
from lockgate.records.digest import short
from lockgate.records.waivers import BrokeGlass, Met, Revoked, Waived

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.gates.conditions import ConditionSet
    from lockgate.project import Project
    from lockgate.records.ledger import Entry
    from lockgate.records.people import Person
    from lockgate.records.trust import Said, Trusted

__all__ = ["meet", "revoke"]

REVOCABLE = (Decision, Waived, BrokeGlass)


def revoke(
    project: Project, ref: str, *, reason: str, role: str = "", key: Path | None = None, now: dt.datetime
) -> tuple[Said, Entry]:
    """Let an approval, a waiver or broken glass count no more. Answers what was revoked, and the ledger entry.

    `role`: that in which somebody else's word is revoked; one's own needs none. Raises PermissionRefused or UsageError.
    """
    walk = walk_now(project, now=now)
    if not reason.strip():
        raise UsageError("a revocation needs a reason", value="an empty one", next="lockgate revoke … --reason TEXT")
    found: list[Said] = []

    def claim(trust: Trusted) -> Revoked:
        said = entry_named(trust, ref)
        found[:] = [said]
        if not isinstance(said.claim, REVOCABLE) or (
            isinstance(said.claim, Decision) and said.claim.decision == "reject"
        ):
            raise UsageError(
                "this entry cannot be revoked", value=ref, next="lockgate ledger log",
                allowed="an approval, a waiver, broken glass; who rejected lifts it by approving",
            )  # fmt: skip
        _may(project, trust, said, role, walk.policy.exceptions.revokers, key)
        return Revoked(
            release=said.claim.release, environment=said.claim.environment, entry=said.entry.digest, role=role,
            reason=reason.strip(), log=trust.head,
        )  # fmt: skip

    entry = append(project, claim, now=now, key=key)
    assert entry is not None
    return found[0], entry


def _may(project: Project, trust: Trusted, said: Said, role: str, revokers: tuple[str, ...], key: Path | None) -> None:
    me = who(project, trust, key)
    if said.person and me.name == said.person.name and not role:
        return
    if role not in revokers:
        mine = [r for r in me.roles if r in revokers]
        signer = said.person.name if said.person else "somebody else"
        raise PermissionRefused(
            f"{signer} signed this, and {me.name} may not revoke it" + (f" as {role}" if role else ""),
            value=short(said.entry.digest), allowed=f"who signed it; or --role {' or '.join(revokers)}",
            next=f"lockgate revoke … --role {mine[0]}" if mine else "lockgate people",
        )  # fmt: skip
    holder(project, trust, role, key)


def meet(
    project: Project, ref: str, *, how: str, number: int | None = None, key: Path | None = None, now: dt.datetime
) -> tuple[ConditionSet, Entry]:
    """Say that a condition of the approval in ledger entry `ref` is met. `number`: which one, from 1, when it has several.

    Only who set it, or another person in the same role, who is no author of the release.
    """
    walk = walk_now(project, now=now)
    if not how.strip():
        raise UsageError("say how the condition is met", value="an empty text", next="lockgate meet … --how TEXT")
    found: list[ConditionSet] = []

    def claim(trust: Trusted) -> Met:
        said = entry_named(trust, ref)
        decision = said.claim
        if not isinstance(decision, Decision) or not decision.conditions:
            raise UsageError("this entry sets no condition", value=ref, next="lockgate waivers")
        ask = walk.ask(trust, decision.release, decision.environment)
        found[:] = [_one_of(conditions_of(said, trust, ask), number)]
        me = _may_meet(project, trust, said, decision, walk.policy.self_approval == "refused", key)
        return Met(
            release=decision.release, environment=decision.environment, entry=said.entry.digest,
            condition=found[0].text, role=decision.role if decision.role in me.roles else "", how=how.strip(), log=trust.head,
        )  # fmt: skip

    entry = append(project, claim, now=now, key=key)
    assert entry is not None
    return found[0], entry


def _one_of(every: tuple[ConditionSet, ...], number: int | None) -> ConditionSet:
    listed = "; ".join(f"{n} {c.text}" for n, c in enumerate(every, 1))
    if number is None and len(every) > 1:
        raise UsageError(
            "the approval sets several conditions",
            value="which one?",
            allowed=listed,
            next="lockgate meet … --condition 1",
        )
    if not 1 <= (number or 1) <= len(every):
        raise NotFound("the approval has no such condition", value=str(number), allowed=listed)
    one = every[(number or 1) - 1]
    if one.how:
        raise UsageError("this condition is met", value=f"by {one.met_by}: {one.how}", next="lockgate deliver")
    return one


def _may_meet(
    project: Project, trust: Trusted, said: Said, decision: Decision, own_refused: bool, key: Path | None
) -> Person:
    me = who(project, trust, key)
    setter = said.person.name if said.person else ""
    if me.kind != "person" or (me.name != setter and decision.role not in me.roles):
        raise PermissionRefused(
            f"{me.name} cannot say that this condition is met", value=short(said.entry.digest),
            allowed=f"{setter}, or another person as {decision.role}", next="lockgate people",
        )  # fmt: skip
    if own_refused and me.name in authors(trust, decision.release):
        raise PermissionRefused(
            f"{me.name} cannot say that a condition on own work is met", value=short(decision.release),
            allowed=f"{setter}, or another person as {decision.role}",
        )  # fmt: skip
    return me
