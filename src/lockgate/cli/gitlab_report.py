"""`gitlab report`: what a merge request shows: files for GitLab's widgets, the evidence page, and one note."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import watched
from lockgate.cli.render import now, plain, print_json
from lockgate.cli.wrapping import told
from lockgate.errors import UsageError
from lockgate.forge.change import Change, change_in, note_token
from lockgate.project import adapter, open_project
from lockgate.records.digest import short
from lockgate.records.forge_job import job_in

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.forge.report import Reported
    from lockgate.ports import Forge
    from lockgate.project import Project

__all__ = ["report", "report_arguments"]

FOLDER = "lockgate-reports"
NEEDS = "a project access token with role Reporter or higher and scope api"


def report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default=FOLDER, metavar="FOLDER", help=f"where the files go (default: {FOLDER})")
    note = parser.add_mutually_exclusive_group()
    note.add_argument(
        "--note", action="store_true", help="it must be written: else exit 4 or 5; 2 where there is no merge request"
    )
    note.add_argument("--no-note", action="store_true", help="only files: no network but store and ledger")
    parser.add_argument("--quick", action="store_true", help="leave out why answers change: nothing is built")


def report(arguments: argparse.Namespace) -> int:
    """Exit 0 when the files are there; a note that cannot be written is told, and fails only where it is asked for."""
    from lockgate.cli.gitlab import has
    from lockgate.delivery.forge.report import Reporting
    from lockgate.delivery.forge.report import report as report_release

    project = open_project(Path.cwd())
    mode = _mode(project, arguments)
    change, forge = _where(mode)
    how = Reporting(
        folder=arguments.out, job=job_in(os.environ), variables=os.environ, has=has, change=change, quick=arguments.quick,
        forge=forge,
    )  # fmt: skip
    done = watched(lambda tell: report_release(project, how, clock=now, tell=tell))
    why_not = "" if mode == "off" else change.why_not
    if arguments.json:
        _as_json(done, why_not)
    else:
        _show(done, "" if arguments.note else why_not)
    if done.error is not None and mode == "require":
        raise done.error
    if arguments.note and not change.number:
        raise UsageError(
            "there is no merge request that a note could be written under", value=change.why_not,
            allowed='a merge request\'s job; for jobs of other pipelines, too: note = "require" under [gitlab]',
            next="lockgate gitlab report, without --note: the files are written, and exit 0",
        )  # fmt: skip
    return 0


def _mode(project: Project, arguments: argparse.Namespace) -> str:
    if arguments.no_note:
        return "off"
    settings = project.settings.gitlab
    return "require" if arguments.note else settings.note if settings else "try"


def _where(mode: str) -> tuple[Change, Forge | None]:
    """The merge request, and how to write under it. Raises UsageError where a note is asked for and nothing says which project it is."""
    change = change_in(os.environ)
    if mode == "off" or not change.number:
        return change, None
    try:
        return change, adapter("gitlab.forge", "GitlabForge")(os.environ, token=note_token(os.environ), needs=NEEDS)
    except UsageError as error:
        if mode == "require":
            raise
        return Change(why_not=str(error)), None


def _as_json(done: Reported, why_not: str) -> None:
    print_json({
        "release": done.release, "environment": done.environment or None, "live": done.live, "files": list(done.files),
        "note": done.note or None, "why_no_note": (str(done.error) if done.error else _newer(done) or why_not) or None, "lacks": list(done.lacks),
    })  # fmt: skip


def _show(done: Reported, why_not: str) -> None:
    none = (
        "this pipeline proposed no release"
        if job_in(os.environ)
        else "nobody has proposed a release yet: lockgate propose"
    )
    print(plain(f"release {short(done.release)} for {done.environment}" if done.release else none))
    for name in done.files:
        print(plain(f"wrote  {name}"))
    for line in done.lacks:
        print(plain(f"no picture  {line}"), file=sys.stderr)
    if done.note:
        print(plain(f"note   {done.note}"))
    elif done.error is not None:
        print(plain(f"\n{done.text}"))
        print(told(f"no note: {done.error}"), file=sys.stderr)
    elif done.newer:
        print(plain(f"note   {_newer(done)}"))
    elif why_not:
        print(told(f"no note: {why_not}"))


def _newer(done: Reported) -> str:
    return f"left alone: a newer pipeline has written it ({done.newer})" if done.newer else ""
