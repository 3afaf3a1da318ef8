"""One GitLab API, asked politely: what may pass is tried again, what may not is said with the variable that would help.

Standard library only. A token travels in its header, is never part of an address, an error or a log, and is sent to nobody but
the API that it is for: redirects are not followed. Without TLS only to this machine itself.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lockgate.errors import NotFound, PermissionRefused, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from email.message import Message

    from lockgate.records.digest import Json

__all__ = ["GitlabApi", "GitlabRefuses"]

PATIENCE_SECONDS: Final = 30.0
PAUSES_SECONDS: Final = (0.5, 2.0, 5.0)
LONGEST_PAUSE_SECONDS: Final = 30.0
PASSING: Final = frozenset({429, 500, 502, 503, 504})
NOT_DONE: Final = frozenset({429})
"""Answers by which a call surely took no effect: also what must not be done twice may be asked again."""
PAGE: Final = 100
NEAR: Final = ("127.0.0.1", "::1", "localhost")


class GitlabRefuses(UsageError):
    """GitLab refuses what was sent. `code`: 400, 409, 422, …"""

    code = 400


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """A token is for one host: another address gets nothing."""


class GitlabApi:
    """Calls below `address` (`https://gitlab.example.org/api/v4`) with one token.

    `header`: `JOB-TOKEN` or `PRIVATE-TOKEN`, or empty for none. `variable`: where the token came from, for errors. `needs`: the
    role and scope that the calls made here ask of it, for errors.
    """

    def __init__(
        self,
        address: str,
        *,
        header: str = "",
        token: str = "",
        variable: str = "",
        needs: str = "a token with the role and scope of docs/gitlab.md",
        pause: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in NEAR):
            raise UsageError(
                "GitLab is asked by https only", value=address, allowed="https://…, or http on this machine"
            )
        self._address, self._pause, self._patience = address.rstrip("/"), pause, patience
        self._variable, self._needs = variable, needs
        self._headers = {header: token} if header and token else {}
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(self, path: str) -> Json:
        """The JSON behind a path, such as `/job`."""
        return self._json("GET", path, self.call("GET", path))

    def listed(self, path: str) -> Iterator[Json]:
        """Everything in a list, page after page."""
        number = 1
        while True:
            found = self.get(f"{path}{'&' if '?' in path else '?'}per_page={PAGE}&page={number}")
            yield from found
            if len(found) < PAGE:
                return
            number += 1

    def read(self, method: str, path: str, body: bytes, *, headers: Mapping[str, str]) -> Json:
        """Send bytes, and read the JSON that comes back."""
        return self._json(method, path, self.call(method, path, body, headers=headers))

    def send(self, method: str, path: str, said: Json, *, again: bool = False) -> Json:
        """Send JSON, and read the JSON that comes back. `again`: doing it twice is the same as once."""
        headers = {"Content-Type": "application/json"}
        answer = self.call(method, path, json.dumps(said).encode(), headers=headers, again=again)
        return self._json(method, path, answer) if answer else None

    def call(
        self,
        method: str,
        path: str,
        body: bytes | Path | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> bytes:
        """The body of a good answer. `again`: whether to ask again where it may have been done already.

        Raises:
            PermissionRefused: 401 or 403. NotFound: 404. GitlabRefuses: GitLab refuses what was sent.
            ServiceUnavailable: no answer, a broken one, or "not now" (429, 5xx), after all tries.
        """
        why, wait = "", 0.0
        for pause in (*PAUSES_SECONDS, None):
            may_repeat = again
            try:
                return self._once(method, path, body, headers or {})
            except urllib.error.HTTPError as error:
                with error:
                    why, wait = f"{error.code} {_said(error)}", _after(error.headers)
                if error.code not in PASSING:
                    raise self._refused(error.code, method, path, why) from None
                may_repeat = again or error.code in NOT_DONE
            except (OSError, HTTPException) as error:
                why, wait = f"{type(error).__name__}: {getattr(error, 'reason', error)}", 0.0
            if not may_repeat:
                break
            if pause is not None:
                self._pause(min(max(pause, wait), LONGEST_PAUSE_SECONDS))
        raise ServiceUnavailable(
            "GitLab does not answer", value=f"{method} {path}: {why}", allowed=self._address, next="try again later"
        )

    def _once(self, method: str, path: str, body: bytes | Path | None, headers: Mapping[str, str]) -> bytes:
        data = body.read_bytes() if isinstance(body, Path) else body
        request = urllib.request.Request(  # noqa: S310  the scheme was looked at when this was made
            self._address + path, data=data, method=method, headers={**self._headers, **headers}
        )
        with self._opener.open(request, timeout=self._patience) as response:
            found: bytes = response.read()
            length = response.headers.get("Content-Length")
        if length is not None and int(length) != len(found):
            raise ConnectionError(f"{len(found)} of {length} bytes")
        return found

    def _json(self, method: str, path: str, answer: bytes) -> Json:
        try:
            return json.loads(answer)
        except ValueError as error:
            raise ServiceUnavailable(
                "GitLab answered no JSON", value=f"{method} {path}: {answer[:80]!r}", next="try again"
            ) from error

    def _refused(self, code: int, method: str, path: str, why: str) -> PermissionRefused | NotFound | GitlabRefuses:
        value = f"{method} {path}: {why}"
        if code in (401, 403):
            given = f"the token in {self._variable}" if self._headers else "no token"
            return PermissionRefused(
                "GitLab does not allow this", value=f"{value} ({given})", allowed=self._needs,
                next=f"look at {self._variable or 'CI_JOB_TOKEN'} in Settings › CI/CD › Variables",
            )  # fmt: skip
        if code == 404:
            return NotFound("GitLab has no such thing, or hides it from this token", value=value)
        refuses = GitlabRefuses("GitLab refuses this", value=value)
        refuses.code = code
        return refuses


def _after(headers: Message) -> float:
    """Seconds that GitLab asks us to wait."""
    said = headers.get("Retry-After", "")
    return float(said) if said.isdigit() else 0.0


def _said(error: urllib.error.HTTPError) -> str:
    """What GitLab says of a refusal, on one line."""
    try:
        said = json.loads(error.read()[:4096])
    except (ValueError, OSError, HTTPException):
        return str(error.reason)
    if not isinstance(said, dict):
        return " ".join(str(said).split())[:200]
    words = said.get("message") or said.get("error_description") or said.get("error") or said.get("error_code")
    scope = f" (scope: {said['scope']})" if said.get("error") == "insufficient_scope" and "scope" in said else ""
    return " ".join(str(words).split())[:200] + scope
