"""The store in a folder: what it acknowledges is on disk under its name, whole, and so are the folders above it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lockgate import durable
from lockgate.adapters.local import LocalResults, LocalStore


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files and folders that were waited for, in order, by a process that starts now."""
    found: list[Path] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        found.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(durable, "_MADE", set[Path]())
    return found


def finished(folder: Path, data: bytes = b"table") -> Path:
    path = folder / "finished"
    path.write_bytes(data)
    return path


def above(path: Path, top: Path) -> set[Path]:
    return {folder for folder in path.parents if folder.is_relative_to(top)}


def test_every_new_name_is_waited_for_up_to_what_was_there(tmp_path: Path, waited: list[Path]) -> None:
    store = LocalStore(tmp_path / "a" / "b")
    assert above(store.get(store.put(finished(tmp_path))), tmp_path) <= set(waited)
    LocalResults(tmp_path / "c" / "d").put("step:" + "e" * 64, {})
    assert above(tmp_path / "c/d/ee/x", tmp_path) <= set(waited)


def test_a_second_put_waits_for_the_name_that_somebody_else_may_not_have_waited_for(
    tmp_path: Path, waited: list[Path]
) -> None:
    path = LocalStore(tmp_path).get(LocalStore(tmp_path).put(finished(tmp_path)))
    waited.clear()
    durable._MADE.clear()  # pyright: ignore[reportPrivateUsage]
    again = finished(tmp_path)
    LocalStore(tmp_path).put(again)
    assert {path.parent, path.parent.parent} <= set(waited)
    assert not again.exists()


@pytest.mark.parametrize("damage", [b"tablf", b"tab", b"", b"table and more"])
def test_putting_again_heals_a_damaged_object(tmp_path: Path, damage: bytes) -> None:
    store = LocalStore(tmp_path)
    path = store.get(name := store.put(finished(tmp_path)))
    path.chmod(0o644)
    path.write_bytes(damage)
    assert store.put(finished(tmp_path)) == name
    assert store.get(name).read_bytes() == b"table"


def test_a_folder_is_waited_for_once(tmp_path: Path, waited: list[Path]) -> None:
    for _ in range(3):
        durable.make_folder(tmp_path / "x" / "y")
    assert waited.count(tmp_path / "x") == waited.count(tmp_path) == 1
    (tmp_path / "x" / "y").rmdir()
    durable.make_folder(tmp_path / "x" / "y")
    assert (tmp_path / "x" / "y").is_dir()
    assert waited.count(tmp_path / "x") == 2
