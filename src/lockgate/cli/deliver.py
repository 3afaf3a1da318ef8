"""`deliver`."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import parameters, watched
from lockgate.cli.cells import NOTE, PARAM
from lockgate.cli.render import WIDTH, colour, now, plain, print_json
from lockgate.delivery.approval.break_glass import Hammer
from lockgate.delivery.deliver import deliver as deliver_release
from lockgate.delivery.delivered import StageRecord
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.records.delivery_plan import DeliveryPlan
    from lockgate.records.digest import Json
    from lockgate.records.evidence import Evidence, Verdict


def deliver_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("release", nargs="?", metavar="RELEASE", help="with --here: which (default: the pipeline's)")
    parser.add_argument("--to", metavar="ENV", help="stop when this environment serves the release")
    parser.add_argument(
        "--here", action="store_true", help="one deployment by what the ledger holds; nothing runs, nothing is judged"
    )
    parser.add_argument(
        "--dotenv", type=Path, metavar="FILE", help="with --here: write what was delivered, as NAME=VALUE lines"
    )
    parser.add_argument("--param", action="append", default=[], metavar="STEP.NAME=VALUE", help=PARAM)
    parser.add_argument("--note", default="", metavar="TEXT", help=NOTE)
    parser.add_argument(
        "--plan", action="store_true", help="what would run, be asked, and change; nothing runs, nothing is written"
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="with --plan: keep it for --planned, and for approvals"
    )
    parser.add_argument("--planned", type=Path, metavar="FILE", help="carry out a saved plan or nothing")
    parser.add_argument(
        "--wait", type=float, default=30.0, metavar="SECONDS", help="how long an environment may take to answer"
    )
    parser.add_argument(
        "--break-glass",
        metavar="ENV",
        help="emergency: go as far as ENV without who must agree; signed, flagged, reviewed",
    )
    parser.add_argument("--reason", default="", help="why the glass is broken")
    parser.add_argument("--role", default="", help="the role in which you break it")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the key you break it with (default: this copy's)")
    parser.add_argument("--json", action="store_true", help="for machines")


def deliver(arguments: argparse.Namespace) -> int:
    """Exit 1 when a gate failed, 3 when a person is asked, 5 when nobody serves an environment."""
    if arguments.note and (arguments.plan or arguments.save or arguments.here):
        what = "a note is signed where a release is made"
        raise UsageError(what, value="--note with --plan, --save or --here", allowed="deliver --note, propose --note")
    if (arguments.plan or arguments.save) and not arguments.here:
        from lockgate.cli.deliver_plan import show  # most deliveries are carried out

        return show(arguments)
    if arguments.here:
        from lockgate.cli.deliver_here import here

        return here(arguments)
    if arguments.release or arguments.dotenv:
        raise UsageError(
            "without --here the release is what this working copy makes", value=arguments.release or "--dotenv",
            allowed="lockgate deliver RELEASE --to ENV --here", next="lockgate deliver --help",
        )  # fmt: skip
    out = sys.stderr if arguments.json else sys.stdout

    def say(stage: StageRecord) -> None:
        for line in stage_lines(stage):
            print(line, file=out, flush=True)

    project, hammer = open_project(Path.cwd()), _hammer(arguments)
    done = watched(lambda tell: deliver_release(
        project, clock=now, to=arguments.to, params=parameters(arguments.param), tell=tell, say=say,
        answer_seconds=arguments.wait, hammer=hammer, agreed=_agreed(arguments), note=arguments.note))  # fmt: skip
    if arguments.json:
        print_json({"release": done.release, "run": done.run, "stages": to_json(done.stages) if done.stages else [],
                    "verdicts": [judged_json(v, e) for v, e in zip(done.verdicts, done.evidence, strict=True)],
                    "page": done.page or None})  # fmt: skip
    elif done.error is None:
        print(f"done  release {short(done.release)} is delivered")
    if done.error is not None:
        raise done.error
    return 0


def _agreed(arguments: argparse.Namespace) -> DeliveryPlan | None:
    """The plan of `--planned FILE`; it says how far, and with which parameters."""
    if arguments.planned is None:
        return None
    if arguments.to or arguments.param:
        raise UsageError("a saved plan says what runs", value="--planned with --to or --param", allowed="one of them")
    from lockgate.delivery.delivery_plan.agreed import read_plan

    return read_plan(arguments.planned)


def _hammer(arguments: argparse.Namespace) -> Hammer | None:
    """Who breaks the glass, when somebody does."""
    if arguments.break_glass:
        return Hammer(
            environment=arguments.break_glass, role=arguments.role, reason=arguments.reason, key=arguments.key
        )
    if arguments.reason or arguments.role or arguments.key:
        raise UsageError(
            "a reason, a role and a key are for breaking the glass", value="without --break-glass",
            allowed="--break-glass ENV --role ROLE --reason TEXT", next="lockgate deliver --help",
        )  # fmt: skip
    return None


def judged_json(verdict: Verdict, evidence: Evidence) -> dict[str, Json]:
    """A verdict with the number it rests on; `evidence` is a digest."""
    found = evidence.statistic
    interval = (
        None
        if found.low is None or found.high is None
        else {"low": found.low, "high": found.high, "level": found.level}
    )
    return {
        **to_json(verdict),
        "statistic": {"name": found.name, "value": found.value, "unit": found.unit},
        "interval": interval,
        "n": found.n,
    }


def stage_lines(stage: StageRecord) -> list[str]:
    """A stage's outcome, name and sentence, wrapped to the terminal's width."""
    indent = " " * 39
    lines = textwrap.wrap(plain(stage.text), WIDTH, initial_indent=indent, subsequent_indent=indent) or [indent]
    return [f"{colour(f'{stage.outcome:<14}')}  {stage.stage:<22} {lines[0][39:]}".rstrip(), *lines[1:]]
