"""`waive`, `waivers`: what is signed beside the rule, and what stands of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain, print_json
from lockgate.errors import UsageError
from lockgate.gates.exceptions import duration
from lockgate.gates.seconding import how_to_second
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.gates.what_stands import WhatStands


def waive_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gate", help="the gate that failed")
    parser.add_argument("ref", help="latest, or the start of a release's digest")
    parser.add_argument("--role", required=True, help="the role you sign in")
    parser.add_argument("--reason", default="", help="why it may pass")
    parser.add_argument("--control", default="", help="what is done instead")
    parser.add_argument("--owner", default="", metavar="NAME", help="who answers for it")
    parser.add_argument("--until", metavar="DAY", help="the last day, 2026-12-24, or how long, 14d")
    parser.add_argument("--env", help="how far the release may go with it (default: the last environment)")
    parser.add_argument(
        "--second", default="", metavar="ENTRY",
        help="instead of words of your own: sign those of this ledger entry, as `lockgate waivers` shows it",
    )  # fmt: skip
    key_argument(parser)


def waivers_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", nargs="?", default="latest")
    parser.add_argument("--env", help="for which environment (default: the last one)")
    parser.add_argument("--json", action="store_true", help="for machines")


def key_argument(parser: argparse.ArgumentParser) -> None:
    """`--key`, for every command that signs beside the rule."""
    parser.add_argument("--key", type=Path, metavar="FILE", help="your key (default: this copy's); .pub: ssh-agent's")


def waive(arguments: argparse.Namespace) -> int:
    """Sign that a failed gate may pass for a while."""
    from lockgate.delivery.approval.waive import WaiverWords
    from lockgate.delivery.approval.waive import waive as sign
    from lockgate.delivery.onward import after_waiver

    wish = WaiverWords(
        role=arguments.role, reason=arguments.reason, control=arguments.control, owner=arguments.owner,
        until=until(arguments.until, now()) if arguments.until else None, environment=arguments.env, second=arguments.second,
    )  # fmt: skip
    project = open_project(Path.cwd())
    found, entry = sign(project, arguments.gate, arguments.ref, wish, key=arguments.key, now=now())
    print(f"done  signed as ledger entry {entry.seq} ({short(entry.digest)})")
    print(
        plain(
            f"{found.gate} of {short(found.release)} as far as {found.environment}, until {found.not_after:%F %H:%M} UTC"
        )
    )
    print(plain(f"  because  {found.reason}\n  instead  {found.control}\n  owner    {found.owner}"))
    if found.stands:
        print(plain(f"it stands\nnext: {after_waiver(project, found, key=arguments.key)}"))
    else:
        print(plain(f"it does not stand yet: {found.why}\nnext: {how_to_second(found) or 'lockgate waivers'}"))
    return 0


def until(text: str, at: dt.datetime) -> dt.datetime:
    """The end of a day in UTC, or so long from now.

    >>> until("2026-12-24", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    datetime.datetime(2026, 12, 25, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC) + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        pass
    try:
        return at + duration(text)
    except UsageError as error:
        raise UsageError("not a day and not a duration", value=text, allowed="2026-12-24, or 14d, 12h, 2w") from error


def waivers(arguments: argparse.Namespace) -> int:
    """Waivers, conditions and broken glass of a release, and the reviews that are open."""
    from lockgate.delivery.approval.waive import exceptional

    release, place, found = exceptional(open_project(Path.cwd()), arguments.ref, environment=arguments.env, now=now())
    if arguments.json:
        print_json({"release": release, "environment": place, **to_json(found)})
        return 0
    lines = list(stands_lines(found))
    print(f"release {short(release)} → {place}")
    print(plain("\n".join(lines)) if lines else "nothing is waived, nothing is conditional, no glass is broken")
    return 0


def stands_lines(found: WhatStands) -> list[str]:
    """What stands beside the rule, a line or two for each."""
    lines: list[str] = []
    for each in (*found.waivers, *found.pending):
        signers = ", ".join(f"{name} ({role})" for role, name in each.signers) or "nobody who counts"
        state = f"until {each.not_after:%F %H:%M} UTC" if each.stands else f"does not stand: {each.why}"
        lines += [f"waiver     {each.gate}, {state}", f"           {each.reason}; instead: {each.control}"]
        lines += [f"           owner {each.owner}; signed by {signers}"]
        lines += [f"           next: {again}"] if (again := how_to_second(each)) else []
    for each in found.conditions:
        due = f", due {each.due:%F %H:%M} UTC" if each.due else ""
        state = f"met by {each.met_by}: {each.how}" if each.how else f"open{due}; entry {short(each.entry)}"
        lines += [f"condition  {each.text} (set by {each.set_by})", f"           {state}"]
    for each in dict.fromkeys((*found.glass, *found.reviews)):
        state = (
            f"reviewed by {each.reviewed_by}: {each.finding}"
            if each.finding
            else f"review open; entry {short(each.entry)}"
        )
        over = f", over {', '.join(each.gates)}" if each.gates else ""
        lines += [
            f"glass      {short(each.release)} → {each.environment}, broken by {each.by} {each.at:%F %H:%M} UTC{over}"
        ]
        lines += [f"           {each.reason}", f"           {state}"]
    return lines
