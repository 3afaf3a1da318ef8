"""`gitlab attest`: in the manual job that a person started, say so in the ledger."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain, print_json
from lockgate.errors import PermissionRefused, UsageError
from lockgate.project import adapter, open_project
from lockgate.records.digest import short
from lockgate.records.forge_job import api_of, job_in

if TYPE_CHECKING:
    from lockgate.delivery.forge.attest import Attestation, Pressed
    from lockgate.forge.approved import Word
    from lockgate.project import Project
    from lockgate.records.digest import Json

__all__ = ["attest", "attest_arguments"]

NEEDED = ("LOCKGATE_ID_TOKEN", "CI_SERVER_URL", "CI_API_V4_URL", "CI_JOB_TOKEN")


def attest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV", help="the environment that the release would enter")
    parser.add_argument("--role", metavar="ROLE", help="default: LOCKGATE_ROLE, or the only role that is asked of them")
    parser.add_argument(
        "--accept", action="append", default=[], metavar="GATE", help="default: LOCKGATE_ACCEPT, by commas"
    )
    parser.add_argument(
        "--deployment", action="store_true",
        help="in the deploying job: who approved this deployment on its page",
    )  # fmt: skip
    parser.add_argument("--reason", metavar="TEXT", help="default: LOCKGATE_REASON, or which job was started")


def attest(arguments: argparse.Namespace) -> int:
    """Exit 0 when the ledger says that this person approved; 4 when what GitLab says does not hold together."""
    from lockgate.delivery.forge.attest import attest as attest_release
    from lockgate.delivery.walk import walk_now

    project = open_project(Path.cwd())
    walk_now(project, now=now()).check(arguments.environment)  # a slip is said before GitLab is asked
    pressed = _pressed(project, arguments)
    if arguments.deployment:
        return _deployment(project, arguments, pressed)
    done = attest_release(project, arguments.environment, pressed, clock=now)
    print_json(_json(done)) if arguments.json else _say(done)
    return 0


def _deployment(project: Project, arguments: argparse.Namespace, pressed: Pressed) -> int:
    """People's approvals of the deployment; who only starts the job is none of them."""
    from lockgate.delivery.forge.attest_deployment import attest_words, needs_nobody

    place, done = arguments.environment, ()
    if needs_nobody(project, place, pressed, now=now()):
        print(f"done  {place} goes back to what served there before: nobody has to approve", file=sys.stderr)
    else:
        done = attest_words(project, place, pressed, _words(place, pressed), clock=now)
    if arguments.json:
        print_json([_json(d) for d in done])
    else:
        for each in done:
            _say(each)
    return 0


def _words(environment: str, pressed: Pressed) -> tuple[Word, ...]:
    """What people said, asked of the instance and project that the job's token names."""
    from lockgate.delivery.forge.attest_deployment import words_of

    issuer, project = pressed.claims.get("iss", ""), pressed.claims.get("project_id", "")
    asks, of = os.environ["CI_API_V4_URL"], os.environ.get("CI_PROJECT_ID", "")
    if asks.rstrip("/") != api_of(issuer) or of != project:
        raise PermissionRefused(
            "approvals are asked of the instance and project that the job's token names", value=f"{asks}, project {of}",
            allowed=f"{api_of(issuer)}, project {project}", next="CI_API_V4_URL and CI_PROJECT_ID are GitLab's to set",
        )  # fmt: skip
    variables = {
        n: v for n, v in os.environ.items() if n != "LOCKGATE_GITLAB_TOKEN"
    }  # the job's own may read deployments
    return words_of(adapter("gitlab.forge", "GitlabForge")(variables), environment, pressed.job)


def _json(done: Attestation) -> dict[str, Json]:
    return {
        "release": done.release, "environment": done.environment, "person": done.person, "role": done.role,
        "entry": done.entry or None,
    }  # fmt: skip


def _say(done: Attestation) -> None:
    said = "said so" if done.entry else "stood in the ledger before"
    print(
        plain(
            f"done  {done.person} approves release {short(done.release)} for {done.environment} as {done.role}: {said}"
        )
    )


def _pressed(project: Project, arguments: argparse.Namespace) -> Pressed:
    from lockgate.delivery.forge.attest import Pressed
    from lockgate.delivery.forge.instance import instance_for
    from lockgate.forge.id_token import checked_claims
    from lockgate.forge.pressed import ToldJob

    job = job_in(os.environ)
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if job is None or missing:
        raise UsageError(
            "this is no job of a GitLab pipeline with an ID token", value=", ".join(missing) or "CI_PIPELINE_ID",
            allowed="the manual job, with id_tokens: {LOCKGATE_ID_TOKEN: {aud: lockgate}}", next="lockgate gitlab render",
        )  # fmt: skip
    issuer = instance_for(project, os.environ)  # before a token is sent anywhere
    told = adapter("gitlab.job", "GitlabJob")(issuer, os.environ["CI_JOB_TOKEN"])
    claims = checked_claims(os.environ["LOCKGATE_ID_TOKEN"], told.keys(), issuer=issuer, now=now())
    accepted = arguments.accept or [g for g in os.environ.get("LOCKGATE_ACCEPT", "").split(",") if g.strip()]
    return Pressed(
        job=job, claims=claims, told=ToldJob(**told.told()), role=arguments.role or os.environ.get("LOCKGATE_ROLE", ""),
        reason=arguments.reason or os.environ.get("LOCKGATE_REASON", ""), accepted=tuple(g.strip() for g in accepted),
    )  # fmt: skip
