"""One note of ours under a merge request, whatever several pipelines write at the same time: the newest pipeline's is the one that stays.

The hidden first line says what the note is and which pipeline wrote it. GitLab has no conditional write, so we look before each write and
after it: what an older pipeline wrote over ours is written again, and of two notes the older one is deleted.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

from lockgate.adapters.gitlab.making import once
from lockgate.errors import MovedOn, NotFound, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.adapters.gitlab.api import GitlabApi

__all__ = ["Notes"]

ROUNDS: Final = 4
PAUSE_SECONDS: Final = 0.5


class Notes:
    """The notes of one user with one marker. `at`: the path of a merge request's notes; `turn`: number of the pipeline, 0 where nobody knows."""

    def __init__(
        self, api: GitlabApi, at: str, *, marker: str, turn: int, user: int, pause: Callable[[float], None]
    ) -> None:
        self._api, self._at, self._turn, self._user, self._pause = api, at, turn, user, pause
        self._head = f"<!-- lockgate:{marker} {turn} -->" if turn else f"<!-- lockgate:{marker} -->"
        self._form = re.compile(rf"<!-- lockgate:{re.escape(marker)}(?: (\d{{1,18}}))? -->")

    def say(self, text: str) -> int:
        """The number of the note. Raises MovedOn when a newer pipeline has written one."""
        body = f"{self._head}\n{text}"
        note, is_new = once(self._newest, lambda: self._api.send("POST", self._at, {"body": body}), pause=self._pause)
        is_seen = not is_new
        for _ in range(ROUNDS):
            if self._turn_of(note) > self._turn:
                raise MovedOn(
                    "a newer pipeline has written the note", value=f"pipeline {self._turn_of(note)}, this is {self._turn}",
                    next="look there",
                )  # fmt: skip
            is_ours = note["body"].strip() == body.strip()
            if is_ours and is_seen:
                return int(note["id"])
            if not is_ours:
                with contextlib.suppress(NotFound):  # a newer pipeline deleted it
                    self._api.send("PUT", f"{self._at}/{note['id']}", {"body": body}, again=True)
            note, is_seen = self._newest() or note, True
            if note["body"].strip() != body.strip():
                # somebody wrote at the same time, or what we read is older than what we wrote
                self._pause(PAUSE_SECONDS)
        raise ServiceUnavailable("another pipeline writes the same note", value=self._at, next="run the job again")

    def _newest(self) -> Any:
        """The note of the newest pipeline, of two the first one; the others are deleted. None: there is none."""
        # a note of somebody else with our marker is not ours to change, nor to be silenced by
        listed = self._api.listed(f"{self._at}?sort=asc")
        mine = [n for n in listed if n["author"]["id"] == self._user and self._form.match(n["body"])]
        if not mine:
            return None
        newest = max(mine, key=lambda n: (self._turn_of(n), -n["id"]))
        for note in mine:
            if note is not newest:
                with contextlib.suppress(NotFound):  # somebody was first
                    self._api.call("DELETE", f"{self._at}/{note['id']}")
        return newest

    def _turn_of(self, note: Any) -> int:
        """Which pipeline wrote it; 0 for one of an older Lockgate, which did not say."""
        found = self._form.match(note["body"])
        return int(found[1] or 0) if found else 0
