"""What was installed is held against the lock before anything of it runs."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from journeys.remaking import toy_package
from lockgate.delivery.reproduction.interpreter import check_files
from lockgate.errors import IntegrityError
from lockgate.release.training_lock import Locked, files_digest_of


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return toy_package(tmp_path, "toyrate", "1.0", "RATE = 1.0\n")


@pytest.fixture
def locked(site: Path) -> Locked:
    (found,) = metadata.distributions(path=[str(site)])
    return Locked(name="toyrate", version="1.0", files=files_digest_of(found))


def test_the_locked_files_pass(site: Path, locked: Locked) -> None:
    check_files(site, [locked])


def test_another_wheel_of_that_version_is_refused(site: Path, locked: Locked) -> None:
    for other in (replace(locked, files="0" * 16), replace(locked, version="2.0"), replace(locked, name="gone")):
        with pytest.raises(IntegrityError, match="not what the release was made with"):
            check_files(site, [other])


def test_a_file_that_its_list_does_not_hold_is_refused(site: Path, locked: Locked) -> None:
    record = site / "toyrate-1.0.dist-info" / "RECORD"
    listed = record.read_text()
    record.write_text(listed + "run_me.pth,,\n")
    (site / "run_me.pth").write_text("import os\n")
    with pytest.raises(IntegrityError, match="run_me.pth"):
        check_files(site, [locked])
    record.write_text(listed)
    (site / "toyrate.py").write_text("RATE = 9.0\n")
    with pytest.raises(IntegrityError, match="toyrate.py"):
        check_files(site, [locked])
