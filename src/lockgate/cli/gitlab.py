"""`gitlab render | check | report | attest | publish`: the delivery pipeline as GitLab's file, and what its jobs say of GitLab."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lockgate.cli.gitlab_attest import attest, attest_arguments
from lockgate.cli.gitlab_publish import publish, publish_arguments
from lockgate.cli.gitlab_report import report, report_arguments
from lockgate.cli.render import now, print_json, table
from lockgate.cli.wrapping import told
from lockgate.errors import UsageError
from lockgate.project import open_project

__all__ = ["gitlab", "gitlab_arguments", "has"]


def gitlab_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    rendering = actions.add_parser("render", help="write .gitlab-ci.yml and ci/lockgate.gitlab-ci.yml")
    rendering.add_argument(
        "--child", action="store_true", help="a child pipeline: one job for each step that has to run"
    )
    rendering.add_argument(
        "--out", type=Path, metavar="FILE", help="with --child: where to (default: lockgate-child.yml)"
    )
    rendering.add_argument(
        "--force", action="store_true", help="also delete what somebody added to a .gitlab-ci.yml of ours"
    )
    checking = actions.add_parser(
        "check", help="exit 1 when the committed files are stale, or let something past a gate"
    )
    reporting = actions.add_parser("report", help="what a merge request shows: widgets, evidence page, one note")
    report_arguments(reporting)
    attesting = actions.add_parser(
        "attest", help="in a manual job: say that who started it, or approved its deployment, approves"
    )
    attest_arguments(attesting)
    publishing = actions.add_parser(
        "publish", help="a delivered release: packages, model version, number, page, provenance"
    )
    publish_arguments(publishing)
    for each in (rendering, checking, reporting, attesting, publishing):
        each.add_argument("--json", action="store_true", help="for machines")


def gitlab(arguments: argparse.Namespace) -> int:
    """One of the actions."""
    actions = {"render": _render, "check": _check, "report": report, "attest": attest, "publish": publish}
    return actions[arguments.action](arguments)


def has(path: tuple[str, ...]) -> bool:
    """Whether this Lockgate has a command, its action or its option, such as `("deliver", "--here")`.

    >>> has(("run", "--to")), has(("gitlab", "check")), has(("run", "--backwards"))
    (True, True, False)
    """
    from lockgate.cli.main import COMMANDS
    from lockgate.cli.parser import Parser

    places = {name: place for group in COMMANDS.values() for name, (place, _) in group.items()}
    if not path or path[0] not in places:
        return False
    import importlib

    parser: argparse.ArgumentParser = Parser()
    getattr(importlib.import_module(f"lockgate.cli.{places[path[0]]}"), f"{path[0]}_arguments")(parser)
    for word in path[1:]:
        choices = [a.choices for a in parser._actions if isinstance(a.choices, dict)]  # only subcommands have names
        found = next((c[word] for c in choices if word in c), None)
        if found is None and word not in parser._option_string_actions:
            return False
        parser = found or parser
    return True


def _render(arguments: argparse.Namespace) -> int:
    """Write the files, and say what a team still has to do."""
    project = open_project(Path.cwd())
    if arguments.out and not arguments.child:
        raise UsageError(
            "the committed files have fixed places", value="--out without --child", allowed="--child --out FILE"
        )
    if arguments.child:
        from lockgate.cli.gitlab_child import child

        return child(project, arguments)
    from lockgate.delivery.forge.render import render

    done = render(project, now=now(), has=has, force=arguments.force)
    if arguments.json:
        from lockgate.records.wire import to_json

        print_json(to_json(done))
        return 0
    for name in done.wrote:
        print(f"wrote  {name}")
    for name in done.same:
        print(f"same   {name}")
    jobs = [[j.stage, j.name, ", ".join(j.needs)] for j in done.graph.jobs]
    print("\n" + table(jobs, header=["stage", "job", "needs"], whole=True))
    if done.include:
        print("\n.gitlab-ci.yml is yours and was left alone. It must say:\n\n" + "\n".join(done.include))
    for line in done.warnings:
        print(told(f"warning: {line}"), file=sys.stderr)
    print("\nnext: git add .gitlab-ci.yml ci && git commit")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    """Exit 1 when something is stale or wrong."""
    from lockgate.cli.gitlab_check import check

    return check(arguments, has=has)
