"""`deliver --plan`: the steps that would run and the stages a release would meet; nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.declare import Approval, DeployTo, Gate
from lockgate.delivery.run import Planned, plan
from lockgate.delivery.walk import Walk, walk_now
from lockgate.gates.policy import limits_for
from lockgate.gates.rules import LIMITS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from lockgate.declare import Stage
    from lockgate.project import Project
    from lockgate.records.digest import Json

__all__ = ["preview"]


def preview(
    project: Project, *, now: dt.datetime, to: str | None = None, params: Mapping[str, Mapping[str, Json]] | None = None
) -> tuple[Planned, list[tuple[str, str]]]:
    """The training plan, and per stage its name and what it asks; with `to`, no further than that environment."""
    walk = walk_now(project, now=now)
    if to is not None:
        walk.check(to)
    planned = plan(project, walk.delivery.name, now=now, params=params, graph=walk.graph)
    stages = walk.stages if to is None else (*walk.stages_before(to), DeployTo(to))
    return planned, [_line(walk, stage) for stage in stages]


def _line(walk: Walk, stage: Stage) -> tuple[str, str]:
    match stage:
        case Gate():
            limits = {**LIMITS.get(stage.rule, {}), **limits_for(walk.policy, stage)}
            asked = ", ".join(f"{n} {v}" for n, v in limits.items() if v is not None)
            return f"gate {stage.name}", asked or "must hold exactly"
        case Approval():
            need = walk.policy.need.get(stage.role, 1)
            people = "1 person" if need == 1 else f"{need} people"
            return (
                f"approval {stage.role}",
                f"{people} in this role, valid for {stage.valid_for}; own work {walk.policy.self_approval}",
            )
        case DeployTo():
            rules = walk.policy.environment(stage.environment)
            return f"deploy {stage.environment}", "protected" if rules.protected else "unprotected"
