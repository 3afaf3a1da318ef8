"""Whether the tokens of a host that runs code nobody has reviewed can only read: GitLab itself says what a token may."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.adapters.gitlab.api import GitlabApi, GitlabRefuses
from lockgate.adapters.gitlab.place import HERE, TOKEN, Pass, pass_for, place_at, place_of
from lockgate.errors import NotFound, PermissionRefused, ServiceUnavailable, UsageError
from lockgate.records.token_host import LEDGER_TOKEN, need_host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockgate.adapters.gitlab.place import Place

__all__ = ["need_reading"]

READING: Final = ("read_api", "read_repository", "read_registry")
SELF: Final = "/personal_access_tokens/self"
NEXT: Final = (
    "Settings › Access tokens: a project access token with the role Reporter and the scope {scope}; export {variable}=…"
)


def need_reading(store: str, root: Path, *, ledger: str, pause: Callable[[float], None] = time.sleep) -> None:
    """Ask GitLab about each token that this process holds.

    `store`: the URL of a store on packages, empty for others. `ledger`: the address of the git remote that holds the ledger, whose
    host is asked about the ledger's token, if that token is for it; empty for a ledger elsewhere.

    Raises:
        PermissionRefused: a token may do more than read, or is none that says what it may.
        ServiceUnavailable: GitLab does not say what it may, so it may be anything.
    """
    if os.environ.get(TOKEN) or (store and os.environ.get("CI_JOB_TOKEN")):
        _need(TOKEN, lambda: _of_store(store or HERE, root), pause)
    if os.environ.get(LEDGER_TOKEN):
        _need(LEDGER_TOKEN, lambda: _of_ledger(ledger), pause)


def _of_store(url: str, root: Path) -> tuple[Place, Pass]:
    place = place_of(url, root)
    return place, pass_for(place)


def _of_ledger(address: str) -> tuple[Place, Pass]:
    place = place_at(address, said_by="the ledger's git remote")
    need_host(LEDGER_TOKEN, place.host, os.environ, asked=f"the ledger is at {place}")
    return place, Pass("PRIVATE-TOKEN", LEDGER_TOKEN, os.environ[LEDGER_TOKEN])


def _need(variable: str, found: Callable[[], tuple[Place, Pass]], pause: Callable[[float], None]) -> None:
    try:
        place, held = found()
        scopes = _scopes_of(held, place.api, pause)
    except (ServiceUnavailable, NotFound, UsageError) as error:
        raise ServiceUnavailable(
            f"nobody says what the token in {variable} may do, and apps that nobody has reviewed run beside it",
            value=f"{error.what}: {error.value}", allowed="GitLab 15.5 or newer, which tells a token its scopes",
            next=f"try again, or unset {variable}",
        ) from error  # fmt: skip
    if more := sorted(set(scopes) - set(READING)):
        raise _refused(held, f"its scopes: {', '.join(more)}")


def _scopes_of(held: Pass, address: str, pause: Callable[[float], None]) -> tuple[str, ...]:
    """What GitLab says that a token may."""
    if held.header != "PRIVATE-TOKEN":
        raise _refused(held, "a job's token does whatever its user may")
    needs = ", ".join(READING)
    api = GitlabApi(
        address, header=held.header, token=held.secret, variable=held.variable, needs=needs, pause=pause
    )  # fmt: skip
    try:
        scopes = _scopes(api.get(SELF))
    except GitlabRefuses as error:
        raise _refused(held, error.value) from error
    if scopes is None:
        raise ServiceUnavailable("GitLab names no scopes", value=SELF)
    return scopes


def _scopes(said: Any) -> tuple[str, ...] | None:
    scopes = cast("dict[str, Any]", said).get("scopes") if isinstance(said, dict) else None
    return tuple(str(s) for s in cast("list[Any]", scopes)) if isinstance(scopes, list) else None


def _refused(held: Pass, why: str) -> PermissionRefused:
    scope = "read_repository" if held.variable == LEDGER_TOKEN else "read_api"
    variable = held.variable if held.header == "PRIVATE-TOKEN" else TOKEN
    return PermissionRefused(
        f"the token in {held.variable} may do more than read, and apps that nobody has reviewed run beside it",
        value=why, allowed=", ".join(READING), next=NEXT.format(scope=scope, variable=variable),
    )  # fmt: skip
