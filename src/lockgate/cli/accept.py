"""`accept`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import parameters
from lockgate.cli.render import now
from lockgate.delivery.accept import accept as sign
from lockgate.project import open_project
from lockgate.records.digest import short

if TYPE_CHECKING:
    import argparse


def accept_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="a step's name")
    parser.add_argument("--reason", required=True, help="why the change does not matter; later readers see it")
    parser.add_argument("--withdraw", action="store_true", help="take an acceptance back; the step runs again")
    parser.add_argument("--param", action="append", default=[], metavar="STEP.NAME=VALUE", help="as it is run with")
    parser.add_argument("--key", type=Path, metavar="FILE", help="your private key (default: this copy's)")


def accept(arguments: argparse.Namespace) -> int:
    """Say what changed, and that it was signed for."""
    claim, entry = sign(
        open_project(Path.cwd()), arguments.step, reason=arguments.reason, withdraw=arguments.withdraw,
        params=parameters(arguments.param), key=arguments.key, now=now(),
    )  # fmt: skip
    for line in claim.changed:
        print(f"  {line}")
    what = "withdrew the accepted change" if arguments.withdraw else "accepted the change"
    print(f"done  {what} of {claim.step}, signed as ledger entry {entry.seq} ({short(entry.digest)})")
    print("next: lockgate plan")
    return 0
