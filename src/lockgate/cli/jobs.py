"""`propose`, `approvals`: what jobs of a delivery pipeline call before the gates and behind them."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import parameters, watched
from lockgate.cli.cells import NOTE, PARAM
from lockgate.cli.judge import RELEASE
from lockgate.cli.render import now, plain, print_json, table
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.forge_job import job_in
from lockgate.records.proposals import LONGEST_NOTE
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.approval.approvals import Asked
    from lockgate.records.digest import Json


def propose_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--param", action="append", default=[], metavar="STEP.NAME=VALUE", help=PARAM)
    parser.add_argument(
        "--note", default="", metavar="TEXT", help=f"{NOTE} (in a job the commit's title stands there, too)"
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def approvals_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV", help="the environment that the release would enter")
    parser.add_argument("release", nargs="?", metavar="RELEASE", help=RELEASE)
    parser.add_argument("--json", action="store_true", help="for machines")


def propose(arguments: argparse.Namespace) -> int:
    """Make the release and write it into the ledger; exit 1 when a step failed."""
    from lockgate.delivery.propose import propose as propose_release

    project, job = open_project(Path.cwd()), job_in(os.environ)
    title = _one_line(os.environ.get("CI_COMMIT_TITLE", "")) if job else ""
    done = watched(lambda tell: propose_release(
        project, clock=now, job=job, params=parameters(arguments.param), tell=tell, note=arguments.note, title=title))  # fmt: skip
    if arguments.json:
        print_json({
            "release": done.release, "name": done.name, "new": done.is_new, "forge": to_json(job) if job else None,
            "run": done.ran.run, "steps": to_json(done.ran.steps),
        })  # fmt: skip
        return 0
    counted = Counter(s.action for s in done.ran.steps)
    said = "proposed" if done.is_new else "was proposed before:"
    where = f" in {job.words}" if job else ""
    print(f"{counted['run']} run, {counted['reuse']} reused")
    print(plain(f"done  {said} release {short(done.release)}{where}"))
    return 0


def _one_line(title: str) -> str:
    """A commit's title as a note: nobody wrote it as one, so what a note may not hold is left out."""
    return "".join(c for c in title if c.isprintable())[:LONGEST_NOTE].strip()


def approvals(arguments: argparse.Namespace) -> int:
    """Exit 0 when everybody who must agree has signed, 3 while somebody is missing, 1 when somebody rejected it."""
    from lockgate.delivery.approval.approvals import approvals as ask_for

    project, job = open_project(Path.cwd()), job_in(os.environ)
    found = watched(
        lambda tell: ask_for(project, arguments.environment, arguments.release, clock=now, job=job, tell=tell)
    )
    if arguments.json:
        print_json(_json(found))
    for line in _lines(found):
        print(line, file=sys.stderr if arguments.json else sys.stdout)
    if found.error is not None:
        raise found.error
    return 0


def _lines(found: Asked) -> list[str]:
    release, stands = short(found.release), found.stands
    rows = [[r.role, f"{len(r.people)} of {r.need}", ", ".join(r.people) or "nobody yet"] for r in stands.roles]
    lines = [table(rows, header=["role", "signed", "by"])] if rows else []
    if stands.attested:
        lines.append(plain(f"by a button at the forge: {', '.join(stands.attested)}"))
    if stands.own_work:
        lines.append(plain(f"own work, flagged: {', '.join(stands.own_work)}"))
    if stands.glass:
        lines.append(plain(f"{stands.glass} broke the glass"))
    if found.editors_unknown:
        lines.append(f"nobody can tell who edited the policy: {found.editors_unknown}")
    lines += [plain(f"gate {u.gate}: {u.why}") for u in found.unmeasured]
    if found.error is None:
        words = "everybody has agreed" if rows else "nobody is asked"
        lines.append(f"done  release {release} may enter {found.environment}: {words}")
    return lines


def _json(found: Asked) -> dict[str, Json]:
    stands = found.stands
    return {
        "release": found.release, "environment": found.environment, "granted": stands.granted, "missing": stands.missing,
        "roles": [{"role": r.role, "need": r.need, "signed": list(r.people)} for r in stands.roles],
        "uncertain": list(found.ask.uncertain), "rejected_by": list(stands.rejected_by), "own_work": list(stands.own_work),
        "attested": list(stands.attested),
        "glass": stands.glass or None, "page": found.page or None, "editors_unknown": found.editors_unknown or None, "unmeasured": to_json(found.unmeasured), "sign": found.sign or None,
    }  # fmt: skip
