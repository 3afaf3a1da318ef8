"""`approve`, `reject`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lockgate.cli.render import now
from lockgate.delivery.decide import decide
from lockgate.project import open_project
from lockgate.records.digest import short

if TYPE_CHECKING:
    import argparse


def approve_arguments(parser: argparse.ArgumentParser) -> None:
    _arguments(parser)
    parser.add_argument(
        "--accept", action="append", default=[], metavar="GATE", help="accept an uncertain gate by name"
    )


def reject_arguments(parser: argparse.ArgumentParser) -> None:
    _arguments(parser)


def approve(arguments: argparse.Namespace) -> int:
    """Sign for a release."""
    return _decide("approve", arguments, arguments.accept)


def reject(arguments: argparse.Namespace) -> int:
    """Sign against a release; it stays stopped until the same person says otherwise."""
    return _decide("reject", arguments, [])


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", help="latest, or the start of a release's digest")
    parser.add_argument("--role", required=True, help="the role you decide in")
    parser.add_argument("--reason", required=True)
    parser.add_argument("--env", help="for which environment (default: the one that asks this role)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="your private key (default: this copy's)")


def _decide(decision: Literal["approve", "reject"], arguments: argparse.Namespace, accepted: list[str]) -> int:
    release, entry = decide(
        open_project(Path.cwd()), decision, arguments.ref, role=arguments.role, reason=arguments.reason,
        accepted=accepted, environment=arguments.env, key=arguments.key, now=now(),
    )  # fmt: skip
    past = "approved" if decision == "approve" else "rejected"
    print(f"done  {past} {short(release)}, signed as ledger entry {entry.seq} ({short(entry.digest)})")
    if decision == "approve":
        print("next: lockgate deliver")
    return 0
