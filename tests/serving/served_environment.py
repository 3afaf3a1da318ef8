"""An environment that a test holds in its hand: a follower in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lockgate.records.digest import sha256_file
from lockgate.serving.child import Wanted, listen
from lockgate.serving.follow import Answer, Follower

WAIT_SECONDS = 30.0


@dataclass
class Environment:
    """An environment in the test's hand: say what is wanted, see what was answered."""

    folders: dict[str, Path]
    log: Path
    wanted: Wanted | None = None
    fetch: Callable[[Wanted], Path] | None = None
    answers: list[tuple[Answer, str, str]] = field(default_factory=list[tuple[Answer, str, str]])
    said: list[str] = field(default_factory=list[str])
    error: BaseException | None = None
    url: str = ""

    def __post_init__(self) -> None:
        self._socket = listen()
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._entries = 0
        self._stop = threading.Event()
        self._answered = threading.Condition()
        self.follower = Follower(
            "staging",
            self._socket,
            wanted=lambda: self.wanted,
            fetch=lambda w: (self.fetch or (lambda w: self.folders[w.release]))(w),
            answer=self._answer,
            log=self.log,
            say=self.said.append,
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def want(self, release: str, *, banner: str = "", evidence: Path | None = None) -> tuple[Answer, str, str]:
        """Want a release and wait for the environment's answer."""
        with self._answered:
            before = len(self.answers)
            self._entries += 1
            page = (evidence, sha256_file(evidence)) if evidence else None
            self.wanted = Wanted(release=release, entry=str(self._entries), banner=banner, evidence=page)
            assert self._answered.wait_for(lambda: len(self.answers) > before, WAIT_SECONDS), self.said
        return self.answers[-1]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()

    def _answer(self, answer: Answer, wanted: Wanted, reason: str) -> None:
        with self._answered:
            self.answers.append((answer, wanted.release, reason))
            self._answered.notify_all()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.follower.turn()
        except BaseException as error:  # noqa: BLE001  shown by the test that closes the environment
            self.error = error
        finally:
            self.follower.end()
