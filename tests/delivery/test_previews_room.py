"""How many apps a review host runs at once: one more begins when another has really ended, or its asker is told to wait."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lockgate.delivery import preview
from lockgate.delivery.preview import LIVE, MOST, Previews
from lockgate.serving.relay import Full


class FakeFollower:
    """Counts how many run, and the most that ever did; ending takes a while."""

    running, most = 0, 0
    turn_lock = threading.Lock()

    def __init__(self, environment: str, listener: socket.socket, *, answer: Any, **_: Any) -> None:
        self._listener, self._answer, self._told = listener, answer, False
        with self.turn_lock:
            kind = type(self)
            kind.running += 1
            kind.most = max(kind.most, kind.running)

    def turn(self) -> None:
        if not self._told:
            self._told = True
            self._answer("healthy", SimpleNamespace(release="sha256:" + "ab" * 32), "")
        time.sleep(0.001)

    def end(self) -> None:
        time.sleep(0.05)
        self._listener.close()
        with self.turn_lock:
            type(self).running -= 1


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    kind = type("Follower", (FakeFollower,), {"running": 0, "most": 0})
    monkeypatch.setattr(preview, "Follower", kind)
    monkeypatch.setattr(preview, "KEPT_SECONDS", 0.0)
    ledger: Any = SimpleNamespace(names={f"b{i}": 1 for i in range(40)}, environment="production", look=lambda: None)
    project: Any = SimpleNamespace(home=tmp_path, root=tmp_path)
    made = Previews(project, ledger, preview.listen(), domain="localhost", say=lambda _: None, idle_seconds=1800)
    running = threading.Thread(target=made.run)
    running.start()
    yield SimpleNamespace(host=made, kind=kind)
    made.stop()
    running.join(timeout=20)
    assert (running.is_alive(), kind.running) == (False, 0), "nothing is left behind"


def test_never_more_than_so_many_run(host: Any) -> None:
    for number in range(40):
        assert host.host._find(f"b{number}")
    assert host.kind.most == MOST + 1, "and the live one"
    assert set(host.host._apps) == {LIVE, *(f"b{i}" for i in range(40 - MOST, 40))}, "the oldest went"


def test_askers_at_once_get_no_more_either(host: Any) -> None:
    askers = [threading.Thread(target=host.host._find, args=(f"b{i}",)) for i in range(20)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(timeout=30)
        assert not asker.is_alive()
    assert host.kind.most == MOST + 1


def test_an_app_that_was_just_asked_for_stays(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "KEPT_SECONDS", 60.0)
    monkeypatch.setattr(preview, "ROOM_SECONDS", 0.3)
    for number in range(MOST):
        host.host._find(f"b{number}")
    with pytest.raises(Full):
        host.host._find("b30")
    assert host.host._find("b0"), "those that run go on"
