"""`gate judge`: one gate on one release, as a job of a pipeline of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import watched
from lockgate.cli.deliver import judged_json, stage_lines
from lockgate.cli.render import now, print_json
from lockgate.project import open_project
from lockgate.records.digest import short

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.judging.one_gate import JudgedGate

__all__ = ["RELEASE", "judge", "judge_arguments"]

RELEASE = "latest, or the start of a digest (default: the pipeline's own; outside of one, the newest)"


def judge_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gate", metavar="NAME", help="a gate of the delivery pipeline")
    parser.add_argument("release", nargs="?", metavar="RELEASE", help=RELEASE)
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the result there as JUnit's XML, too")
    parser.add_argument(
        "--wait", type=float, default=30.0, metavar="SECONDS", help="how long a server that it asks may be silent"
    )


def judge(arguments: argparse.Namespace) -> int:
    """Exit 1 when it failed and nothing lets it pass, 3 when it is uncertain, 5 when a server that it asks is silent."""
    from lockgate.delivery.judging.one_gate import judge_gate
    from lockgate.records.forge_job import job_in

    project, job = open_project(Path.cwd()), job_in(os.environ)
    found = watched(lambda tell: judge_gate(
        project, arguments.gate, arguments.release, clock=now, wait_seconds=arguments.wait, job=job, tell=tell))  # fmt: skip
    if arguments.junit:
        from lockgate.forge.junit import junit

        arguments.junit.parent.mkdir(parents=True, exist_ok=True)
        arguments.junit.write_text(junit(found.release, [(found.verdict, found.evidence)]), encoding="utf-8")
    if arguments.json:
        print_json({
            "release": found.release, "gate": arguments.gate, **judged_json(found.verdict, found.evidence),
            "waived": found.waived or None,
        })  # fmt: skip
    _say(arguments, found)
    if found.error is not None:
        raise found.error
    return 0


def _say(arguments: argparse.Namespace, found: JudgedGate) -> None:
    from lockgate.delivery.delivered import StageRecord

    waived = f"{found.waived}. The gate itself failed: {found.verdict.reason}" if found.waived else ""
    outcome = "waived" if waived else found.verdict.outcome
    for line in stage_lines(StageRecord(arguments.gate, outcome, waived or found.verdict.reason)):
        print(line, file=sys.stderr if arguments.json else sys.stdout)
    if found.error is None and not arguments.json:
        print(f"done  gate {arguments.gate} judged release {short(found.release)}")
