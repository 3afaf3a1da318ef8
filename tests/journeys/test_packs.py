"""A folder of many small files, through the commands: two objects, named and healed when damaged, collected, rebuilt."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from journeys.walking import REFUSED, Lockgate, flip, objects

TOML = '[project]\nname = "many"\npipelines = ["flow"]\n[sources.notes]\nkind = "file"\npath = "notes"\n'
FLOW = """\
from pathlib import Path

from lockgate import Pipeline, step


@step
def total(notes: Path) -> int:
    return sum(len(p.read_text()) for p in notes.iterdir())


counting = Pipeline("counting", kind="data", steps=[total], publishes=["total"])
"""
FILES = 100


@pytest.fixture
def lockgate(tmp_path: Path) -> Lockgate:
    (tmp_path / "lockgate.toml").write_text(TOML)
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "notes").mkdir()
    for n in range(FILES):
        (tmp_path / "notes" / f"{n:03d}.txt").write_text(f"note {n}")
    lockgate = Lockgate(tmp_path)
    lockgate("run")
    return lockgate


def pack_and_index(root: Path) -> tuple[Path, Path]:
    whole = "".join(f"note {n}" for n in range(FILES)).encode()
    data = next(p for p in objects(root).values() if p.read_bytes() == whole)
    return data, next(p for p in objects(root).values() if p.read_bytes().startswith(b'[["blake3:'))


def test_many_small_files_are_two_objects(lockgate: Lockgate) -> None:
    assert len(objects(lockgate.root)) < FILES / 10
    assert "reused" in lockgate("run").text


def test_a_view_that_nobody_asked_for_goes_and_comes_again(lockgate: Lockgate) -> None:
    views = lockgate.root / ".lockgate" / "tmp" / "sources"
    (version,) = views.iterdir()
    week_ago = time.time() - 8 * 24 * 3600
    os.utime(version, (week_ago, week_ago))
    (lockgate.root / "notes" / "000.txt").write_text("longer than it was")
    lockgate("run")
    assert not version.exists()
    assert len(list(views.iterdir())) == 1
    (lockgate.root / "notes" / "000.txt").write_text("note 0")
    (lockgate.root / "flow.py").write_text(FLOW.replace("len(p.read_text())", "2 * len(p.read_text())"))
    assert "1 run" in lockgate("run").text
    assert version.exists()


@pytest.mark.parametrize(("part", "words"), [(0, "packed files of source notes"), (1, "the index of packed files")])
def test_a_flipped_byte_is_named_and_healed_from_the_files(lockgate: Lockgate, part: int, words: str) -> None:
    path = pack_and_index(lockgate.root)[part]
    whole = path.read_bytes()
    flip(path)
    assert words in lockgate("store", "check", expect=REFUSED).text
    healed = lockgate("store", "check", "--heal").text
    assert "made again from the source's files" in healed
    assert path.read_bytes() == whole
    lockgate("store", "check")


def test_without_the_files_the_damage_stays_and_says_what_is_needed(lockgate: Lockgate) -> None:
    flip(pack_and_index(lockgate.root)[0])
    for path in (lockgate.root / "notes").iterdir():
        path.unlink()
    said = lockgate("store", "check", "--heal", expect=REFUSED).text
    assert "bring the source's files" in said


def test_what_the_newest_version_needs_is_no_garbage(lockgate: Lockgate) -> None:
    (lockgate.root / "notes" / "000.txt").write_text("other")
    lockgate("run")
    then = time.time() - 40 * 24 * 3600
    for path in (p for p in (lockgate.root / ".lockgate").rglob("*") if p.is_file()):
        os.utime(path, (then, then))
    before = set(objects(lockgate.root))
    lockgate("store", "gc", "--yes")
    kept = set(objects(lockgate.root))
    assert kept < before  # the total of the version before went
    pack_and_index(lockgate.root)
    for path in (lockgate.root / "notes").iterdir():
        path.rename(path.with_suffix(".md"))  # another version of the same bytes
    lockgate("run")
    (new,) = set(objects(lockgate.root)) - kept  # no other pack
    assert objects(lockgate.root)[new].read_bytes().startswith(b'["source",[')
    lockgate("store", "check")
