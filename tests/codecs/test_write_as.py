"""A stored value leaves in the form that its name promises, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate import codecs
from lockgate.errors import UsageError


def test_a_file_of_its_owner_keeps_its_bytes_under_any_name(tmp_path: Path) -> None:
    stored = tmp_path / "object"
    stored.write_bytes(b"day,units\n")
    codecs.write_as("file", stored, tmp_path / "raw.csv")
    assert (tmp_path / "raw.csv").read_bytes() == b"day,units\n"


def test_bytes_do_not_leave_under_the_name_of_another_form(tmp_path: Path) -> None:
    stored = tmp_path / "object"
    stored.write_bytes(b"{}")
    codecs.write_as("json", stored, tmp_path / "value")
    with pytest.raises(UsageError, match=r"table\.csv"):
        codecs.write_as("json", stored, tmp_path / "table.csv")
    assert not (tmp_path / "table.csv").exists()
