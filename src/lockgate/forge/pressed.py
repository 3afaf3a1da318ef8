"""Who pressed a button at a forge: two accounts of one job, the forge's API and the job's ID token, that must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.errors import PermissionRefused
from lockgate.records.forge_job import account_of
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.records.forge_job import ForgeJob

__all__ = ["ToldJob", "pressed_by"]


@frozen(kw_only=True)
class ToldJob:
    """A job as the forge's API tells of it. `user`: number of the account that started it; `login`: its name today."""

    job: str
    name: str
    pipeline: str
    commit: str
    ref: str
    status: str
    user: str
    login: str
    started: str = ""


def pressed_by(claims: Mapping[str, str], told: ToldJob, job: ForgeJob, *, environment: str = "") -> str:
    """The account that started this job. Raises PermissionRefused naming what does not agree, or is too weak.

    Args:
        claims: of the job's checked ID token. told: what the API says. job: what this process was told by its variables.
        environment: where the release would go: the job is the one that asks for it, by its name, and a token that names
            an environment names this one.
    """
    for what, *says in (
        ("job", claims.get("job_id"), told.job, job.job),
        ("pipeline", claims.get("pipeline_id"), told.pipeline, job.pipeline),
        ("commit", claims.get("sha"), told.commit, job.commit),
        ("user", claims.get("user_id"), told.user),
    ):
        if len({*says}) != 1 or not says[0]:
            raise _refused(what, ", ".join(str(s) for s in says), "one answer from token, API and variables")
    if told.status != "running":
        raise _refused("status", told.status, "running: what presses a button now")
    if claims.get("ref_protected") != "true":
        raise _refused("ref_protected", claims.get("ref_protected", "nothing"), "a job of a protected branch")
    asking = tuple(f"{kind}:{environment}" for kind in ("approve", "deploy"))
    if told.name not in asking:  # whoever starts another job again has approved nothing
        raise _refused("name", told.name, " or ".join(asking))
    if (named := claims.get("environment", "")) not in ("", environment):
        raise _refused("environment", named, environment)
    return account_of(job.kind, claims.get("iss", ""), told.user)


def _refused(what: str, value: str, allowed: str) -> PermissionRefused:
    return PermissionRefused(
        f"what the forge says of this job does not hold together: {what}", value=value, allowed=allowed,
        next="docs/gitlab.md, “Attested approvals”",
    )  # fmt: skip
