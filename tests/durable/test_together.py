"""Many files written together: what appears when, and what is left when it is stopped anywhere."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from lockgate import durable, together
from lockgate.together import sync_filesystem, write_together

COUNTS = {"one by one": 3, "at once": together.MANY}


class Stopped(Exception):
    pass


@pytest.fixture(params=COUNTS)
def groups(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[Path, bytes], dict[Path, bytes]]:
    """Objects, and results that name them; few, so that each is waited for, or enough to wait for the file system."""
    names = range(COUNTS[request.param])
    objects = {tmp_path / "objects" / f"{n % 5:02}" / f"o{n}": b"object %d" % n for n in names}
    results = {tmp_path / "results" / f"{n % 3:02}" / f"r{n}": b"result %d" % n for n in names}
    return objects, results


def write(groups: tuple[dict[Path, bytes], dict[Path, bytes]]) -> None:
    write_together((0o444, named(groups[0])), (0o644, named(groups[1])))


def named(files: dict[Path, bytes]) -> dict[str, bytes]:
    return {str(p): data for p, data in files.items()}


def files(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def stopping(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """Every write and wait is noted; before the `at`-th comes an error."""
    passed: list[str] = []

    def watch(owner: object, name: str) -> None:
        real: Callable[..., object] = getattr(owner, name)

        def watched(*given: object) -> object:
            passed.append(f"{name} {given[1]}" if name == "replace" else name)
            if len(passed) == at:
                raise Stopped
            return real(*given)

        monkeypatch.setattr(owner, name, watched)

    for name in ("write", "fsync", "replace"):
        watch(os, name)
    watch(together, "sync_filesystem")
    return passed


def test_all_are_there_with_their_modes(groups: tuple[dict[Path, bytes], ...], tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(groups)
    finally:
        os.umask(before)
    assert files(tmp_path) == {**groups[0], **groups[1]}
    assert {stat.S_IMODE(p.stat().st_mode) for p in groups[0]} == {0o444}
    assert {stat.S_IMODE(p.stat().st_mode) for p in groups[1]} == {0o600}


def test_nothing_appears_before_all_that_comes_before_is_on_disk(
    groups: tuple[dict[Path, bytes], ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes, then the names of objects, then those of results; a wait after each, for every folder or for all at once."""
    for folder in {p.parent for group in groups for p in group}:
        durable.make_folder(folder)
    passed = stopping(monkeypatch, at=0)
    write(groups)
    kinds = [p.replace(str(tmp_path), "").split("/")[0:2] if p.startswith("replace") else [p] for p in passed]
    order = ["".join(k).split(" ")[-1] if len(k) > 1 else k[0] for k in kinds]
    shown = [n for n, p in enumerate(passed) if p.startswith("replace")]
    half = len(groups[0])
    waits = ("fsync", "sync_filesystem")
    assert all("objects" in passed[n] for n in shown[:half])
    assert all("results" in passed[n] for n in shown[half:])
    assert set(order[: shown[0]]) & set(waits)
    assert any(p in waits for p in passed[shown[half - 1] + 1 : shown[half]])
    assert any(p in waits for p in passed[shown[-1] + 1 :])
    if len(groups[0]) == COUNTS["one by one"]:
        assert passed.count("fsync") == 2 * half + len({p.parent for group in groups for p in group})
    elif sync_filesystem(str(tmp_path)):
        assert passed.count("fsync") == 0


def test_stopped_anywhere_nothing_is_half_there(
    groups: tuple[dict[Path, bytes], ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in {p.parent for group in groups for p in group}:
        durable.make_folder(folder)
    with monkeypatch.context() as patch:
        passed = stopping(patch, at=0)
        write(groups)
    for site in range(1, len(passed) + 1):
        for path in files(tmp_path):
            path.unlink()
        with monkeypatch.context() as patch, pytest.raises(Stopped):
            stopping(patch, at=site)
            write(groups)
        found = files(tmp_path)
        assert found.items() <= {**groups[0], **groups[1]}.items()  # whole, and under no other name
        if found.keys() & groups[1].keys():
            assert groups[0].keys() <= found.keys()


def test_a_file_system_that_is_not_known_is_not_asked(
    groups: tuple[dict[Path, bytes], ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "LASTING", frozenset())
    assert not sync_filesystem(str(tmp_path))
    passed = stopping(monkeypatch, at=0)
    write(groups)
    assert passed.count("fsync") >= 2 * len(groups[0])
    assert files(tmp_path) == {**groups[0], **groups[1]}


def test_files_replace_those_of_the_same_name(groups: tuple[dict[Path, bytes], ...], tmp_path: Path) -> None:
    write(groups)
    write(({}, dict.fromkeys(groups[1], b"other")))
    assert files(tmp_path) == {**groups[0], **dict.fromkeys(groups[1], b"other")}


def test_files_on_two_file_systems_are_waited_for_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wait would be for one of them."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        groups = tuple(
            {Path(top) / f"{kind}{n}": b"x" for n in range(together.MANY)}
            for top, kind in ((tmp_path, "o"), (other, "r"))
        )
        passed = stopping(monkeypatch, at=0)
        write(groups)
        assert "sync_filesystem" not in passed
        assert passed.count("fsync") >= 2 * together.MANY
        assert files(Path(other)) == groups[1]
