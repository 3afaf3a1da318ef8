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
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lockgate.errors import IntegrityError, NotFound, PermissionRefused, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message

    from lockgate.records.digest import Json

__all__ = ["GitlabApi"]

PATIENCE_SECONDS: Final = 30.0
PAUSES_SECONDS: Final = (0.5, 2.0, 5.0)
LONGEST_PAUSE_SECONDS: Final = 30.0
PASSING: Final = frozenset({429, 500, 502, 503, 504})
NEAR: Final = ("127.0.0.1", "::1", "localhost")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """A token is for one host: another address gets nothing."""


class GitlabApi:
    """Calls below `address` (`https://gitlab.example.org/api/v4`) with one token.

    `header`: `JOB-TOKEN` or `PRIVATE-TOKEN`, or empty for none. `variable`: where the token came from, for errors.
    """

    def __init__(
        self,
        address: str,
        *,
        header: str = "",
        token: str = "",
        variable: str = "",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in NEAR):
            raise UsageError(
                "GitLab is asked by https only", value=address, allowed="https://…, or http on this machine"
            )
        self._address, self._pause, self._variable = address.rstrip("/"), pause, variable
        self._headers = {header: token} if header and token else {}
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(self, path: str) -> Json:
        """The JSON behind a path, such as `/job`."""
        answer = self.call("GET", path)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise ServiceUnavailable(
                "GitLab answered no JSON", value=f"GET {path}: {answer[:80]!r}", next="try again"
            ) from error

    def call(
        self, method: str, path: str, body: bytes | None = None, *, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body of a good answer.

        Raises:
            PermissionRefused: 401 or 403. NotFound: 404. UsageError: GitLab refuses what was sent.
            ServiceUnavailable: no answer, a broken one, or "not now" (429, 5xx), after all tries.
        """
        why, wait = "", 0.0
        for pause in (*PAUSES_SECONDS, None):
            try:
                return self._once(method, path, body, headers or {})
            except urllib.error.HTTPError as error:
                with error:
                    why, wait = f"{error.code} {_said(error)}", _after(error.headers)
                if error.code not in PASSING:
                    raise self._refused(error.code, method, path, why) from None
            except (OSError, HTTPException) as error:
                why, wait = f"{type(error).__name__}: {getattr(error, 'reason', error)}", 0.0
            if pause is not None:
                self._pause(min(max(pause, wait), LONGEST_PAUSE_SECONDS))
        raise ServiceUnavailable(
            "GitLab does not answer", value=f"{method} {path}: {why}", allowed=self._address, next="try again later"
        )

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        request = urllib.request.Request(  # noqa: S310  the scheme was looked at when this was made
            self._address + path, data=body, method=method, headers={**self._headers, **headers}
        )
        with self._opener.open(request, timeout=PATIENCE_SECONDS) as response:
            found: bytes = response.read()
            length = response.headers.get("Content-Length")
        if length is not None and int(length) != len(found):
            raise ConnectionError(f"{len(found)} of {length} bytes")
        return found

    def _refused(
        self, code: int, method: str, path: str, why: str
    ) -> PermissionRefused | NotFound | UsageError | IntegrityError:
        value = f"{method} {path}: {why}"
        if code in (401, 403):
            given = f"the token in {self._variable}" if self._headers else "no token"
            return PermissionRefused(
                "GitLab does not allow this", value=f"{value} ({given})", allowed="a token with the role and scope of docs/gitlab.md",
                next=f"look at {self._variable or 'CI_JOB_TOKEN'} in Settings › CI/CD › Variables",
            )  # fmt: skip
        if code == 404:
            return NotFound("GitLab has no such thing, or hides it from this token", value=value)
        return UsageError("GitLab refuses this", value=value)


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
    words = (
        said.get("message") or said.get("error_description") or said.get("error") if isinstance(said, dict) else said
    )
    return " ".join(str(words).split())[:200]
