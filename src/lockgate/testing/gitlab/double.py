"""The double of a GitLab server: one project over HTTP on loopback, with the state, the clock and the faults in a test's hand."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from lockgate.testing.gitlab import environments, identity
from lockgate.testing.gitlab.answering import answer, broken
from lockgate.testing.gitlab.faults import Fault, Faults
from lockgate.testing.gitlab.http import Answer
from lockgate.testing.gitlab.people import DEVELOPER, MAINTAINER, Kind, Token, User
from lockgate.testing.gitlab.project import FIRST_DAY, Project
from lockgate.testing.gitlab.wire import handler

__all__ = ["GitLab"]


class GitLab:
    """One instance with one project. `with GitLab() as gitlab:` serves it; `gitlab.url` is the instance.

    `live`: its clock is this machine's, else one second passes with each call.

    Attributes:
        project: all state; tests may look and change.
        faults: what goes wrong next.
        requests: (method, path, status) of every call that came, in order; status 0: never answered.
    """

    def __init__(
        self, *, path: str = "group/shop", project_id: int = 42, premium: bool = False, live: bool = False
    ) -> None:
        self.project = Project(id=project_id, path=path, premium=premium)
        self.faults = Faults()
        self.requests: list[tuple[str, str, int]] = []
        self.tokens: dict[str, Token] = {}
        self._before: Project | None = None
        self._live = live
        self._clock = datetime.now(UTC) if live else FIRST_DAY
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self.respond, self._closed))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The instance, as `CI_SERVER_URL`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def api(self) -> str:
        """As `CI_API_V4_URL`."""
        return f"{self.url}/api/v4"

    def user(self, username: str, *, bot: bool = False) -> User:
        """The user of a name, made on first sight."""
        found = self.project.users.get(username)
        if found is None:
            found = User(id=len(self.project.users) + 1, username=username, name=username.title(), bot=bot)
            self.project.users[username] = found
        return found

    def person(self, username: str, *, role: int = DEVELOPER, scopes: Sequence[str] = ("api",)) -> str:
        """A personal access token of a member."""
        return self._token("personal", self.user(username), role=role, scopes=scopes)

    def project_token(self, *, role: int = MAINTAINER, scopes: Sequence[str] = ("api",)) -> str:
        """A project access token: a bot with a role."""
        name = f"project_{self.project.id}_bot_{len(self.tokens)}"
        return self._token("project", self.user(name, bot=True), role=role, scopes=scopes)

    def _token(
        self, kind: Kind, user: User, *, role: int, scopes: Sequence[str] = ("api",), job: int | None = None
    ) -> str:
        prefix = "glcbt-" if kind == "job" else "glpat-"
        secret = f"{prefix}{kind}{len(self.tokens):04d}{user.username:x<20}"
        self.tokens[secret] = Token(secret=secret, kind=kind, user=user, role=role, scopes=scopes, job=job)
        return secret

    def merge_request(
        self, iid: int = 7, *, source: str = "feature", target: str = "main", sha: str = "a" * 40
    ) -> dict[str, Any]:
        """Open a merge request."""
        web = f"{self.url}/{self.project.path}/-/merge_requests/{iid}"
        made = {
            "id": next(self.project.ids), "iid": iid, "project_id": self.project.id, "title": f"Change {iid}", "state": "opened",
            "source_branch": source, "target_branch": target, "sha": sha, "web_url": web, "created_at": self.project.stamp(),
        }  # fmt: skip
        self.project.merge_requests[iid] = made
        return made

    def pipeline(self, *, ref: str = "main", sha: str = "a" * 40, source: str = "push") -> int:
        """Start a pipeline without jobs."""
        number = next(self.project.ids)
        stamp = self.project.stamp()
        self.project.pipelines[number] = {
            "id": number, "iid": len(self.project.pipelines) + 1, "project_id": self.project.id, "sha": sha, "ref": ref,
            "status": "running", "source": source, "created_at": stamp, "updated_at": stamp,
            "web_url": f"{self.url}/{self.project.path}/-/pipelines/{number}", "user": None,
        }  # fmt: skip
        return number

    def job(
        self, name: str, *, pipeline: int, user: str = "ada", role: int = DEVELOPER, stage: str = "test", status: str = "running",
        environment: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Add a job to a pipeline, of the user who started it."""
        line = self.project.pipelines[pipeline]
        number, stamp = next(self.project.ids), self.project.stamp()
        made: dict[str, Any] = {
            "id": number, "name": name, "stage": stage, "status": status, "ref": line["ref"], "tag": False, "coverage": None,
            "allow_failure": False, "created_at": stamp, "started_at": None if status == "manual" else stamp, "finished_at": None,
            "duration": None, "queued_duration": None, "user": self.user(user).shown(), "commit": {"id": line["sha"]},
            "pipeline": {"id": pipeline}, "web_url": f"{self.url}/{self.project.path}/-/jobs/{number}", "artifacts": [],
            "project": {"ci_job_token_scope_enabled": False}, "environment": environment, "resource_group": None,
            "protected": line["ref"] in self.project.protected_branches, "retried": False, "timeout": 3600,
        }  # fmt: skip
        self.project.jobs[number] = made
        self._roles(user, role)
        return made

    def blocked(
        self,
        environment: str,
        *,
        user: str = "ada",
        required: int = 1,
        level: int = MAINTAINER,
        job: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A deployment that waits for approvals (Premium). `job`: that makes it, and whose commit it is of."""
        number, stamp = next(self.project.ids), self.project.stamp()
        rule = {"access_level": level, "required_approvals": required, "deployment_approvals": []}
        made: dict[str, Any] = {
            "id": number, "iid": len(self.project.deployments) + 1, "ref": "main", "sha": job["commit"]["id"] if job else "a" * 40, "created_at": stamp,
            "updated_at": stamp, "user": self.user(user).shown(), "status": "blocked",
            "deployable": {"id": job["id"] if job else next(self.project.ids)},
            "environment": environments.environment_of(self.project, environment), "pending_approval_count": required,
            "approvals": [], "approval_summary": {"rules": [rule]},
        }  # fmt: skip
        self.project.deployments[number] = made
        return made

    def _roles(self, username: str, role: int) -> None:
        """A job acts with the role that its user has; the last word counts."""
        if not any(t.user.username == username and t.kind == "personal" for t in self.tokens.values()):
            self.person(username, role=role)

    def job_token(self, job: Mapping[str, Any]) -> str:
        """`CI_JOB_TOKEN`: acts as the job's user, as long as the job runs."""
        user = self.user(job["user"]["username"])
        return self._token("job", user, role=self.role(user.username), job=int(job["id"]))

    def role(self, username: str) -> int:
        """The role of a member; 0: none."""
        return max((t.role for t in self.tokens.values() if t.user.username == username and t.kind != "job"), default=0)

    def id_token(self, job: Mapping[str, Any], *, aud: str, now: datetime | None = None, **changed: Any) -> str:
        """What a job with `id_tokens` finds in its variable; `changed` forges claims, signed all the same."""
        role = self.role(job["user"]["username"])
        said = identity.claims(self.project, job, aud=aud, iss=self.url, role=role, now=now or self._clock)
        return identity.encoded(said | changed)

    def variables(self, job: Mapping[str, Any], *, merge_request: int | None = None) -> dict[str, str]:
        """The predefined variables that a job of this project finds, its token among them."""
        pipeline = self.project.pipelines[job["pipeline"]["id"]]
        said = {
            "GITLAB_CI": "true", "CI": "true", "CI_SERVER_URL": self.url, "CI_API_V4_URL": self.api,
            "CI_PROJECT_ID": str(self.project.id), "CI_PROJECT_PATH": self.project.path,
            "CI_PROJECT_URL": f"{self.url}/{self.project.path}", "CI_DEFAULT_BRANCH": self.project.default_branch,
            "CI_PIPELINE_ID": str(pipeline["id"]), "CI_PIPELINE_URL": pipeline["web_url"],
            "CI_PIPELINE_SOURCE": pipeline["source"], "CI_JOB_ID": str(job["id"]), "CI_JOB_NAME": job["name"],
            "CI_JOB_URL": job["web_url"], "CI_JOB_TOKEN": self.job_token(job), "CI_COMMIT_SHA": pipeline["sha"],
            "CI_COMMIT_REF_NAME": job["ref"], "GITLAB_USER_LOGIN": job["user"]["username"],
        }  # fmt: skip
        if merge_request is not None:
            said["CI_MERGE_REQUEST_IID"] = str(merge_request)
        return said

    def count(self, method: str, part: str) -> int:
        """How many calls of a method came whose path contains something."""
        return sum(1 for m, p, _ in self.requests if m == method and part in p)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, Fault | None]:
        """The answer to a request, and what goes wrong with it on the wire."""
        path = urlsplit(target).path
        with self._turn:
            fault = self.faults.take(method, path)
            self._clock = datetime.now(UTC) if self._live else self._clock + timedelta(seconds=1)
            self.project.now = self._clock
            if fault and fault.wrong in {"status", "timeout"} and not fault.done:
                said = broken(fault)
            else:
                said = self._done(method, target, headers, body, fault)
            never = fault is not None and fault.wrong == "timeout"
            self.requests.append((method, path.removeprefix("/api/v4"), 0 if never else said.status))
            return said, fault

    def _done(self, method: str, target: str, headers: Mapping[str, str], body: bytes, fault: Fault | None) -> Answer:
        project = self.project
        if fault and fault.wrong == "stale" and method == "GET" and self._before is not None:
            project = self._before
        elif method != "GET":
            self._before = copy.deepcopy(self.project)
        said = answer(method, target, headers, body, project=project, tokens=self.tokens, base=self.url)
        if fault and fault.wrong == "twice":
            answer(method, target, headers, body, project=project, tokens=self.tokens, base=self.url)
        return broken(fault) if fault and fault.wrong == "status" else said
