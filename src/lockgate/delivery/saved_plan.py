"""A plan as a file: what was agreed to run, and the check that the world is still the one it was made in."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.build.explain import differences, words
from lockgate.build.fingerprint import parameters_of
from lockgate.delivery.run import plan
from lockgate.delivery.why import inputs_of
from lockgate.durable import write_atomic
from lockgate.errors import UsageError
from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json
from lockgate.records.plan import Result, Reuse

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lockgate.delivery.run import Planned
    from lockgate.project import Project
    from lockgate.records.plan import PlannedStep

__all__ = ["SavedPlan", "agreed", "changed", "made_of", "read", "save"]

FORMAT = "lockgate-plan/1"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a plan's file says: what was asked for, the day, and every step with what it was decided from."""

    pipeline: str | None
    to: str | None
    params: Mapping[str, Mapping[str, Json]]
    as_of: str
    steps: Mapping[str, Mapping[str, Json]]


def save(
    path: Path, planned: Planned, *, pipeline: str | None, to: str | None, params: Mapping[str, Mapping[str, Json]]
) -> None:
    """Write the plan as JSON, whole or not at all."""
    content = {
        "format": FORMAT, "pipeline": pipeline, "to": to, "params": params, "as_of": planned.as_of.isoformat(),
        "steps": [_line(planned, s) for s in planned.plan.steps],
    }  # fmt: skip
    write_atomic(path.absolute(), json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def read(path: Path) -> SavedPlan:
    """Read a plan's file. Raises UsageError when it is not one."""
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise _not_a_plan(path, f"format {content['format']!r}")
        steps = {str(s["name"]): s for s in content["steps"]}
        for step in steps.values():
            _made_of(step)
        return SavedPlan(content["pipeline"], content["to"], content["params"], str(content["as_of"]), steps)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
        raise _not_a_plan(path, reason) from error


def agreed(project: Project, saved: SavedPlan, *, now: dt.datetime) -> Planned:
    """Plan again and answer that plan if it is the saved one; else raise UsageError naming what moved."""
    planned = plan(project, saved.pipeline, now=now, to=saved.to, params=saved.params)
    moved = list(_moved(saved, planned))
    if not moved:
        return planned
    if saved.as_of != planned.as_of.isoformat():
        moved.insert(0, f"as-of {saved.as_of} → {planned.as_of}")
    more = [f"and {len(moved) - SHOWN} more"] if len(moved) > SHOWN else []
    raise UsageError(
        "the world has moved since this plan was saved, so nothing ran",
        value="\n           ".join(["", *moved[:SHOWN], *more]),
        next="lockgate plan --save FILE",
    )


def made_of(planned: Planned) -> dict[str, Json]:
    """Step → what decides about it."""
    return {s.node: _line(planned, s)["made_of"] for s in planned.plan.steps}


def changed(then: Mapping[str, Json], planned: Planned) -> Iterator[str]:
    """What of `made_of` is not so any more, in words. An input that was not known yet, or is not now, is no change."""
    now = {s.node for s in planned.plan.steps}
    yield from (f"{name} is new" for name in sorted(now - then.keys()))
    for name, before in then.items():
        if name not in now:
            yield f"{name} is gone"
        else:
            yield from (f"{name}: {line}" for line in _differing({"made_of": before}, planned, name))


def _line(planned: Planned, step: PlannedStep) -> dict[str, Json]:
    node = planned.graph.nodes[step.node]
    action, reason = words(step)
    return {
        "name": step.node, "action": action, "reason": reason, "fingerprint": step.fingerprint,
        "digest": step.action.artifact.digest if isinstance(step.action, Reuse) else None,
        "made_of": {
            "inputs": inputs_of(planned, step.node), "parameters": parameters_of(node, planned.known.parameters),
            "packages": list(node.packages), "definitions": [[d.name, d.file, d.line, d.digest] for d in node.definitions],
        },
    }  # fmt: skip


def _moved(saved: SavedPlan, planned: Planned) -> Iterator[str]:
    now = {s.node: s for s in planned.plan.steps}
    yield from (f"{name} is new" for name in now if name not in saved.steps)
    for name, then in saved.steps.items():
        if name in now:
            yield from (f"{name}: {line}" for line in _step_moved(then, planned, now[name]))
        else:
            yield f"{name} is gone"


def _step_moved(then: Mapping[str, Json], planned: Planned, step: PlannedStep) -> Iterator[str]:
    """Why a step is not the one that was planned; unknown inputs are the business of the steps that make them."""
    line, found = _line(planned, step), list(_differing(then, planned, step.node))
    yield from found
    if not found and then["action"] != line["action"]:
        yield f"it was to {_verb(str(then['action']))}, now it would {_verb(str(line['action']))}"
    elif not found and (then["fingerprint"], then["digest"]) != (line["fingerprint"], line["digest"]):
        yield "its stored result, its annotations or the interpreter changed"


def _differing(then: Mapping[str, Json], planned: Planned, name: str) -> Iterator[str]:
    """Every difference of code, parameters, known inputs and packages."""
    last, node, inputs = _made_of(then), planned.graph.nodes[name], inputs_of(planned, name)
    unknown = {p for p in inputs if p in last.inputs and not (inputs[p] and last.inputs[p])}
    known, before = ({p: i for p, i in side.items() if p not in unknown} for side in (inputs, last.inputs))
    parameters = parameters_of(node, planned.known.parameters)
    return differences(node, replace(last, inputs=before), known, parameters)


def _verb(action: str) -> str:
    return {"reuse": "be reused", "maybe": "run if an input changes", "blocked": "be blocked"}.get(action, action)


def _made_of(step: Mapping[str, Json]) -> Result:
    """What the step was decided from, in the form that differences are told of."""
    made = step["made_of"]
    nothing = Artifact(type="", codec="", digest="", object="", size_bytes=0)
    return Result(
        artifact=nothing, inputs=dict(made["inputs"]), parameters=dict(made["parameters"]), packages=tuple(made["packages"]),
        definitions=tuple((str(n), str(f), int(line), str(d)) for n, f, line, d in made["definitions"]), seconds=0.0,
    )  # fmt: skip


def _not_a_plan(path: Path, why: str) -> UsageError:
    return UsageError(
        "not a saved plan", value=f"{path}: {why}", allowed="a file of `lockgate plan --save`",
        next=f"lockgate plan --save {path}",
    )  # fmt: skip
