"""The `Forge` port on GitLab.

Two tokens: the job's own (`CI_JOB_TOKEN`) for packages and releases, so that GitLab links them with the pipeline; and a project
access token (`LOCKGATE_GITLAB_TOKEN`: role Developer, scope `api`) for what no job token may: notes, attachments, other jobs and
the model registry. Outside of a pipeline the second one does both.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from lockgate.adapters.gitlab.api import PATIENCE_SECONDS, GitlabApi
from lockgate.adapters.gitlab.job import told_of
from lockgate.adapters.gitlab.notes import Notes
from lockgate.adapters.gitlab.publishing import Packages
from lockgate.adapters.gitlab.registry import Registry
from lockgate.errors import PermissionRefused, UsageError
from lockgate.records.publication import Agreed, Deployed, Published
from lockgate.records.token_host import need_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lockgate.records.publication import Publication

__all__ = ["GitlabForge"]

TOKEN: Final = "LOCKGATE_GITLAB_TOKEN"  # noqa: S105  the name of a variable
NEEDS: Final = "a project access token with role Developer or higher and scope api"
NEWEST: Final = 20
"""Deployments that are looked at."""


class GitlabForge:
    """One project of one instance, as the variables of a job name them.

    `token`: the variable that holds the token for what a job's own may not do. `needs`: the role and scope that it must have.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        token: str = TOKEN,
        needs: str = NEEDS,
        pause: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        missing = [n for n in ("CI_API_V4_URL", "CI_PROJECT_ID") if not environment.get(n)]
        if missing:
            raise UsageError(
                "nothing says which GitLab project this is", value=", ".join(missing), allowed="a job of a pipeline, or these variables set by hand",
                next="export CI_API_V4_URL=https://gitlab.example.org/api/v4 CI_PROJECT_ID=…   (its number, on the project's page)",
            )  # fmt: skip
        self._environment, self._pause, self._now, self._patience = environment, pause, now, patience
        self._token, self._needs = token, needs
        self._address = environment["CI_API_V4_URL"].rstrip("/")
        self._number = quote(environment["CI_PROJECT_ID"], safe="")
        self._project = f"/projects/{self._number}"

    def need_token(self) -> None:
        """Raise what a call with the project's token would raise before it asks anybody."""
        self._people()

    def _people(self) -> GitlabApi:
        """With the project's token. PermissionRefused when there is none, ServiceUnavailable when it is for another host."""
        if not self._environment.get(self._token):
            raise PermissionRefused(
                "no token for what a job's own token may not do", value=f"{self._token} is not set", allowed=self._needs,
                next=f"make one: Settings › Access tokens; then Settings › CI/CD › Variables: {self._token}, masked",
            )  # fmt: skip
        asked = f"the API is {self._address}, by CI_API_V4_URL"
        need_host(self._token, urlsplit(self._address).netloc, self._environment, asked=asked)
        return self._api("PRIVATE-TOKEN", self._token, self._needs)

    def _jobs(self) -> GitlabApi:
        """With the job's own token where there is one."""
        if not self._environment.get("CI_JOB_TOKEN"):
            return self._people()
        needs = "the job token of a user with role Developer or higher, while the job runs"
        return self._api("JOB-TOKEN", "CI_JOB_TOKEN", needs)

    def _api(self, header: str, variable: str, needs: str) -> GitlabApi:
        return GitlabApi(
            self._address, header=header, token=self._environment[variable], variable=variable, needs=needs,
            pause=self._pause, patience=self._patience,
        )  # fmt: skip

    def say(self, change: str, marker: str, text: str, *, turn: int = 0) -> str:
        """One note, written by this token's user and found by its marker."""
        api = self._people()
        at = f"{self._project}/merge_requests/{quote(change, safe='')}/notes"
        me = api.get("/user")["id"]
        notes = Notes(api, at, marker=marker, turn=turn, user=me, pause=self._pause)
        page = self._environment.get("CI_PROJECT_URL", "")
        return f"{page}/-/merge_requests/{change}#note_{notes.say(_without_actions(text))}"

    def attach(self, path: Path) -> str:
        """Upload a file; Markdown that shows it."""
        border = secrets.token_hex(16)
        head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{_plain(path.name)}"\r\n'
        body = f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + path.read_bytes()
        headers = {"Content-Type": f"multipart/form-data; boundary={border}"}
        api, at = self._people(), f"{self._project}/uploads"
        return str(api.read("POST", at, body + f"\r\n--{border}--\r\n".encode(), headers=headers)["markdown"])

    def job(self, number: str) -> Mapping[str, str]:
        """Any job of the project; a job's own token is shown its own only."""
        return told_of(self._people().get(f"{self._project}/jobs/{quote(number, safe='')}"))

    def published(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """By the list of packages."""
        return self._packages().versions(name)

    def publish(self, publication: Publication, files: Mapping[str, Path]) -> Published:
        """Package, model version and page, in this order; the first file goes first, and is hung on the model version, too."""
        people, packages = self._people(), self._packages()
        registry = Registry(people, self._number, pause=self._pause, now=self._now)
        is_ours = registry.is_ours(publication)
        packages.check(publication, is_ours=is_ours)
        made = packages.upload(publication, files, is_ours=is_ours)
        first = next(iter(files))
        model, more = registry.publish(
            publication, (first, files[first].read_bytes()), job=self._environment.get("CI_JOB_ID", "")
        )
        page, last = packages.page(publication, model)
        package = self._address + packages.place(publication, first)
        return Published(page=page, package=package, model=model, made=(*made, *more, *last))

    def _packages(self) -> Packages:
        return Packages(self._jobs(), self._address, self._number, pause=self._pause)

    def deployments(self, environment: str) -> tuple[Deployed, ...]:
        """The newest ones; approvals are read one by one, as a list of deployments does not show them."""
        api = self._people() if self._environment.get(self._token) else self._jobs()
        at = f"{self._project}/deployments"
        newest = api.get(f"{at}?environment={quote(environment, safe='')}&sort=desc&per_page={NEWEST}")
        return tuple(_deployed(api.get(f"{at}/{d['id']}")) for d in reversed(newest))


def _deployed(said: Any) -> Deployed:
    rules = (said.get("approval_summary") or {}).get("rules", ())
    words = [w for rule in rules for w in rule["deployment_approvals"]] or said.get("approvals") or ()
    return Deployed(
        id=str(said["id"]), commit=said["sha"], status=said["status"], login=said["user"]["username"],
        job=str((said.get("deployable") or {}).get("id", "")), pending=int(said.get("pending_approval_count") or 0),
        asked=sum(int(rule.get("required_approvals") or 0) for rule in rules),
        approvals=tuple(
            Agreed(
                user=str(w["user"]["id"]), login=w["user"]["username"], said=w["status"], time=w["created_at"],
                comment=w.get("comment") or "",
            )
            for w in words
        ),
    )  # fmt: skip


def _without_actions(text: str) -> str:
    """A line that starts with a slash would be a command to GitLab (`/approve`): it is shown, and does nothing.

    >>> _without_actions("fine" + chr(10) + "/approve")
    'fine\\n\\\\/approve'
    """
    return re.sub(r"^(\s*)/", r"\1\\/", text, flags=re.MULTILINE)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.\-]", "_", name)
