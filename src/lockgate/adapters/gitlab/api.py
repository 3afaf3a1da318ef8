"""One GitLab API, asked politely: what may pass is tried again, what may not is said with the variable that would help.

Standard library only. A token travels in its header, is never part of an address, an error or a log, and is sent to nobody but
the API that it is for: redirects are not followed, but those of a download, and these without the token. Without TLS only to this
machine itself.
"""

from __future__ import annotations

import contextlib
import json
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urljoin, urlsplit

from lockgate.adapters.gitlab.line import Line, allowed_address, pieces
from lockgate.adapters.gitlab.patience import pauses, seconds_asked
from lockgate.errors import NotFound, PermissionRefused, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from http.client import HTTPResponse
    from pathlib import Path

    from lockgate.records.digest import Json

__all__ = ["GitlabApi", "GitlabRefuses"]

T = TypeVar("T")
PATIENCE_SECONDS: Final = 30.0
PASSING: Final = frozenset({429, 500, 502, 503, 504})
NOT_DONE: Final = frozenset({429})
"""Answers by which a call surely took no effect: also what must not be done twice may be asked again."""
PAGE: Final = 100
REDIRECTS: Final = 3
GOOD: Final = range(200, 300)
ELSEWHERE: Final = range(300, 400)


class GitlabRefuses(UsageError):
    """GitLab refuses what was sent. `code`: 400, 409, 422, …"""

    code = 400


class OthersAtIt(GitlabRefuses):
    """409 where nothing is there already: somebody else changes the same thing, and another try may help."""

    code = 409
    exit_code = 5


class NothingSeen(NotFound):
    """404: GitLab has no such thing, or hides it from this token, which no other command of ours would change."""

    exit_code = 4


