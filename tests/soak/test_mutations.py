"""Every style and every copied package with many more edits than `make test` has time for; the row goes into its report."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from build.copied import COPIED
from build.mutation import measured
from build.styles import STYLES

SEED = os.environ.get("LOCKGATE_SEED", "20261123")
EDITS = 300


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", [*STYLES, *COPIED])
def test_every_edit(name: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    tally = measured(name, tmp_path, random.Random(f"{SEED} soak {name}"), count=EDITS)
    record_property("mutation", tally.row(name))
    record_property("seed", SEED)
    record_property("counts", f"{tally.reruns} {len(tally.wasted)} {len(tally.missed)} {tally.edits}")
    print(f"seed {SEED}", *tally.wasted, sep="\n")
    assert not tally.missed, "\n".join(tally.missed)
