"""Kill -9 before every write of every scene. The sites of a scene and those that failed go into its report.

A cold scene passes the same places again for every gate: there the first and the last passing of each place is taken.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from journeys.conftest import (
    approved,
    asked,
    bare,
    delivered,
    delivered_twice,
    founded,
    known,
    noted,
    proposed,
    ran,
    waiting,
)
from journeys.killing import SCENES, Scene, count, kill
from journeys.walking import Lockgate

__all__ = [
    "approved",
    "asked",
    "bare",
    "delivered",
    "delivered_twice",
    "founded",
    "known",
    "noted",
    "proposed",
    "ran",
    "waiting",
]

COLD = [dataclasses.replace(s, name=f"{s.name}, cold", station="ran") for s in SCENES if s.station == "known"]
AT_ONCE = os.cpu_count() or 1


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("scene", [*SCENES, *COLD], ids=lambda s: s.name)
def test_every_site(
    scene: Scene, request: pytest.FixtureRequest, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    prepared: Lockgate = request.getfixturevalue(scene.station)
    sites = count(scene, prepared, tmp_path / "count")
    chosen = ends_of(sites) if scene in COLD else range(1, len(sites) + 1)
    record_property("sites", f"{len(chosen)} of {len(sites)}")

    def attempt(number: int) -> str:
        try:
            kill(scene, prepared, tmp_path / str(number), site=number)
        except Exception as error:  # one bad site must not hide the next
            return f"{number} {sites[number - 1]}\n{error}"
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [text for text in pool.map(attempt, chosen) if text]
    record_property("failed", len(failed))
    assert not failed, "\n\n".join(failed)


def ends_of(sites: list[str]) -> list[int]:
    """The numbers of the first and the last site of each kind; a site is `NUMBER CALL PLACE`."""
    kinds: dict[str, list[int]] = {}
    for number, site in enumerate(sites, start=1):
        kinds.setdefault(site.partition(" ")[2], []).append(number)
    return sorted({n for numbers in kinds.values() for n in (numbers[0], numbers[-1])})