class _Said(Exception):
    """An answer that is no good one: its code, what GitLab says, the seconds that it asks us to wait, and where it sends us."""

    def __init__(self, answer: HTTPResponse) -> None:
        super().__init__()
        self.code, self.words = answer.status, _words(answer)
        headers = answer.headers
        self.wait = seconds_asked(headers.get("Retry-After", ""), date=headers.get("Date", ""), now=time.time())
        self.place = answer.headers.get("Location", "")


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
        needs: str = "a token with role Developer or higher and scope api",
        pause: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        if not allowed_address(address):
            raise UsageError(
                "GitLab is asked by https only", value=address, allowed="https://…, or http on this machine"
            )
        self._address, self._pause, self._patience = address.rstrip("/"), pause, patience
        self._variable, self._needs = variable, needs
        self._headers = {header: token} if header and token else {}
        self._line = Line(address, patience=patience)

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

        def once() -> bytes:
            with self._asked(method, path, body, headers or {}, kept=again) as answer:
                return b"".join(pieces(answer))

        return self._tried(method, path, once, again=again)

    def has(self, path: str) -> bool:
        """Whether a file is there, by HEAD: one that lies elsewhere is there, too."""

        def once() -> bool:
            try:
                with self._asked("HEAD", path, None, {}, kept=True) as answer:
                    answer.read()
            except _Said as said:
                if said.code not in ELSEWHERE:
                    raise
            return True

        try:
            return self._tried("HEAD", path, once, again=True)
        except NotFound:
            return False

    def stream(self, path: str, begin: Callable[[], Callable[[bytes], object]]) -> None:
        """A file piece by piece. `begin` gives what takes the pieces, anew for each try. Raises as `call` does."""

        def once() -> None:
            keep = begin()
            try:
                with self._asked("GET", path, None, {}, kept=True) as answer:
                    for piece in pieces(answer):
                        keep(piece)
            except _Said as said:
                if said.code not in ELSEWHERE or not said.place:
                    raise
                for piece in self._elsewhere(urljoin(self._address + path, said.place)):
                    keep(piece)

        self._tried("GET", path, once, again=True)

    def _elsewhere(self, address: str, *, left: int = REDIRECTS) -> Iterator[bytes]:
        """What lies where a download sends us, such as an object storage. Our token stays here: the address itself lets us in."""
        parts = urlsplit(address)
        if not allowed_address(address) or not left:
            raise ConnectionError(f"redirected to {parts.scheme}://{parts.hostname}")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line = Line(address, patience=self._patience)
        with line.asked("GET", target, body=None, headers={}, kept=False) as answer:
            if answer.status in GOOD:
                yield from pieces(answer)
                return
            said = _Said(answer)
        if said.code not in ELSEWHERE or not said.place:
            raise ConnectionError(f"{said.code} of {parts.hostname}, where the file lies")
        yield from self._elsewhere(urljoin(address, said.place), left=left - 1)

    def _tried(self, method: str, path: str, once: Callable[[], T], *, again: bool) -> T:
        why, wait, rest = "", 0.0, pauses()
        while True:
            may_repeat = again
            try:
                return once()
            except _Said as said:
                why, wait = f"{said.code} {said.words.removeprefix(f'{said.code} ')}", said.wait
                if said.code not in PASSING:
                    raise self._refused(said.code, method, path, why) from None
                may_repeat = again or said.code in NOT_DONE
            except (OSError, HTTPException) as error:
                why, wait = f"{type(error).__name__}: {error}", 0.0
            pause = rest(wait) if may_repeat else None
            if pause is None:
                break
            self._pause(pause)
        asks = f"; it asks to wait {wait:.0f} s" if wait else ""
        raise ServiceUnavailable(
            "GitLab does not answer", value=f"{method} {path}: {why}{asks}", allowed=self._address,
            next=f"try again in {wait:.0f} s" if wait else "try again later",
        )  # fmt: skip

    @contextlib.contextmanager
    def _asked(
        self, method: str, path: str, body: bytes | Path | None, headers: Mapping[str, str], *, kept: bool
    ) -> Generator[HTTPResponse]:
        target = urlsplit(self._address).path + path
        given = {**self._headers, **headers}
        with self._line.asked(method, target, body=body, headers=given, kept=kept) as answer:
            if answer.status not in GOOD:
                raise _Said(answer)
            yield answer

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
            given = f"the token in {self._variable}" if self._headers else "no token was sent"
            return PermissionRefused(
                "GitLab does not allow this", value=f"{value} ({given})", allowed=self._needs if self._headers else "what is public",
                next=self._where_to_look(),
            )  # fmt: skip
        if code == 404:
            what = "GitLab has no such thing" + (", or hides it from this token" if self._headers else "")
            return NothingSeen(
                what, value=value, allowed=self._needs if self._headers else "", next=self._where_to_look()
            )
        if code == OthersAtIt.code and "already" not in why:
            return OthersAtIt(
                "GitLab refuses this: others change the same thing", value=value, next="run the job again"
            )
        refuses = GitlabRefuses("GitLab refuses this", value=value, next="what GitLab says above is to be mended first")
        refuses.code = code
        return refuses

    def _where_to_look(self) -> str:
        """Where the token that was sent is given its rights."""
        if not self._headers:
            return f"open {self._address} without logging in: this address is asked without a token"
        if "JOB-TOKEN" in self._headers:
            return "Settings › CI/CD › Job token permissions, in the project that is asked; and does the project exist?"
        return f"look at {self._variable} in Settings › CI/CD › Variables"


def _words(answer: HTTPResponse) -> str:
    """What GitLab says of a refusal, on one line."""
    try:
        said = json.loads(answer.read()[:4096])
    except (ValueError, OSError, HTTPException):
        return answer.reason
    if not isinstance(said, dict):
        return " ".join(str(said).split())[:200]
    words = said.get("message") or said.get("error_description") or said.get("error") or said.get("error_code")
    scope = f" (scope: {said['scope']})" if said.get("error") == "insufficient_scope" and "scope" in said else ""
    return " ".join(str(words).split())[:200] + scope
