"""`status`: where things stand."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import WIDTH, now, plain, print_json, table
from lockgate.errors import ServiceUnavailable
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from lockgate.delivery.status import EnvironmentStatus


def status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit 5 unless each environment serves what is wanted and answers, where it can be asked from here",
    )
    _json_flag(parser)


def status(arguments: argparse.Namespace) -> int:
    """What is live where, and what could go live now."""
    from lockgate.delivery import status as delivery

    found = delivery.status(open_project(Path.cwd()), now=now(), elsewhere=bool(os.environ.get("CI")))
    if arguments.json:
        print_json([to_json(s) for s in found])
    else:
        _show(found)
    if arguments.check:
        _check(found)
    return 0


def _check(found: Sequence[EnvironmentStatus]) -> None:
    """Raise ServiceUnavailable naming every environment where something else is wanted than is served, or nobody answers."""
    ill = [s for s in found if s.health not in ("healthy", "empty") or s.answers is False]
    if ill:
        raise ServiceUnavailable(
            "not every environment serves what is wanted", value="; ".join(f"{s.environment} is {_health(s)}" for s in ill),
            next=f"lockgate serve {ill[0].environment}, where it runs; or lockgate rollback {ill[0].environment}",
        )  # fmt: skip


def _show(found: Sequence[EnvironmentStatus]) -> None:
    rows = [[s.environment, short(s.release) if s.release else "–", f"{s.since:%F %H:%M}" if s.since else "–", _health(s)]
            for s in found]  # fmt: skip
    print(table(rows, header=["environment", "release", "since (UTC)", "health"]))
    for line in dict.fromkeys(line for s in found for line in _beside_the_rule(s)):
        print(line)
    for s in found:
        if s.newest and s.newest != s.release and s.blocker:
            print("\n" + _blocked(s))


def _blocked(s: EnvironmentStatus) -> str:
    """What stands before an environment; the next step on a line of its own, where both are too long for one."""
    line = f"{short(s.newest or '')} is the newest release; before {s.environment}: {plain(s.blocker)}"
    if len(line) <= WIDTH or not s.next:
        return textwrap.fill(line, WIDTH, break_on_hyphens=False)
    why = textwrap.fill(line.removesuffix(f": {plain(s.next)}"), WIDTH, break_on_hyphens=False)
    return f"{why}\n  next: {plain(s.next)}"


def _beside_the_rule(s: EnvironmentStatus) -> list[str]:
    """What people must not forget: broken glass that nobody reviewed, waivers that carry what is live, conditions to meet."""
    glass = [
        f"review open: {g.by} broke the glass for {short(g.release)} → {g.environment} at {g.at:%F %H:%M} UTC: {g.reason}; "
        f"lockgate review {short(g.entry)} --role …"
        for g in s.stands.reviews
    ]
    waived = [
        f"{s.environment}: {w.gate} is waived until {w.not_after:%F %H:%M} UTC, {w.owner} answers for it: {w.reason}"
        for w in s.stands.waivers
    ]
    asked = [
        f"{s.environment}: condition by {c.set_by} is open: {c.text}; lockgate meet {short(c.entry)} --how …"
        for c in s.stands.conditions
        if not c.how
    ]
    return ["\n" + textwrap.fill(plain(line), WIDTH, break_on_hyphens=False) for line in (*glass, *waived, *asked)]


def _health(s: EnvironmentStatus) -> str:
    if s.health == "waiting":
        return f"waiting: {short(s.wanted or '')} is wanted, and no server has answered yet"
    if s.answers is False:
        return f"{s.health}, but silent now: lockgate serve {s.environment}"
    return s.health


def _json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for machines")
