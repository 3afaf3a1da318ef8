"""Toy releases and a follower that serves them in this process's thread of its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "release"))

import toyshop_release

from lockgate.serving.follow import Answer, Follower, Wanted, listen

if TYPE_CHECKING:
    from lockgate.records.release import Manifest

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
            self.wanted = Wanted(release=release, entry=str(self._entries), banner=banner, evidence=evidence)
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


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Manifest]]:
    """Two healthy toy releases, `one` and `two`."""
    folder = tmp_path_factory.mktemp("toys")
    return {name: toyshop_release.make(folder, scale=scale) for name, scale in (("one", 1.0), ("two", 2.0))}


@pytest.fixture
def environment(releases: dict[str, tuple[Path, Manifest]], tmp_path: Path) -> Iterator[Environment]:
    """An environment that knows both releases and wants none yet."""
    made = Environment(folders={m.digest: d for d, m in releases.values()}, log=tmp_path / "log")
    yield made
    made.close()
    if made.error:
        raise made.error


@pytest.fixture(scope="session")
def site(
    releases: dict[str, tuple[Path, Manifest]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """Release `one`, served for the whole session with a banner and an evidence page."""
    folder = tmp_path_factory.mktemp("site")
    evidence = folder / "evidence.html"
    evidence.write_text("<!doctype html><title>Evidence</title><h1>Evidence</h1>")
    directory, manifest = releases["one"]
    made = Environment(folders={manifest.digest: directory}, log=folder / "log")
    assert made.want(manifest.digest, banner="DEMO APPROVAL", evidence=evidence)[0] == "healthy"
    yield made
    made.close()
