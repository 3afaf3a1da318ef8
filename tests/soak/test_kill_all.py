"""Kill -9 before every write of every scene."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from journeys.conftest import approved, asked, bare, delivered, delivered_twice, founded, known, ran, waiting
from journeys.killing import SCENES, Scene, count, kill

__all__ = ["approved", "asked", "bare", "delivered", "delivered_twice", "founded", "known", "ran", "waiting"]

COLD = [dataclasses.replace(s, name=f"{s.name}, cold", station="ran") for s in SCENES if s.station == "known"]


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("scene", [*SCENES, *COLD], ids=lambda s: s.name)
def test_every_site(scene: Scene, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    prepared = request.getfixturevalue(scene.station)
    sites = count(scene, prepared, tmp_path / "count")
    print(f"{scene.name}: {len(sites)} sites")
    for number, site in enumerate(sites, start=1):
        print(f"  {site}", flush=True)
        kill(scene, prepared, tmp_path / "killed", site=number)
