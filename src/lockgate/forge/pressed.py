"""Who pressed a button at a forge: two accounts of one job, the forge's API and the job's ID token, that must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lockgate.errors import PermissionRefused
from lockgate.records.forge_job import NEAR, account_of, api_of, instance_of
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockgate.records.forge_job import ForgeJob

__all__ = ["ToldJob", "pinned", "pressed_by"]


@frozen(kw_only=True)
class ToldJob:
    """A job as the forge's API tells of it. `project`: by number. `user`: number of the account that started it; `login`: its name today."""

    job: str
    name: str
    project: str
    pipeline: str
    commit: str
    ref: str
    status: str
    user: str
    login: str
    started: str = ""


def pinned(aliases: Iterable[str], *, server: str, api: str) -> str:
    """The instance whose word may be asked: one where people of the register have accounts, whatever a variable says.

    Args:
        aliases: of the people in the register that trustees signed.
        server, api: `CI_SERVER_URL` and `CI_API_V4_URL`, which whoever starts a pipeline may set to anything.

    Raises PermissionRefused naming the variable that disagrees.
    """
    known = {place for alias in aliases if (place := instance_of(alias, "gitlab"))}
    issuer = server.rstrip("/")
    scheme, _, place = issuer.partition("://")
    allowed = ", ".join(sorted(known)) or "none: no person in the register has an account at a GitLab"
    secure = scheme == "https" or (scheme == "http" and urlsplit(issuer).hostname in NEAR)
    if place not in known:
        raise _not_pinned(
            "CI_SERVER_URL", server, f"an instance that the register names: {allowed}",
            f"lockgate people add NAME --alias {account_of('gitlab', issuer, 'NUMBER')}   (as a trustee, if it is yours)",
        )  # fmt: skip
    if not secure:
        raise _not_pinned("CI_SERVER_URL", server, f"https://{place}", "give the instance TLS")
    if api.rstrip("/") != api_of(issuer):
        raise _not_pinned("CI_API_V4_URL", api, api_of(issuer), "it is GitLab's to set: start the job without it")
    return issuer


def pressed_by(
    claims: Mapping[str, str],
    told: ToldJob,
    job: ForgeJob,
    *,
    proposed: ForgeJob | None,
    environment: str,
    deploys: bool,
) -> str:
    """The account that started this job. Raises PermissionRefused naming what does not agree, or is too weak.

    Args:
        claims: of the job's checked ID token. told: what the API says. job: what this process was told by its variables.
        proposed: the job that proposed the release, as the ledger has it: the button is one of that project.
        environment: where the release would go: the job is the one that asks for it, by its name, and its token names this
            environment: the rendered jobs that ask declare it, `action: verify` where they do not deploy.
        deploys: people approve a deployment, which its own job reads back; otherwise the press is the approval.
    """
    for what, *says in (
        ("job", claims.get("job_id"), told.job, job.job),
        ("pipeline", claims.get("pipeline_id"), told.pipeline, job.pipeline),
        ("commit", claims.get("sha"), told.commit, job.commit),
        ("user", claims.get("user_id"), told.user),
        ("project", claims.get("project_id"), told.project),
        ("project", claims.get("project_path"), job.project, proposed.project if proposed else None),
    ):
        if len({*says}) != 1 or not says[0]:
            raise _refused(
                what, ", ".join(str(s or "nothing") for s in says), "one answer from token, API, variables and proposal"
            )
    if told.status != "running":
        raise _refused("status", told.status, "running: what presses a button now")
    if claims.get("ref_protected") != "true":
        raise _refused("ref_protected", claims.get("ref_protected", "nothing"), "a job of a protected branch")
    asking = f"{'deploy' if deploys else 'approve'}:{environment}"
    if told.name != asking:  # whoever starts another job again has approved nothing
        raise _refused("name", told.name, asking)
    if (named := claims.get("environment", "nothing")) != environment:
        raise _refused("environment", named, f"{environment}: the rendered job declares it")
    return account_of(job.kind, claims.get("iss", ""), told.user)


def _not_pinned(variable: str, value: str, allowed: str, following: str) -> PermissionRefused:
    return PermissionRefused(
        f"this is not the GitLab whose word counts here: {variable}", value=value, allowed=allowed, next=following
    )


def _refused(what: str, value: str, allowed: str) -> PermissionRefused:
    return PermissionRefused(
        f"what the forge says of this job does not hold together: {what}", value=value, allowed=allowed,
        next='in a pipeline of the default branch, play approve:ENV (with approvals = "deployment": deploy:ENV), as it was rendered',
    )  # fmt: skip
