"""The job that this process runs in, as GitLab's API tells of it, and the keys by which the instance signs ID tokens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lockgate.adapters.gitlab.api import GitlabApi
from lockgate.records.forge_job import api_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.records.digest import Json

__all__ = ["GitlabJob", "told_of"]


class GitlabJob:
    """Asks with the job's own token: `GET /job` answers for the job whose token asks, and for no other."""

    def __init__(self, issuer: str, token: str = "", *, pause: Callable[[float], None] = time.sleep) -> None:
        """`issuer`: the instance's address, which whoever calls has checked. All that is asked lies below it."""
        self._api = GitlabApi(api_of(issuer), header="JOB-TOKEN", token=token, variable="CI_JOB_TOKEN", pause=pause)
        self._server = GitlabApi(issuer, pause=pause)

    def told(self) -> dict[str, str]:
        """Job, name, project and pipeline (by number), commit, ref, status, user (by number), login and time of start, as texts."""
        return told_of(self._api.get("/job"))

    def keys(self) -> Json:
        """The instance's JSON Web Key Set."""
        return self._server.get("/oauth/discovery/keys")


def told_of(said: Json) -> dict[str, str]:
    """A job of the API as texts, as `GitlabJob.told` says them."""
    fields = {
        "job": said["id"], "name": said["name"], "project": said["pipeline"]["project_id"],
        "pipeline": said["pipeline"]["id"], "commit": said["commit"]["id"],
        "ref": said["ref"], "status": said["status"], "user": said["user"]["id"], "login": said["user"]["username"],
        "started": said.get("started_at") or "",
    }  # fmt: skip
    return {name: str(value) for name, value in fields.items()}
