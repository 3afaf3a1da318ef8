"""`gitlab publish`: files, number, model version and page of a release that was delivered."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain, print_json
from lockgate.project import adapter, open_project
from lockgate.records.digest import short
from lockgate.records.forge_job import job_in
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.forge.provenance import Where
    from lockgate.project import Project

__all__ = ["publish", "publish_arguments"]

NO_ACCOUNT = "nobody in the register has an account at one (lockgate people add NAME --alias gitlab:HOST/NUMBER)"


def publish_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "release", nargs="?", metavar="RELEASE", help="default: the release of this pipeline, or the newest"
    )


def publish(arguments: argparse.Namespace) -> int:
    """Exit 0 when everything is there, new or not; 1 for what was never delivered; 4 without a token; 5 to try again."""
    from lockgate.delivery.forge.publish import publish as publish_release

    forge, project = adapter("gitlab.forge", "GitlabForge")(os.environ), open_project(Path.cwd())
    forge.need_token()  # before anybody is asked, and anything is read
    done = publish_release(project, forge, arguments.release, _where(project), clock=now)
    if arguments.json:
        print_json(to_json(done))
        return 0
    print(plain(f"{done.name} {done.version} is release {short(done.release)}"))
    if done.step:
        print(plain(f"a {done.step.part} step: {'; '.join(done.step.because)}"))
    for line in done.published.made:
        print(plain(f"new   {line}"))
    if not done.published.made:
        print("same  everything was there")
    print(plain(f"page  {done.published.page}\nmodel {done.published.model}"))
    return 0


def _where(project: Project) -> Where:
    """What this job knows of itself. Instance and ID token count where the register names the instance; a word of neither else."""
    from lockgate.delivery.forge.instance import has_instance, instance_for
    from lockgate.delivery.forge.provenance import Where

    job, token = job_in(os.environ), os.environ.get("LOCKGATE_ID_TOKEN", "")
    if not os.environ.get("CI_SERVER_URL"):
        return Where(job=job)
    if not has_instance(project):
        print(f"note  the provenance names no GitLab: {NO_ACCOUNT}", file=sys.stderr)
        return Where(job=job)
    server, claims = instance_for(project, os.environ), None  # before anybody is asked for keys
    if token:
        from lockgate.forge.id_token import checked_claims

        keys = adapter("gitlab.job", "GitlabJob")(server).keys()
        claims = checked_claims(token, keys, issuer=server, now=now())
    return Where(job=job, address=server, claims=claims)
