"""`gitlab attest`: in the manual job that a person started, say so in the ledger."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain, print_json
from lockgate.errors import UsageError
from lockgate.project import adapter, open_project
from lockgate.records.digest import short
from lockgate.records.forge_job import job_in

if TYPE_CHECKING:
    from lockgate.delivery.forge.attest import Pressed

__all__ = ["attest", "attest_arguments"]

NEEDED = ("LOCKGATE_ID_TOKEN", "CI_SERVER_URL", "CI_API_V4_URL", "CI_JOB_TOKEN")


def attest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV", help="the environment that the release would enter")
    parser.add_argument("--role", metavar="ROLE", help="default: LOCKGATE_ROLE, or the only role that is asked of them")
    parser.add_argument(
        "--accept", action="append", default=[], metavar="GATE", help="default: LOCKGATE_ACCEPT, by commas"
    )
    parser.add_argument("--reason", metavar="TEXT", help="default: LOCKGATE_REASON, or which job was started")


def attest(arguments: argparse.Namespace) -> int:
    """Exit 0 when the ledger says that this person approved; 4 when what GitLab says does not hold together."""
    from lockgate.delivery.forge.attest import attest as attest_release

    done = attest_release(open_project(Path.cwd()), arguments.environment, _pressed(arguments), clock=now)
    if arguments.json:
        print_json(
            {
                "release": done.release,
                "environment": done.environment,
                "person": done.person,
                "role": done.role,
                "entry": done.entry or None,
            }
        )
        return 0
    said = "said so" if done.entry else "stood in the ledger before"
    print(
        plain(
            f"done  {done.person} approves release {short(done.release)} for {done.environment} as {done.role}: {said}"
        )
    )
    return 0


def _pressed(arguments: argparse.Namespace) -> Pressed:
    from lockgate.delivery.forge.attest import Pressed
    from lockgate.forge.id_token import checked_claims
    from lockgate.forge.pressed import ToldJob

    job = job_in(os.environ)
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if job is None or missing:
        raise UsageError(
            "this is no job of a GitLab pipeline with an ID token", value=", ".join(missing) or "CI_PIPELINE_ID",
            allowed="the manual job, with id_tokens: {LOCKGATE_ID_TOKEN: {aud: lockgate}}", next="lockgate gitlab render",
        )  # fmt: skip
    told = adapter("gitlab.job", "GitlabJob")(os.environ)
    claims = checked_claims(os.environ["LOCKGATE_ID_TOKEN"], told.keys(), issuer=os.environ["CI_SERVER_URL"], now=now())
    accepted = arguments.accept or [g for g in os.environ.get("LOCKGATE_ACCEPT", "").split(",") if g.strip()]
    return Pressed(
        job=job, claims=claims, told=ToldJob(**told.told()), role=arguments.role or os.environ.get("LOCKGATE_ROLE", ""),
        reason=arguments.reason or os.environ.get("LOCKGATE_REASON", ""), accepted=tuple(g.strip() for g in accepted),
    )  # fmt: skip
