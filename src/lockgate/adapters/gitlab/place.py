"""Which project of which GitLab holds a store, and with which token it is asked.

`gitlab:` is the project of the job that runs, else that of the git remote `origin`; `gitlab://HOST/GROUP/PROJECT` names one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from lockgate.adapters.gitlab.line import NEAR
from lockgate.errors import ServiceUnavailable, UsageError
from lockgate.git_calls import asked
from lockgate.records.token_host import need_host

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["HERE", "HOST", "TOKEN", "Pass", "Place", "missing", "pass_for", "place_at", "place_of"]

HERE: Final = "gitlab:"
TOKEN: Final = "LOCKGATE_GITLAB_TOKEN"  # noqa: S105  the name of a variable
HOST: Final = "LOCKGATE_GITLAB_HOST"
JOB_TOKEN: Final = "CI_JOB_TOKEN"  # noqa: S105
REMOTE: Final = "origin"
ALLOWED: Final = "gitlab: for the project itself, or gitlab://HOST/GROUP/PROJECT"
SCP_FORM: Final = re.compile(r"(?:[^@/\s]+@)?(?P<host>[^:/\s]+):(?P<path>[^/\s].*)")
PATH: Final = re.compile(r"[\w.+-]+(/[\w.+-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A project of an instance: host with its port, path or number, and the API's address."""

    host: str
    project: str
    api: str

    def __str__(self) -> str:
        return f"gitlab://{self.host}/{self.project}"

    @property
    def path(self) -> str:
        """Below the API's address."""
        return f"/projects/{quote(self.project, safe='')}"


@dataclass(frozen=True, slots=True)
class Pass:
    """What lets us in: the header that carries it, and the variable that it came from. Never shown."""

    header: str
    variable: str
    secret: str

    def __repr__(self) -> str:
        return f"Pass({self.variable})"


def place_of(url: str, root: Path) -> Place:
    """The project that a store's URL means. Raises UsageError for a URL that is none, ServiceUnavailable where nothing tells."""
    known = os.environ
    if url != HERE:
        return _named(url, known)
    if known.get("CI_API_V4_URL") and known.get("CI_PROJECT_ID"):
        parts = urlsplit(known["CI_API_V4_URL"])
        return Place(parts.netloc, known.get("CI_PROJECT_PATH") or known["CI_PROJECT_ID"], known["CI_API_V4_URL"])
    return place_at(_remote(root))


def missing(url: str, root: Path) -> tuple[str, ...]:
    """What the short form lacks outside of a pipeline. Empty: nothing, or its lack is an error."""
    if url != HERE or os.environ.get("CI") or os.environ.get("CI_API_V4_URL"):
        return ()
    return (*((TOKEN,) if not os.environ.get(TOKEN) else ()), *(() if _remote(root) else (f"git remote {REMOTE}",)))


def pass_for(place: Place, *, deleting: bool = False) -> Pass:
    """The job's own token for its own instance, else that of `LOCKGATE_GITLAB_TOKEN`, which comes first for what asks for more than a job may.

    A repository names the project that holds its store, so whoever wrote it would name where a token goes: that one goes to the
    host of `LOCKGATE_GITLAB_HOST`, and without it to the job's own instance. Raises ServiceUnavailable where no token may go there.
    """
    known = os.environ
    ours = bool(known.get(JOB_TOKEN)) and urlsplit(known.get("CI_API_V4_URL", "")).netloc == place.host
    own = ours and place.project in (known.get("CI_PROJECT_PATH"), known.get("CI_PROJECT_ID"))
    if known.get(TOKEN) and (deleting or not own):
        need_host(TOKEN, place.host, known, asked=f"the store is {place}")
        return Pass("PRIVATE-TOKEN", TOKEN, known[TOKEN])
    if ours:
        return Pass("JOB-TOKEN", JOB_TOKEN, known[JOB_TOKEN])
    raise ServiceUnavailable(
        "there is no token for the store on GitLab's packages", value=str(place),
        allowed=f"{JOB_TOKEN} in a job; elsewhere {TOKEN}: role Developer, scope api (read_api to look only)",
        next=f"export {TOKEN}=… {HOST}={place.host}   (your access token, or the project's: Settings › Access tokens)",
    )  # fmt: skip


def _named(url: str, known: Mapping[str, str]) -> Place:
    parts = urlsplit(url)
    path = parts.path.strip("/").removesuffix(".git")
    if "@" in parts.netloc:
        raise UsageError(
            "a store's URL must not hold credentials", value=f"gitlab://…{parts.path}", allowed=ALLOWED, next=f"export {TOKEN}=…"
        )  # fmt: skip
    if parts.scheme != "gitlab" or not parts.netloc or not PATH.fullmatch(path) or parts.query or parts.fragment:
        raise UsageError("not a store's URL", value=url, allowed=ALLOWED, next="edit lockgate.toml")
    return _at(parts.netloc, path, known)


def _at(host: str, path: str, known: Mapping[str, str]) -> Place:
    """The API of a host: what the job says where it is the job's own, which may lie below a folder."""
    said = known.get("CI_API_V4_URL", "")
    if urlsplit(said).netloc == host:
        return Place(host, path, said)
    scheme = "http" if urlsplit(f"//{host}").hostname in NEAR else "https"
    return Place(host, path, f"{scheme}://{host}/api/v4")


def place_at(address: str, *, said_by: str = f"the git remote {REMOTE}") -> Place:
    """The project that a git remote's address means. `said_by`: whose address it is. Raises ServiceUnavailable for none on GitLab."""
    if address.startswith(("https://", "http://", "ssh://")):
        parts = urlsplit(address)
        host, path = parts.netloc.rpartition("@")[2], parts.path
        if parts.scheme == "ssh":
            host = parts.hostname or ""  # the port is that of ssh
    else:
        found = SCP_FORM.fullmatch(address)
        host, path = (found["host"], found["path"]) if found else ("", "")
    path = path.strip("/").removesuffix(".git")
    if not host or not PATH.fullmatch(path) or "/" not in path:
        raise ServiceUnavailable(
            "nothing says which GitLab project holds the store", value=f"{said_by}: {_shown(address)}",
            allowed='a remote on a GitLab server, or [store] url = "gitlab://HOST/GROUP/PROJECT"',
            next="git remote -v   (or set CI_API_V4_URL and CI_PROJECT_ID)",
        )  # fmt: skip
    return _at(host, path, os.environ)


def _shown(address: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]+@", "", address) or "none"


def _remote(root: Path) -> str:
    """The address of the remote; empty where there is none, or no git."""
    return asked(root, "remote", "get-url", REMOTE) or ""
