"""Toy releases, and environments that serve them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "release")]

import toyshop_release
from served_environment import Environment

if TYPE_CHECKING:
    from lockgate.records.release import Manifest


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
def site(releases: dict[str, tuple[Path, Manifest]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Release `one`, served for the whole session with a banner and an evidence page."""
    folder = tmp_path_factory.mktemp("site")
    evidence = folder / "evidence.html"
    evidence.write_text("<!doctype html><title>Evidence</title><h1>Evidence</h1>")
    directory, manifest = releases["one"]
    made = Environment(folders={manifest.digest: directory}, log=folder / "log")
    assert made.want(manifest.digest, banner="DEMO APPROVAL", evidence=evidence)[0] == "healthy"
    yield made
    made.close()
