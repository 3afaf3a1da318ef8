"""A lock is waited for, but not for ever, and a team may share it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lockgate.durable import locked
from lockgate.errors import ServiceUnavailable


def test_a_lock_that_is_held_for_ever_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with locked(path), pytest.raises(ServiceUnavailable, match="holds a lock") as caught, locked(path, wait_s=0.1):
        pass
    assert caught.value.value == f"{path}, for more than 0.1 s"
    with locked(path):
        pass


def test_a_lock_file_belongs_to_the_group_too(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    before = os.umask(0o077)
    try:
        with locked(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
    finally:
        os.umask(before)
