"""Digests remembered: what looks the same is not read again, whatever changed is, and a bad memory only costs time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lockgate.adapters.files import FileSource
from lockgate.delivery.sources import memory
from lockgate.delivery.sources.memory import read_digests
from lockgate.records.digest import digest_file

SETTLED_NS = 10**19
"""A time at which every file was left alone for long."""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read."""
    places: list[str] = []

    def digest(place: str) -> str:
        places.append(Path(place).name)
        return digest_file(place)

    monkeypatch.setattr(memory, "digest_file", digest)
    return places


def write(root: Path, files: dict[str, str]) -> None:
    (root / "data").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "data" / name).write_text(text)


def digests(root: Path, *, now_ns: int = SETTLED_NS) -> dict[str, str | None]:
    listing = FileSource(root, "data").files()
    return dict(zip(listing.names, read_digests(listing, root / "memory.json", now_ns=now_ns), strict=True))


def fresh(root: Path) -> dict[str, str]:
    return {p.name: digest_file(p) for p in (root / "data").iterdir()}


def test_only_what_changed_is_read(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, {"a": "1", "b": "2", "c": "3"})
    assert digests(tmp_path) == fresh(tmp_path)
    read.clear()
    assert digests(tmp_path) == fresh(tmp_path)
    assert read == []
    write(tmp_path, {"b": "20", "d": "4"})
    (tmp_path / "data" / "a").unlink()
    assert digests(tmp_path) == fresh(tmp_path)
    assert read == ["b", "d"]


def test_a_change_that_keeps_size_and_mtime_is_seen(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1", "b": "2"})
    digests(tmp_path)
    file = tmp_path / "data" / "a"
    was = file.stat()
    file.write_text("9")
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert digests(tmp_path) == fresh(tmp_path)


def test_files_that_changed_places_are_read(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1", "b": "2"})
    digests(tmp_path)
    (tmp_path / "data" / "a").rename(tmp_path / "c")
    (tmp_path / "data" / "b").rename(tmp_path / "data" / "a")
    (tmp_path / "c").rename(tmp_path / "data" / "b")
    assert digests(tmp_path) == fresh(tmp_path)


def test_what_was_written_just_now_is_read_again(tmp_path: Path, read: list[str]) -> None:
    """Its next change may not show."""
    write(tmp_path, {"a": "1"})
    changed_ns = (tmp_path / "data" / "a").stat().st_ctime_ns
    for age_ns, again in ((1_000_000_000, ["a"]), (3_000_000_000, [])):
        digests(tmp_path, now_ns=changed_ns + age_ns)
        read.clear()
        digests(tmp_path, now_ns=changed_ns + age_ns)
        assert read == again


def test_a_file_that_is_gone_has_no_digest(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1", "b": "2"})
    listing = FileSource(tmp_path, "data").files()
    (tmp_path / "data" / "a").unlink()
    gone, there = read_digests(listing, tmp_path / "memory.json", now_ns=SETTLED_NS)
    assert (gone, there) == (None, digest_file(tmp_path / "data" / "b"))
    assert digests(tmp_path) == fresh(tmp_path)


@pytest.mark.parametrize(
    "spoiled",
    [
        "[]", "{}", "null", "{", {"names": ["a"]}, {"names": "abc"}, {"states": "!"}, {"states": ""}, {"digests": []},
        {"digests": [1, 2]}, {"names": [1, 2]}, {"names": None}, {"digests": {"a": 1, "b": 2}, "states": 7},
    ],
)  # fmt: skip
def test_a_bad_memory_costs_time_and_nothing_else(tmp_path: Path, spoiled: Any) -> None:
    write(tmp_path, {"a": "1", "b": "2"})
    digests(tmp_path)
    kept = json.loads((tmp_path / "memory.json").read_text())
    (tmp_path / "memory.json").write_text(spoiled if isinstance(spoiled, str) else json.dumps(kept | spoiled))
    assert digests(tmp_path) == fresh(tmp_path)
    assert json.loads((tmp_path / "memory.json").read_text()) == kept


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), min_size=1), min_size=2, max_size=5))
def test_after_any_history_it_is_what_reading_gives(tmp_path: Path, history: list[dict[str, str]]) -> None:
    for files in history:
        write(tmp_path, files)
        for gone in set("abcd") - set(files):
            (tmp_path / "data" / gone).unlink(missing_ok=True)
        assert digests(tmp_path, now_ns=max(p.stat().st_ctime_ns for p in (tmp_path / "data").iterdir())) == fresh(
            tmp_path
        )
