"""Law 1 on projects nobody thought of: whenever an edit changes what the step's function returns, its key changes."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from build.random_project import Writer, mutate
from build.small_project import REFUSED, key_of, result_of, write

SEEDS = range(int(os.environ.get("LOCKGATE_FIRST_SEED", "0")), int(os.environ.get("LOCKGATE_FIRST_SEED", "0")) + 30)
EDITS = 12


@pytest.mark.parametrize("seed", SEEDS)
def test_another_result_has_another_key(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    files = Writer(chance).project()
    root = write(tmp_path / "was", files)
    key, result = key_of(root, "p.entry:f"), result_of(root, "p.entry:f")
    for number in range(EDITS):
        said, edited = mutate(files, chance)
        there = write(tmp_path / str(number), edited)
        now = result_of(there, "p.entry:f")
        if now != result and not now.startswith(REFUSED):
            assert key_of(there, "p.entry:f") != key, f"seed {seed}: {said}: another result under the same key"


def test_the_edits_do_change_results(tmp_path: Path) -> None:
    """The property would hold for free if they did not."""
    changed = total = narrow = 0
    for seed in range(12):
        chance = random.Random(seed)
        files = Writer(chance).project()
        root = write(tmp_path / f"{seed}", files)
        key, result = key_of(root, "p.entry:f"), result_of(root, "p.entry:f")
        assert "Error" not in result, f"seed {seed}: {result}"
        for number in range(8):
            _, edited = mutate(files, chance)
            there = write(tmp_path / f"{seed}-{number}", edited)
            total += 1
            changed += result_of(there, "p.entry:f") != result
            narrow += key_of(there, "p.entry:f") == key
    assert changed > total / 5
    assert narrow > total / 10, "a key that always changes would be right, and useless"
