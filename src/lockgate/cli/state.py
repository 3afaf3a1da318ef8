"""`status`, `ledger`: where things stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain, print_json, table
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.status import EnvironmentStatus


def status_arguments(parser: argparse.ArgumentParser) -> None:
    _json_flag(parser)


def ledger_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["log", "verify"])
    _json_flag(parser)


def status(arguments: argparse.Namespace) -> int:
    """What is live where, and what could go live now."""
    from lockgate.delivery import status as delivery

    found = delivery.status(open_project(Path.cwd()), now=now())
    if arguments.json:
        print_json([to_json(s) for s in found])
        return 0
    rows = [[s.environment, short(s.release) if s.release else "–", f"{s.since:%F %H:%M}" if s.since else "–", _health(s)]
            for s in found]  # fmt: skip
    print(table(rows, header=["environment", "release", "since (UTC)", "health"]))
    for s in found:
        if s.newest and s.newest != s.release and s.blocker:
            print(f"\n{short(s.newest)} is the newest release; before {s.environment}: {plain(s.blocker)}")
    return 0


def _health(s: EnvironmentStatus) -> str:
    if s.health == "waiting":
        return f"waiting: {short(s.wanted or '')} is wanted, and no server has answered yet"
    if s.answers is False:
        return f"{s.health}, but silent now: lockgate serve {s.environment}"
    return s.health


def ledger(arguments: argparse.Namespace) -> int:
    """What was decided; `verify` checks chain, signatures and what this copy saw before."""
    from lockgate.delivery.ledger import lines, verified

    project = open_project(Path.cwd())
    if arguments.action == "verify":
        report = verified(project)
        if arguments.json:
            print_json(report)
        else:
            print(f"good  {report['entries']} entries, {report['set_aside']} set aside, head {report['head']}")
        return 0
    found = lines(project)
    if arguments.json:
        print_json(found)
    else:
        print(
            table(
                [[str(e["seq"]), e["time"][:19], e["who"], e["what"], e["about"]] for e in found],
                header=["#", "time (UTC)", "who", "what", "about"],
            )
        )
    return 0


def _json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for machines")
