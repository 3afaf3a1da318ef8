"""An address in lockgate.toml is a place or a mistake, and never a folder by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import UsageError
from lockgate.stores import folder_at


@pytest.mark.parametrize("url", ["gitlb:", "gitlb://x/y", "git:", "s3:bucket", "file:store", "GITLAB:"])
def test_a_slip_is_no_folder(tmp_path: Path, url: str) -> None:
    """In a pipeline each job would have a store of its own, and all of them be green."""
    with pytest.raises(UsageError, match="a place of unknown kind") as slip:
        folder_at(tmp_path, url)
    assert "gitlab:" in slip.value.allowed


@pytest.mark.parametrize("url", ["store", "../store", "./a:b", "store/a:b", "file://store"])
def test_a_folder_is_a_folder(tmp_path: Path, url: str) -> None:
    assert folder_at(tmp_path, url) == (tmp_path / url.removeprefix("file://")).resolve()
