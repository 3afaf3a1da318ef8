"""Users and their tokens: who may call what. Kinds, scopes and roles as GitLab has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from lockgate.testing.gitlab.http import Refusal, Route

__all__ = ["DEVELOPER", "GUEST", "MAINTAINER", "OWNER", "REPORTER", "Kind", "Token", "User", "admit", "secret_in"]

GUEST: Final = 10
REPORTER: Final = 20
DEVELOPER: Final = 30
MAINTAINER: Final = 40
OWNER: Final = 50

Kind: TypeAlias = Literal["job", "project", "personal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person, or the bot that a project token acts as."""

    id: int
    username: str
    name: str
    bot: bool = False

    def shown(self) -> dict[str, Any]:
        """As the API shows a user."""
        return {"id": self.id, "username": self.username, "name": self.name, "state": "active", "bot": self.bot}


@dataclass(slots=True, kw_only=True)
class Token:
    """A secret and what it may. A job token acts as the user of its job, and only while the job runs."""

    secret: str
    kind: Kind
    user: User
    role: int
    scopes: Sequence[str] = ("api",)
    job: int | None = None
    revoked: bool = False


def secret_in(headers: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> tuple[str, bool] | None:
    """The secret that a request shows, and whether it came as a job token; None: it shows none."""
    for header in ("job-token", "private-token"):
        if header in headers:
            return headers[header], header == "job-token"
    if "job_token" in query or "private_token" in query:
        name = "job_token" if "job_token" in query else "private_token"
        return query[name][-1], name == "job_token"
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    return (rest.strip(), False) if scheme.lower() == "bearer" else None


def admit(route: Route, token: Token | None, *, as_job: bool) -> None:
    """Refuse a call that its token does not carry, with GitLab's own words.

    A token of a kind that the route does not know is as if there were none: 401, not 403.
    """
    if route.open:
        return
    if token is not None and token.kind == "job" and not (as_job or route.bearer_job):
        token = None
    if token is None or token.kind not in route.tokens:
        raise Refusal.of(401, "401 Unauthorized")
    if token.revoked:
        words = "Token was revoked. You have to re-authorize from the user."
        raise Refusal(401, {"error": "invalid_token", "error_description": words})
    enough = {"api", "read_api"} if route.method in {"GET", "HEAD"} else {"api"}
    if token.kind != "job" and not route.any_scope and not enough & set(token.scopes):
        words = "The request requires higher privileges than provided by the access token."
        raise Refusal(
            403, {"error": "insufficient_scope", "error_description": words, "scope": " ".join(sorted(enough))}
        )
    if token.role < GUEST:
        raise Refusal.of(404, "404 Project Not Found")
    if token.role < route.role and route.hides:
        # The MLflow-compatible API: what you may not read is not there, what you may not write asks who you are.
        raise Refusal.of(404, "404 Not Found") if route.method == "GET" else Refusal.of(401, "401 Unauthorized")
    if token.role < route.role:
        raise Refusal.of(403, "403 Forbidden")
