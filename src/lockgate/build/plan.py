"""What will run and why: pure. Takes the graph, what is known of inputs, and the results; returns a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.build.fingerprint import earlier, fingerprint, parameters_of
from lockgate.errors import UsageError, did_you_mean
from lockgate.records.frozen import field, frozen
from lockgate.records.plan import (
    Action,
    Blocked,
    Maybe,
    Plan,
    PlannedStep,
    Result,
    Reuse,
    Run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockgate.build.pieces import Pieces
    from lockgate.records.artifact import Artifact
    from lockgate.records.dataset import Dataset
    from lockgate.records.digest import Json
    from lockgate.records.graph import Graph, Node

__all__ = ["Known", "decide", "make_plan", "needed", "planned_pieces"]


def _nothing(_: object) -> None:
    """What a planner knows that was told nothing."""


@frozen
class Known:
    """What the planner may know.

    Attributes:
        externals: `source:NAME` or `@as_of` → identity; a source that is nowhere is absent.
        result: fingerprint → what is stored under it, or None.
        last: node → the last result of that node in this working copy, or None; only for reasons.
        parameters: step → parameter → value, from `lockgate.toml` and `--param`.
        interpreter: as it enters keys.
        accepted: fingerprint → the result of earlier code that a person let stand for it, or None; asked only when
            nothing is stored under it.
        record: fingerprint → the whole result stored under it, or None.
        dataset: the record that an artifact made of partitions stands for; None when a part of it is gone.
        absent: source → the place where it was looked for in vain.
    """

    externals: Mapping[str, str]
    result: Callable[[str], Artifact | None]
    last: Callable[[str], Result | None]
    parameters: Mapping[str, Mapping[str, Json]]
    interpreter: str
    record: Callable[[str], Result | None] = _nothing
    dataset: Callable[[Artifact], Dataset | None] = _nothing
    accepted: Callable[[str], Reuse | None] = _nothing
    absent: Mapping[str, str] = field(default_factory=dict[str, str])


MISSING = Blocked("it is neither a step nor a source that is here")
"""What stands for an input that nobody plans and nobody has."""


def make_plan(graph: Graph, targets: Sequence[str], known: Known) -> Plan:
    """Plan the targets and everything they need, in topological order."""
    _check_parameters(graph, known.parameters)
    identities: dict[str, str] = dict(known.externals)
    actions: dict[str, Action] = {}
    steps: list[PlannedStep] = []
    for name in needed(graph, targets):
        node = graph.nodes[name]
        action, key = decide(node, identities, actions, known)
        if node.each and key and isinstance(action, Run):
            action = _by_partition(node, actions, known) or action
        actions[name] = action
        if isinstance(action, Reuse):
            identities[name] = action.artifact.digest
        steps.append(PlannedStep(name, action, key))
    return Plan(tuple(steps))


def planned_pieces(node: Node, actions: Mapping[str, Action], known: Known) -> Pieces | None:
    """The partitions of a step as a plan sees them; None when it has none, or an input is not known yet."""
    if node.each is None:
        return None
    from lockgate.build.pieces import pieces_of

    def artifact(name: str) -> Artifact | None:
        action = actions.get(name)
        return action.artifact if isinstance(action, Reuse) else None

    return pieces_of(node, node.each, artifact, known)


def _by_partition(node: Node, actions: Mapping[str, Action], known: Known) -> Run | None:
    """Which partitions will run and why, when that is known."""
    from lockgate.build.pieces import say  # only where partitions are: a no-op plan does without

    pieces = planned_pieces(node, actions, known)
    return None if pieces is None else Run(say(node, pieces, known))


def decide(
    node: Node, identities: Mapping[str, str], actions: Mapping[str, Action], known: Known
) -> tuple[Action, str | None]:
    """Decide one step. Its fingerprint is known only when every input's identity is."""
    inputs = node.inputs
    unknown = [i for i in inputs.values() if i not in identities]
    if blocked := [i for i in unknown if isinstance(actions.get(i, MISSING), Blocked)]:
        return Blocked(_blocked_reason(blocked[0], known)), None
    parameters = parameters_of(node, known.parameters)
    if unknown:
        reason = _reason(node, known, None, parameters)
        return (Run(reason) if reason else Maybe(tuple(unknown))), None
    digests = {p: identities[i] for p, i in inputs.items()}
    key = fingerprint(node, digests, parameters, interpreter=known.interpreter)
    found = known.result(key)
    if found is not None:
        return Reuse(found), key
    if (other := _stored_elsewhere(node, digests, parameters, known) or known.accepted(key)) is not None:
        return other, key
    reason = _reason(node, known, digests, parameters)
    return Run(reason or "its stored result is gone"), key


def _stored_elsewhere(
    node: Node, digests: Mapping[str, str], parameters: Mapping[str, Json], known: Known
) -> Reuse | None:
    """What was stored when fingerprints were computed by an older algorithm."""
    for key in earlier(node, digests, parameters, interpreter=known.interpreter):
        if (found := known.result(key)) is not None:
            return Reuse(found, under=key)
    return None


def _reason(node: Node, known: Known, digests: Mapping[str, str] | None, parameters: Mapping[str, Json]) -> str:
    """Why it must run: asked only then, since it reads another record."""
    last = known.last(node.name)
    if last is None:
        return "never ran here"
    from lockgate.build.explain import difference  # where nothing changed nobody asks

    return difference(node, last, digests, parameters)


def needed(graph: Graph, targets: Sequence[str]) -> list[str]:
    """The targets and everything upstream of them, in topological order."""
    wanted: set[str] = set()
    todo = list(targets)
    while todo:
        name = todo.pop()
        if name in wanted or name not in graph.nodes:
            continue
        wanted.add(name)
        todo.extend(graph.nodes[name].inputs.values())
    return [n for n in graph.order if n in wanted]


def _blocked_reason(name: str, known: Known) -> str:
    kind, _, source = name.partition(":")
    if kind != "source":
        return f"{name} is blocked"
    where = known.absent.get(source, "its path")
    return f"source {source} is neither at {where} nor in a shared store"


def _check_parameters(graph: Graph, parameters: Mapping[str, Mapping[str, Json]]) -> None:
    """Each parameter belongs to some step, and is of its default's kind, whether that step is asked for or not."""
    allowed: dict[str, set[str]] = {}
    for name, node in graph.nodes.items():
        if "@" in name:  # splitting and joining are nobody's to set
            continue
        allowed.setdefault(name.rpartition(".")[2], set()).update(node.parameters)
        parameters_of(node, parameters)
    for step, values in parameters.items():
        if step not in allowed:
            raise UsageError(
                "parameters for a step that does not exist", value=step, allowed=did_you_mean(step, allowed)
            )
        for name in values:
            if name not in allowed[step]:
                raise UsageError(
                    "a step has no such parameter", value=f"{step}.{name}", allowed=did_you_mean(name, allowed[step])
                )
