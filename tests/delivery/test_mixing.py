"""What a mix is kept under, and a Python that is not here."""

from __future__ import annotations

import datetime as dt
import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lockgate.delivery.comparison import mixing
from lockgate.delivery.reproduction.interpreter import python_for
from lockgate.errors import StepFailed

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Kept:
    """Results that note what they are asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, key: str) -> None:
        self.asked.append(key)


def mix(kept: Kept, python: str) -> None:
    release: Any = SimpleNamespace(digest="sha256:1", python=python)
    project: Any = SimpleNamespace(results=lambda _: kept, home=Path("/nowhere"))
    sides = dict.fromkeys(("code", "data", "parameters", "packages"), release)
    mixing.mix(project, sides, now=NOW, tell=lambda _: None, note="a mix")


def test_a_mix_for_another_python_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (python_for(platform.python_version()), python_for("2.7.1")) == (platform.python_version(),) * 2
    kept = Kept()
    with pytest.raises(StepFailed, match="it takes Python 2.7.1"):
        mix(kept, "2.7.1")
    monkeypatch.setattr(mixing, "__version__", "0.0.1")
    with pytest.raises(StepFailed):
        mix(kept, "2.7.1")
    assert len(set(kept.asked)) == 2, "another Lockgate looks under another key"
