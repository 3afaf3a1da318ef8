"""Jobs and their pipelines: who a job belongs to changes with the person who plays or retries it."""

from __future__ import annotations

from typing import Any, Final

from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route, created, pages
from lockgate.testing.gitlab.people import DEVELOPER, REPORTER
from lockgate.testing.gitlab.project import Project

__all__ = ["ROUTES", "shown"]

PEOPLE: Final = ("project", "personal")
FINISHED: Final = ("success", "failed", "canceled")
STATUSES: Final = (
    "created", "waiting_for_resource", "preparing", "pending", "running", "success", "failed", "canceling", "canceled",
    "skipped", "manual", "scheduled", "waiting_for_callback",
)  # fmt: skip
HIDDEN: Final = ("environment", "resource_group", "protected", "retried", "timeout")
"""What the double knows of a job and the API does not show."""


def shown(project: Project, job: dict[str, Any]) -> dict[str, Any]:
    """A job as the API shows it; its pipeline as it is now."""
    pipeline = project.pipelines[job["pipeline"]["id"]]
    kept = {k: v for k, v in job.items() if k not in HIDDEN}
    names = ("id", "iid", "project_id", "sha", "ref", "status", "source", "created_at", "updated_at", "web_url")
    return kept | {"pipeline": {n: pipeline[n] for n in names}}


def _found(call: Call) -> dict[str, Any]:
    found = call.project.jobs.get(call.number("job_id"))
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return found


def _in_scope(call: Call, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    asked = call.fields().get("scope")
    scope = [asked] if isinstance(asked, str) else asked
    if scope and set(scope) - set(STATUSES):
        raise Refusal(400, {"error": "scope does not have a valid value"})
    return [j for j in jobs if not scope or j["status"] in scope]


def listed(call: Call) -> Answer:
    """GET jobs, the newest first."""
    jobs = _in_scope(call, sorted(call.project.jobs.values(), key=lambda j: -j["id"]))
    return pages(call, [shown(call.project, j) for j in jobs])


def one(call: Call) -> Answer:
    """GET one job."""
    return Answer(200, shown(call.project, _found(call)))


def mine(call: Call) -> Answer:
    """GET the job whose token asks."""
    assert call.token is not None
    return Answer(200, shown(call.project, call.project.jobs[call.token.job or 0]))


def _may_run(call: Call, job: dict[str, Any]) -> None:
    """On a protected branch only who may push or merge there; on a protected environment only who may deploy."""
    assert call.token is not None
    rule = call.project.protected_environments.get(job["environment"] or "")
    levels = [level["access_level"] for level in (rule or {}).get("deploy_access_levels", ()) if level["access_level"]]
    least = max(call.project.least_role_on(job["ref"]), min(levels, default=0))
    if call.token.role < least:
        raise Refusal.of(403, "403 Forbidden")


def play(call: Call) -> Answer:
    """POST play: the job now belongs to who played it."""
    job = _found(call)
    _may_run(call, job)
    if job["status"] not in {"manual", "scheduled"}:
        raise Refusal.of(400, "400 Bad request - Unplayable Job")
    assert call.token is not None
    job |= {"status": "pending", "user": call.token.user.shown(), "started_at": None, "finished_at": None}
    return Answer(200, shown(call.project, job))


def retry(call: Call) -> Answer:
    """POST retry: a new job with a new id, of who retried; the old one leaves its pipeline's list."""
    job = _found(call)
    _may_run(call, job)
    if job["status"] not in FINISHED or job["retried"]:
        raise Refusal.of(403, "403 Forbidden - Job is not retryable")
    assert call.token is not None
    project, number = call.project, next(call.project.ids)
    again = job | {
        "id": number, "status": "pending", "user": call.token.user.shown(), "created_at": project.stamp(),
        "started_at": None, "finished_at": None, "web_url": job["web_url"].rsplit("/", 1)[0] + f"/{number}",
    }  # fmt: skip
    job["retried"] = True
    project.jobs[number] = again
    return created(shown(project, again))


def cancel(call: Call) -> Answer:
    """POST cancel."""
    job = _found(call)
    _may_run(call, job)
    if job["status"] not in FINISHED:
        job |= {"status": "canceled", "finished_at": call.project.stamp()}
    return created(shown(call.project, job))


def _pipeline(call: Call) -> dict[str, Any]:
    found = call.project.pipelines.get(call.number("pipeline_id"))
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return found


def pipeline(call: Call) -> Answer:
    """GET one pipeline."""
    return Answer(200, _pipeline(call))


def pipelines(call: Call) -> Answer:
    """GET pipelines, the newest first."""
    said = call.fields()
    found = sorted(call.project.pipelines.values(), key=lambda p: -p["id"])
    found = [p for p in found if all(p[n] == said.get(n, p[n]) for n in ("ref", "sha", "status", "source"))]
    return pages(call, found)


def pipeline_jobs(call: Call) -> Answer:
    """GET the jobs of a pipeline, without those that were retried."""
    number = _pipeline(call)["id"]
    old = str(call.fields().get("include_retried", "false")).lower() == "true"
    jobs = [j for j in call.project.jobs.values() if j["pipeline"]["id"] == number and (old or not j["retried"])]
    jobs = _in_scope(call, sorted(jobs, key=lambda j: -j["id"]))
    return pages(call, [shown(call.project, j) for j in jobs])


ROUTES: Final = (
    Route(method="GET", path="/job", does=mine, tokens=("job",), role=0, note="the job whose token asks; other tokens: 401"),
    Route(method="GET", path="/projects/:id/jobs", does=listed, role=REPORTER),
    Route(method="GET", path="/projects/:id/jobs/:job_id", does=one, tokens=PEOPLE, role=REPORTER, note="no job token; `user` is who started, played or retried it"),
    Route(method="POST", path="/projects/:id/jobs/:job_id/play", does=play, tokens=PEOPLE, role=DEVELOPER, note="protected branch and environment decide who may"),
    Route(method="POST", path="/projects/:id/jobs/:job_id/retry", does=retry, tokens=PEOPLE, role=DEVELOPER, note="a new job with a new id"),
    Route(method="POST", path="/projects/:id/jobs/:job_id/cancel", does=cancel, tokens=PEOPLE, role=DEVELOPER),
    Route(method="GET", path="/projects/:id/pipelines", does=pipelines, tokens=PEOPLE, role=REPORTER),
    Route(method="GET", path="/projects/:id/pipelines/:pipeline_id", does=pipeline, tokens=PEOPLE, role=REPORTER),
    Route(method="GET", path="/projects/:id/pipelines/:pipeline_id/jobs", does=pipeline_jobs, role=REPORTER),
)  # fmt: skip
