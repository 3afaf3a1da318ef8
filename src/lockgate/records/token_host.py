"""Which host a token is for: the one that a variable beside it names, set by who set the token; else the job's own instance.

A repository's files, its remotes and a job's variables say where a token would go, and not all of them are written by who made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lockgate.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LEDGER_TOKEN", "need_host"]

LEDGER_TOKEN: Final = "LOCKGATE_LEDGER_TOKEN"  # noqa: S105  the name of a variable


def need_host(token: str, host: str, known: Mapping[str, str], *, asked: str = "") -> None:
    """Raises ServiceUnavailable unless the token in the variable `token` is for `host` (with its port, where it has one).

    `known`: the environment; `asked`: words for what would be asked there.

    >>> need_host("LOCKGATE_GITLAB_TOKEN", "git.example", {"LOCKGATE_GITLAB_HOST": "Git.example"})
    >>> need_host("LOCKGATE_NOTE_TOKEN", "git.example", {"CI_API_V4_URL": "https://git.example/api/v4"})
    """
    variable, job = (
        ("LOCKGATE_LEDGER_HOST", "CI_SERVER_URL")
        if token == LEDGER_TOKEN
        else ("LOCKGATE_GITLAB_HOST", "CI_API_V4_URL")
    )
    named = known.get(variable, "") or urlsplit(known.get(job, "")).netloc
    if named.lower() == host.lower():
        return
    says = f"it is for {named}" if named else f"{variable} is not set"
    raise ServiceUnavailable(
        f"{token} was not sent: nothing says that it is for {host}", value=f"{asked}; {says}" if asked else says,
        allowed="the host that the token was made at, if you trust this repository's lockgate.toml and its remotes",
        next=f"export {variable}={host}",
    )  # fmt: skip
