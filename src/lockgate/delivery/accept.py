"""`accept`: a person declares that a change of a step's code does not change what it makes.

The old result then stands for the new fingerprint, and for no other: the next change of code, parameter, input or
package gives a fingerprint about which nobody said anything, and the step runs (ADR 13).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.build.explain import differences
from lockgate.build.fingerprint import earlier, fingerprint, parameters_of
from lockgate.delivery.identity import append, read_ledger, who
from lockgate.delivery.known import last_key
from lockgate.delivery.run import node_named, plan
from lockgate.delivery.why import inputs_of
from lockgate.errors import LockgateError, NotFound, PermissionRefused, UsageError
from lockgate.records.decisions import AcceptedChange
from lockgate.records.digest import short
from lockgate.records.graph import Definition
from lockgate.records.ledger import EMPTY
from lockgate.records.people import DELIVERER
from lockgate.records.plan import Blocked, Reuse

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lockgate.delivery.run import Planned
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.digest import Json
    from lockgate.records.graph import Node
    from lockgate.records.ledger import Entry
    from lockgate.records.plan import PlannedStep, Result
    from lockgate.records.trust import Said, Trusted

__all__ = ["accept", "accepted_changes"]


def accept(
    project: Project,
    step: str,
    *,
    reason: str,
    now: dt.datetime,
    withdraw: bool = False,
    params: Mapping[str, Mapping[str, Json]] | None = None,
    key: Path | None = None,
) -> tuple[AcceptedChange, Entry]:
    """Sign that the old result stands for a step's new code; `withdraw` takes that back. Answers claim and entry.

    Raises:
        UsageError: nothing changed, or something beside code did; the value names it.
        PermissionRefused: the key's owner is no person with the role `deliverer`.
    """
    if not reason.strip():
        raise UsageError("a reason is what later readers have", value=repr(reason), allowed="a sentence")
    planned = plan(project, now=now, params=params)
    name = node_named(planned.graph, step)
    found = next(s for s in planned.plan.steps if s.node == name)
    _may(project, read_ledger(project), key)
    said = _withdrawal(found) if withdraw else _acceptance(project, planned, found)
    claims: list[AcceptedChange] = []

    def claim(trust: Trusted) -> AcceptedChange:
        _may(project, trust, key)
        claims[:] = [replace(said, reason=reason.strip(), log=trust.head)]
        return claims[0]

    entry = append(project, claim, now=now, key=key)
    assert entry is not None
    return claims[0], entry


def accepted_changes(project: Project, result: Callable[[str], Artifact | None]) -> Callable[[str], Reuse | None]:
    """What stands for a fingerprint by a person's word: the result they saw, if exactly that is still stored.

    When the ledger does not hold, nothing is accepted: the steps run.
    """
    claims = _standing(project)

    def find(key: str) -> Reuse | None:
        said = claims.get(key)
        if said is None or not isinstance(said.claim, AcceptedChange) or said.person is None:
            return None
        kept = result(said.claim.before)
        if kept is None or kept.digest != said.claim.artifact:
            return None
        words = (
            f"result of an earlier version of this code, accepted by {said.person.name} "
            f"(ledger entry {said.entry.seq}) because: {said.claim.reason}"
        )
        return Reuse(kept, under=said.claim.before, accepted=words)

    return find


def _standing(project: Project) -> dict[str, Said]:
    """Fingerprint → the newest word on it, when that word is `accept`."""
    kind = AcceptedChange.predicate_type.encode()
    try:
        if not any(kind in e.envelope.payload for e in project.ledger.read()):
            return {}  # the usual case: no signature needs checking
        trust = read_ledger(project)
    except LockgateError:
        return {}
    said = {s.claim.fingerprint: s for s in trust.said if s.person and isinstance(s.claim, AcceptedChange)}
    return {k: s for k, s in said.items() if isinstance(s.claim, AcceptedChange) and s.claim.decision == "accept"}


def _withdrawal(found: PlannedStep) -> AcceptedChange:
    action = found.action
    if not isinstance(action, Reuse) or not action.accepted or found.fingerprint is None:
        raise UsageError("no accepted change of this step is in force", value=found.node, next="lockgate plan")
    return AcceptedChange(
        fingerprint=found.fingerprint, before=action.under, artifact=action.artifact.digest, step=found.node,
        reason="", changed=(), log=EMPTY, decision="withdraw",
    )  # fmt: skip


def _acceptance(project: Project, planned: Planned, found: PlannedStep) -> AcceptedChange:
    """The claim, when code is all that differs from the last result here."""
    now = _fingerprint_of(found)
    node = planned.graph.nodes[found.node]
    before, last = last_key(project, found.node), planned.known.last(found.node)
    artifact = planned.known.result(before) if before else None
    if before is None or last is None or artifact is None:
        raise NotFound(
            "there is no earlier result of this step to let stand",
            value=found.node,
            next=f"lockgate run --to {found.node.rpartition('.')[2]}",
        )
    _only_code(planned, node, before, last)
    return AcceptedChange(
        fingerprint=now, before=before, artifact=artifact.digest, step=found.node, reason="",
        changed=tuple(differences(node, last, None, last.parameters)), log=EMPTY,
    )  # fmt: skip


def _fingerprint_of(found: PlannedStep) -> str:
    """Of a step that would run and whose inputs are all known; everything else has nothing to accept."""
    name = found.node.rpartition(".")[2]
    if isinstance(found.action, Reuse):
        raise UsageError(
            "there is nothing to accept: the result is known",
            value=f"{found.node}: {found.action.accepted or short(found.action.artifact.digest)}",
        )
    if isinstance(found.action, Blocked):
        raise UsageError("a blocked step cannot be judged", value=f"{found.node}: {found.action.reason}")
    if found.fingerprint is None:
        raise UsageError(
            "its inputs are not known yet",
            value=found.node,
            allowed="steps whose inputs are up to date; accept or run what stands before it first",
            next=f"lockgate why {name}",
        )
    return found.fingerprint


def _only_code(planned: Planned, node: Node, before: str, last: Result) -> None:
    """With its old definitions the step must have exactly the old fingerprint; then nothing but code differs."""
    inputs, parameters = inputs_of(planned, node.name), parameters_of(node, planned.known.parameters)
    then = replace(node, definitions=tuple(Definition(*d) for d in last.definitions))
    interpreter = planned.known.interpreter
    names = {fingerprint(then, inputs, parameters, interpreter=interpreter),
             *earlier(then, inputs, parameters, interpreter=interpreter)}  # fmt: skip
    others = list(differences(then, last, inputs, parameters)) or [
        "its name, its annotations or the interpreter changed"
    ]
    moved = [] if before in names else others
    if moved := [*moved, *_not_code(node, then)]:
        raise UsageError(
            "more than code changed, so the step must run",
            value=f"{node.name}: {'; '.join(moved)}",
            allowed="a change of code and of nothing else",
            next=f"lockgate run --to {node.name.rpartition('.')[2]}",
        )


def _not_code(now: Node, then: Node) -> list[str]:
    """Environment variables, and files read on import, stand among the definitions, without a line."""
    sides = [{(d.name, d.digest) for d in n.definitions if not d.line} for n in (then, now)]
    return [f"{name} changed" for name in sorted({name for name, _ in sides[0] ^ sides[1]})]


def _may(project: Project, trust: Trusted, key: Path | None) -> None:
    me = who(project, trust, key)
    if me.kind != "person" or DELIVERER not in me.roles:
        held = f"{me.name} is a {me.kind} with " + (", ".join(me.roles) or "no role")
        raise PermissionRefused(
            "only a person who delivers may accept a change", value=held, allowed=f"a person with the role {DELIVERER}",
            next="lockgate people",
        )  # fmt: skip
