"""`approve`, `reject`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lockgate.cli.render import now, plain
from lockgate.cli.waive import until
from lockgate.delivery.approval.decide import Words, decide
from lockgate.delivery.onward import after_approval
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.waivers import Condition

if TYPE_CHECKING:
    import argparse


def approve_arguments(parser: argparse.ArgumentParser) -> None:
    _arguments(parser)
    parser.add_argument(
        "--accept", action="append", default=[], metavar="GATE", help="accept an uncertain gate by name"
    )
    parser.add_argument(
        "--condition",
        action="append",
        default=[],
        metavar="TEXT",
        help="it counts once somebody signs that this is met",
    )
    parser.add_argument(
        "--condition-by", action="append", default=[], nargs=2, metavar=("DAY", "TEXT"),
        help="it counts until the end of that day; then only if this is met",
    )  # fmt: skip
    parser.add_argument(
        "--answer", action="append", default=[], metavar="N=TEXT", help="answer a question of the evidence page"
    )
    parser.add_argument(
        "--plan", default="", metavar="FILE|DIGEST", help="it counts for the delivery of this plan and no other"
    )


def reject_arguments(parser: argparse.ArgumentParser) -> None:
    _arguments(parser)


def approve(arguments: argparse.Namespace) -> int:
    """Sign for a release."""
    due = [Condition(text=text, due=until(day, now())) for day, text in arguments.condition_by]
    return _decide(
        "approve", arguments,
        Words(
            role=arguments.role, reason=arguments.reason, accepted=tuple(arguments.accept),
            conditions=(*(Condition(text=text) for text in arguments.condition), *due),
            answers=dict(_answer(text) for text in arguments.answer), plan=arguments.plan,
        ),
    )  # fmt: skip


def reject(arguments: argparse.Namespace) -> int:
    """Sign against a release; it stays stopped until the same person says otherwise."""
    return _decide("reject", arguments, Words(role=arguments.role, reason=arguments.reason))


def _answer(text: str) -> tuple[int, str]:
    number, equals, words = text.partition("=")
    if not equals or not number.strip().isdecimal() or not words.strip():
        what = "an answer is a number of the page's questions, and words"
        raise UsageError(what, value=text, allowed='--answer 1="yes, because …"', next="lockgate evidence")
    return int(number), words.strip()


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", help="latest, or the start of a release's digest")
    parser.add_argument("--role", required=True, help="the role you decide in")
    parser.add_argument("--reason", required=True)
    parser.add_argument("--env", help="for which environment (default: the one that asks this role)")
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="your private key (default: this copy's); a .pub: ssh-agent holds it"
    )


def _decide(decision: Literal["approve", "reject"], arguments: argparse.Namespace, words: Words) -> int:
    project = open_project(Path.cwd())
    signed = decide(
        project, decision, arguments.ref, words, environment=arguments.env, key=arguments.key, now=now()
    )  # fmt: skip
    past, entry = "approved" if decision == "approve" else "rejected", signed.entry
    print(f"done  {past} {short(signed.release)}, signed as ledger entry {entry.seq} ({short(entry.digest)})")
    for condition in words.conditions:
        due = f"by the end of {condition.due - dt.timedelta(days=1):%F}" if condition.due else "before it counts"
        print(plain(f"condition, {due}: {condition.text}"))
    if words.conditions:
        print(f"next: lockgate meet {entry.seq} --how …   (you, or another {words.role})")
    elif decision == "approve":
        missing, step = after_approval(project, signed, planned=words.plan, key=arguments.key, now=now())
        print(plain(f"still missing: {missing}\nnext: {step}" if missing else f"next: {step}"))
    return 0
