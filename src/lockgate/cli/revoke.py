"""`revoke`, `meet`, `review`: words about words that were signed before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain
from lockgate.cli.waive import key_argument
from lockgate.project import open_project
from lockgate.records.digest import short

if TYPE_CHECKING:
    import argparse


def revoke_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entry", help="its number in `lockgate ledger log`, or the start of its digest")
    parser.add_argument("--reason", required=True)
    parser.add_argument("--role", default="", help="the role that lets you revoke what somebody else signed")
    key_argument(parser)


def meet_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entry", help="the approval's number in `lockgate ledger log`, or the start of its digest")
    parser.add_argument("--how", required=True, help="by what the condition is met")
    parser.add_argument("--condition", type=int, metavar="N", help="which one, when there are several")
    key_argument(parser)


def review_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entry", help="the broken glass: its number in `lockgate ledger log`")
    parser.add_argument("--role", required=True, help="the role you review in")
    parser.add_argument("--finding", required=True, help="what you found; it closes the review")
    key_argument(parser)


def revoke(arguments: argparse.Namespace) -> int:
    """Take back a signed word."""
    from lockgate.delivery.approval.revoke import revoke as sign

    said, entry = sign(
        open_project(Path.cwd()),
        arguments.entry,
        reason=arguments.reason,
        role=arguments.role,
        key=arguments.key,
        now=now(),
    )
    print(f"done  entry {said.entry.seq} counts no more, signed as ledger entry {entry.seq} ({short(entry.digest)})")
    print("what is live answers on until its server starts again or it is rolled back: lockgate status")
    return 0


def meet(arguments: argparse.Namespace) -> int:
    """Say that a condition is met."""
    from lockgate.delivery.approval.revoke import meet as sign
    from lockgate.delivery.onward import after_met

    project = open_project(Path.cwd())
    condition, entry = sign(
        project,
        arguments.entry,
        how=arguments.how,
        number=arguments.condition,
        key=arguments.key,
        now=now(),
    )
    print(plain(f"done  met: {condition.text}, signed as ledger entry {entry.seq} ({short(entry.digest)})"))
    print(plain(f"next: {after_met(project, entry, key=arguments.key)}"))
    return 0


def review(arguments: argparse.Namespace) -> int:
    """Close the review of broken glass."""
    from lockgate.delivery.approval.break_glass import review as sign

    glass, entry = sign(
        open_project(Path.cwd()),
        arguments.entry,
        role=arguments.role,
        finding=arguments.finding,
        key=arguments.key,
        now=now(),
    )
    print(
        plain(
            f"done  the review of what {glass.by} broke is closed, signed as ledger entry {entry.seq} ({short(entry.digest)})"
        )
    )
    print("that the glass was broken stays on record: lockgate waivers")
    return 0
