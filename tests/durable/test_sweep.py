"""What killed processes leave behind goes, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.durable import sweep


def test_only_old_leftovers_go(tmp_path: Path) -> None:
    for name in ("1-old", "2-young", "kept"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "output").write_text("half")
    (tmp_path / "3-old").write_text("half")
    for name in ("1-old", "3-old", "kept"):
        os.utime(tmp_path / name, (1_000, 1_000))
    os.utime(tmp_path / "2-young", (3_000, 3_000))
    sweep(tmp_path, "[0-9]*", before_s=2_000)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2-young", "kept"]
    sweep(tmp_path / "not here", "*", before_s=2_000)
