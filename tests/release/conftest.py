"""Two toy releases, made once: tests that damage one work on a copy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import toyshop_release

if TYPE_CHECKING:
    from lockgate.records.release import Manifest


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A toy release: its folder and manifest."""
    return toyshop_release.make(tmp_path_factory.mktemp("toy"))
