"""`gitlab render --child`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, print_json, table
from lockgate.delivery.forge.child import child as write_child
from lockgate.forge.jobs import CHILD_FILE

if TYPE_CHECKING:
    import argparse

    from lockgate.project import Project


def child(project: Project, arguments: argparse.Namespace) -> int:
    """Write the child pipeline and say what is in it. Its jobs agree on the day of the pipeline that starts it."""
    path = arguments.out or Path(CHILD_FILE)
    done = write_child(project, path, now=now(), day=os.environ.get("LOCKGATE_AS_OF", ""))
    if arguments.json:
        from lockgate.records.wire import to_json

        print_json(to_json(done))
        return 0
    print(f"wrote  {path}: {done.runs} steps run or may run, {done.reused} are reused and have no job")
    if done.whole:
        print(
            "one job for each pipeline: with one for each step the file would be larger than [gitlab] child_bytes",
            file=sys.stderr,
        )
    jobs = [[j.stage, j.name, j.says] for j in done.graph.jobs]
    print("\n" + table(jobs, header=["stage", "job", "why"], whole=True))
    return 0
