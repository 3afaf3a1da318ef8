"""What a mix is kept under, and a Python that is not here."""

from __future__ import annotations

import datetime as dt
import json
import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lockgate.delivery.comparison import mixing
from lockgate.delivery.comparison.answers import fair_from
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


def test_releases_are_fair_to_each_other_from_the_latest_start_of_a_test(tmp_path: Path) -> None:
    def release(name: str, *days: str) -> Any:
        (tmp_path / name).write_text(json.dumps([{"as_of": day} for day in days]))
        return SimpleNamespace(
            digest=f"sha256:{name}", holdout="holdout.json", files=(SimpleNamespace(path="holdout.json", blake3=name),)
        )

    project: Any = SimpleNamespace(store=SimpleNamespace(get=lambda name: tmp_path / name))
    long, short = release("long", "2030-01-01", "2030-01-28"), release("short", "2030-01-15", "2030-01-28")
    assert fair_from(project, [long, short]) == "2030-01-15"
    assert fair_from(project, [release("none")]) == ""


def test_a_mix_for_another_python_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (python_for(platform.python_version()), python_for("2.7.1")) == (platform.python_version(),) * 2
    kept = Kept()
    with pytest.raises(StepFailed, match="it takes Python 2.7.1"):
        mix(kept, "2.7.1")
    monkeypatch.setattr(mixing, "__version__", "0.0.1")
    with pytest.raises(StepFailed):
        mix(kept, "2.7.1")
    assert len(set(kept.asked)) == 2, "another Lockgate looks under another key"
