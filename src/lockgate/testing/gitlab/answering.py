"""What a request goes through: its route is found, its token admitted, its route asked; refusals become answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from lockgate.testing.gitlab import (
    branches,
    environments,
    identity,
    jobs,
    mlflow_files,
    mlflow_registry,
    mlflow_runs,
    notes,
    packages,
    releases,
)
from lockgate.testing.gitlab.faults import Fault
from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route
from lockgate.testing.gitlab.people import Token, admit, secret_in
from lockgate.testing.gitlab.project import Project

__all__ = ["ROUTES", "answer", "broken"]

ROUTES: Final[Sequence[Route]] = (
    *packages.ROUTES, *notes.ROUTES, *jobs.ROUTES, *releases.ROUTES, *environments.ROUTES, *branches.ROUTES,
    *mlflow_runs.ROUTES, *mlflow_registry.ROUTES, *mlflow_files.ROUTES, *identity.ROUTES,
)  # fmt: skip
"""Everything the double answers; docs/gitlab-api.md is held against it."""


def _matched(route: Route, parts: Sequence[str]) -> dict[str, str] | None:
    """The variable parts of a path that fits a route."""
    pattern = route.path.strip("/").split("/")
    if pattern[-1].startswith("*") and len(parts) >= len(pattern):
        parts = [*parts[: len(pattern) - 1], "/".join(parts[len(pattern) - 1 :])]
    if len(parts) != len(pattern):
        return None
    named: dict[str, str] = {}
    for want, got in zip(pattern, parts, strict=True):
        if want[0] in ":*":
            named[want[1:]] = unquote(got)
        elif want != got:
            return None
    return named


def _route(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """The route of a call; 404, or 405 where the path has other methods."""
    api = path.startswith("/api/v4/")
    parts = path.removeprefix("/api/v4").strip("/").split("/")
    others = False
    for route in ROUTES:
        if route.path.startswith("//") == api:
            continue
        named = _matched(route, parts)
        if named is not None and route.method == method:
            return route, named
        others |= named is not None
    raise Refusal(405, {"error": "405 Not Allowed"}) if others else Refusal(404, {"error": "404 Not Found"})


def _live(token: Token | None, project: Project) -> Token | None:
    """A job token dies with its job."""
    dead = token is not None and token.kind == "job" and project.jobs[token.job or 0]["status"] != "running"
    return None if dead else token


def answer(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    project: Project,
    tokens: Mapping[str, Token],
    base: str,
) -> Answer:
    """Answer a request from the state of a project."""
    split = urlsplit(target)
    try:
        route, named = _route(method, split.path)
        query = parse_qs(split.query, keep_blank_values=True)
        shown = secret_in(headers, query)
        token = _live(tokens.get(shown[0]) if shown else None, project)
        admit(route, token, as_job=bool(shown and shown[1]))
        if named.get("id", str(project.id)) not in {str(project.id), project.path}:
            raise Refusal.of(404, "404 Project Not Found")
        call = Call(
            method=method, path=split.path, named=named, query=query, headers=headers, body=body, project=project,
            token=token, base=base,
        )  # fmt: skip
        return route.does(call)
    except Refusal as refused:
        return refused.answer


SAID: Final[Mapping[int, str]] = {
    401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found", 409: "409 Conflict",
    500: "500 Internal Server Error",
}  # fmt: skip


def broken(fault: Fault) -> Answer:
    """The answer of a server that refuses, in GitLab's words where it is GitLab that speaks and not what stands before it."""
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if fault.status in SAID:
        return Answer(fault.status, {"message": SAID[fault.status]}, headers)
    text = b"Retry later\n" if fault.status == 429 else b"<html><body><h1>GitLab is not responding</h1></body></html>"
    kind = "text/plain" if fault.status == 429 else "text/html"
    return Answer(fault.status, text, headers | {"Content-Type": kind})
