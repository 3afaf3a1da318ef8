"""`deliver --to ENV --here`: the deployment job of a pipeline."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import watched
from lockgate.cli.deliver import stage_lines
from lockgate.cli.render import now, print_json
from lockgate.durable import write_atomic
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.delivered import StageRecord

__all__ = ["here"]

NOT_HERE = ("plan", "save", "planned", "param", "break_glass", "reason", "role", "key")
ENDED = {"delivered": "delivered to", "rolled-back": "rolled back to in", "served-already": "already served in"}


def here(arguments: argparse.Namespace) -> int:
    """Exit 1 when a gate has no result or failed, 3 while somebody must agree, 4 when who asks may not, 5 on silence."""
    _check(arguments)
    from lockgate.delivery.deliver_here import deliver_here
    from lockgate.records.forge_job import job_in

    out = sys.stderr if arguments.json else sys.stdout

    def say(stage: StageRecord) -> None:
        for line in stage_lines(stage):
            print(line, file=out, flush=True)

    project, job = open_project(Path.cwd()), job_in(os.environ)
    done = watched(lambda tell: deliver_here(
        project, arguments.to, arguments.release, clock=now, answer_seconds=arguments.wait, job=job, tell=tell, say=say))  # fmt: skip
    if arguments.json:
        print_json({
            "release": done.release, "environment": done.environment, "went": done.went or None,
            "stages": [to_json(s) for s in done.stages],
        })  # fmt: skip
    elif done.error is None:
        print(f"done  release {short(done.release)} is {ENDED[done.went]} {done.environment}")
    if done.error is not None:
        raise done.error
    if arguments.dotenv:
        write_atomic(
            arguments.dotenv, f"LOCKGATE_RELEASE={done.release}\nLOCKGATE_ENVIRONMENT={done.environment}\n".encode()
        )
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.to:
        raise UsageError(
            "--here takes a release into one environment", value="without --to", allowed="--to ENV --here",
            next="lockgate deliver --help",
        )  # fmt: skip
    if given := [n for n in NOT_HERE if getattr(arguments, n)]:
        raise UsageError(
            "--here goes by what is recorded, and runs nothing", value=f"--{given[0].replace('_', '-')}",
            allowed="[RELEASE], --to, --wait, --dotenv, --json", next="lockgate deliver, without --here",
        )  # fmt: skip
