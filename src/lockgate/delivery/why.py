"""`why`: what a step will do, and every difference to its last result here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.build.explain import differences, words
from lockgate.build.fingerprint import parameters_of
from lockgate.build.plan import planned_pieces
from lockgate.delivery.run import node_named
from lockgate.records.plan import Maybe, Reuse

if TYPE_CHECKING:
    from lockgate.delivery.run import Planned
    from lockgate.records.plan import Action

__all__ = ["inputs_of", "why"]


def why(planned: Planned, step: str) -> tuple[str, list[str]]:
    """What a step will do, every difference to its last result here, and what analysis could not see through, one line each."""
    name = node_named(planned.graph, step)
    found = next(s for s in planned.plan.steps if s.node == name)
    action, reason = words(found)
    node, last = planned.graph.nodes[name], planned.known.last(name)
    wide = [f"counts as a whole, {line}" for line in node.widened]
    if action == "reuse" or last is None:
        return action, [reason, *wide, *_behind(planned, found.action)]
    if pieces := planned_pieces(node, {s.node: s.action for s in planned.plan.steps}, planned.known):
        from lockgate.build.pieces import lines_of

        return action, [*lines_of(node, pieces, planned.known), *wide]
    inputs = inputs_of(planned, name)
    known = inputs if all(inputs.values()) else None
    lines = list(differences(node, last, known, parameters_of(node, planned.known.parameters)))
    return action, [*(lines or [reason]), *wide, *_behind(planned, found.action)]


def _behind(planned: Planned, action: Action) -> list[str]:
    """What runs before a step that only may run: the reasons are there."""
    waits = set(action.upstream) if isinstance(action, Maybe) else set[str]()
    found: list[str] = []
    for step in reversed(planned.plan.steps):
        if step.node in waits:
            waits |= set(step.action.upstream) if isinstance(step.action, Maybe) else set()
            kind, reason = words(step)
            found.append(f"{step.node}: {kind}, {reason}")
    return found


def inputs_of(planned: Planned, name: str) -> dict[str, str]:
    """A step's inputs and their identities; empty for those that are not made yet."""
    identities = {s.node: s.action.artifact.digest for s in planned.plan.steps if isinstance(s.action, Reuse)}
    known = {**identities, **planned.known.externals}
    return {p: known.get(i, "") for p, i in planned.graph.nodes[name].inputs.items()}
