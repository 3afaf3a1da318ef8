"""`plan --save FILE` and `run --plan FILE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery import saved_plan
from lockgate.errors import UsageError

if TYPE_CHECKING:
    import argparse
    import datetime as dt
    from collections.abc import Mapping

    from lockgate.delivery.run import Planned
    from lockgate.project import Project
    from lockgate.records.digest import Json


def save(arguments: argparse.Namespace, planned: Planned, params: Mapping[str, Mapping[str, Json]]) -> None:
    """Write the plan, with what was asked for."""
    saved_plan.save(arguments.save, planned, pipeline=arguments.pipeline, to=arguments.to, params=params)
    if not arguments.json:
        print(f"next: lockgate run --plan {arguments.save}")


def agreed(arguments: argparse.Namespace, project: Project, began: dt.datetime) -> Planned:
    """The plan of `--plan FILE`, if the world is still the one it was saved in."""
    if arguments.pipeline or arguments.to or arguments.param:
        raise UsageError(
            "a saved plan says what runs", value="--plan with PIPELINE, --to or --param", allowed="one of them"
        )
    saved = saved_plan.read(arguments.plan)
    arguments.pipeline = saved.pipeline
    return saved_plan.agreed(project, saved, now=began)
