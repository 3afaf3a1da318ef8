"""`diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import watched
from lockgate.cli.render import now, print_json, table
from lockgate.project import open_project
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

ANY = "latest, an environment, or the start of a digest"


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", nargs="?", default="production", help=f"{ANY} (default: production)")
    parser.add_argument("after", nargs="?", help="the same (default: latest)")
    parser.add_argument("--quick", action="store_true", help="leave out why the answers change: nothing is built")
    parser.add_argument("--json", action="store_true", help="for machines; every group, every step")


def diff(arguments: argparse.Namespace) -> int:
    """What changes for users from one release to another, and why."""
    from lockgate.delivery.comparison.difference import difference

    project = open_project(Path.cwd())
    before, after = arguments.before, arguments.after or "latest"
    if arguments.after is None and before == "latest":
        before = "production"
    found = watched(lambda tell: difference(
        project, before, after, now=now(), quick=arguments.quick, tell=tell))  # fmt: skip
    if arguments.json:
        print_json(to_json(found))
        return 0
    from lockgate.delivery.comparison.text import text

    print(text(found, (before, after), table=table))
    return 0
