"""Versions of data through the commands: kept, listed, compared, put back, collected when nobody wants them."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from journeys.walking import REFUSED, USAGE, WIDTH, Lockgate, flip, objects

TOML = """\
[project]
name = "pond"
pipelines = ["flow"]
[sources.notes]
kind = "file"
path = "notes"
[sources.table]
kind = "file"
path = "in/table.csv"
[sources.parts]
kind = "file"
path = "parts/*.csv"
"""
FLOW = """\
from pathlib import Path

from lockgate import Pipeline, step


@step
def total(table: Path) -> int:
    return len(table.read_bytes())


counting = Pipeline("counting", kind="data", steps=[total], publishes=["total"])
"""
TABLE = random.Random(1).randbytes(3 << 20)


@pytest.fixture
def lockgate(tmp_path: Path) -> Lockgate:
    (tmp_path / "lockgate.toml").write_text(TOML)
    (tmp_path / "flow.py").write_text(FLOW)
    for name, data in {
        "notes/a.txt": b"a",
        "notes/deep/b.txt": b"b",
        "in/table.csv": TABLE,
        "parts/1.csv": b"1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return Lockgate(tmp_path)


def add(lockgate: Lockgate, source: str) -> str:
    return lockgate.json("data", "add", source)["version"]


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_each_source_says_whether_it_is_kept(lockgate: Lockgate) -> None:
    assert {s["source"]: s["state"] for s in lockgate.json("data")} == dict.fromkeys(("notes", "table", "parts"), "new")
    add(lockgate, "notes")
    (lockgate.root / "notes" / "a.txt").write_text("other")
    (lockgate.root / "notes" / "new.txt").write_text("new")
    shutil.rmtree(lockgate.root / "parts")
    said = {s["source"]: s for s in lockgate.json("data", "list")}
    assert {n: s["state"] for n, s in said.items()} == {"notes": "changed", "table": "new", "parts": "absent"}
    assert said["notes"]["since"] == {"added": ["new.txt"], "changed": ["a.txt"], "removed": []}
    text = lockgate("data").out
    assert "1 added, 1 changed" in text
    assert "next: lockgate data add notes" in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_files_come_back_as_they_were(lockgate: Lockgate) -> None:
    notes = lockgate.root / "notes"
    before, first = files(notes), add(lockgate, "notes")
    (notes / "a.txt").write_text("other")
    shutil.rmtree(notes / "deep")
    (notes / "new").mkdir()
    (notes / "new" / "c.txt").write_text("c")
    after, second = files(notes), add(lockgate, "notes")
    said = lockgate("data", "checkout", "notes", first[7:15]).out
    assert "1 added, 1 changed, 1 removed" in said
    assert files(notes) == before
    assert not (notes / "new").exists()
    lockgate("data", "checkout", "notes", "latest")
    assert files(notes) == after
    assert "nothing to do" in lockgate("data", "checkout", "notes", second).out
    assert lockgate.json("data", "diff", "notes", first[7:19], second[7:19]) == {
        "added": ["new/c.txt"], "changed": ["a.txt"], "removed": ["deep/b.txt"],
    }  # fmt: skip
    assert "no difference" in lockgate("data", "diff", "notes").out


def test_a_large_file_costs_what_is_new(lockgate: Lockgate) -> None:
    first = add(lockgate, "table")
    before = sum(p.stat().st_size for p in objects(lockgate.root).values())
    (lockgate.root / "in" / "table.csv").write_bytes(TABLE + b"one row more\n")
    add(lockgate, "table")
    assert sum(p.stat().st_size for p in objects(lockgate.root).values()) - before < 1000
    shutil.rmtree(lockgate.root / "in")
    lockgate("data", "checkout", "table", "latest")
    assert (lockgate.root / "in" / "table.csv").read_bytes() == TABLE + b"one row more\n"
    lockgate("run")
    assert lockgate.json("show", "total")["value"] == len(TABLE) + 13
    lockgate("data", "checkout", "table", first)
    lockgate("run")
    assert lockgate.json("show", "total")["value"] == len(TABLE)


def test_a_glob_that_is_gone_comes_back(lockgate: Lockgate) -> None:
    (lockgate.root / "parts" / "notes.txt").write_text("no part")
    first = add(lockgate, "parts")
    (lockgate.root / "parts" / "1.csv").unlink()
    lockgate("data", "checkout", "parts", first)
    assert files(lockgate.root / "parts") == {"1.csv": b"1", "notes.txt": b"no part"}


def test_nothing_is_lost_unasked(lockgate: Lockgate) -> None:
    notes, first = lockgate.root / "notes", add(lockgate, "notes")
    (notes / "a.txt").write_text("an hour of work")
    refused = lockgate("data", "checkout", "notes", first, expect=USAGE).text
    assert "notes: a.txt" in refused
    assert "lockgate data add notes" in refused
    assert (notes / "a.txt").read_text() == "an hour of work"
    lockgate("data", "checkout", "notes", first, "--discard")
    assert (notes / "a.txt").read_text() == "a"


def test_the_history_names_who_keeps_a_version(lockgate: Lockgate) -> None:
    lockgate("data", "add", "table", "--note", "as delivered on Monday")
    (lockgate.root / "in" / "table.csv").write_bytes(TABLE + b"x")
    lockgate("run")
    seen, added = lockgate.json("data", "log", "table")
    assert (seen["by"], added["by"], added["note"]) == ("run", "person", "as delivered on Monday")
    lockgate("run")
    lockgate("data", "add", "table")
    assert [line["by"] for line in lockgate.json("data", "log", "table")] == ["person", "run", "person"]
    assert "as delivered on Monday" in lockgate("data", "log", "table").out


def test_what_was_added_is_collected_only_when_it_is_forgotten(lockgate: Lockgate) -> None:
    lockgate("init", "--person", "ada")
    first = add(lockgate, "notes")
    (lockgate.root / "notes" / "a.txt").write_text("other")
    add(lockgate, "notes")
    age(lockgate)
    lockgate("store", "gc", "--keep", "0", "--yes")
    lockgate("data", "checkout", "notes", first)
    lockgate("data", "forget", "notes", first)
    (lockgate.root / "notes" / "a.txt").write_text("other")
    age(lockgate)
    lockgate("store", "gc", "--keep", "0", "--yes")
    assert "no such version" in lockgate("data", "checkout", "notes", first, expect=USAGE).text
    lockgate("store", "check")
    assert [line["here"] for line in lockgate.json("data", "log", "notes")] == [True]


def age(lockgate: Lockgate) -> None:
    """Let everything in the store be two hours old."""
    then = time.time() - 7200
    for path in (lockgate.root / ".lockgate").rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


@pytest.mark.parametrize("what", ["the list of files", "bytes of large files"])
def test_what_is_damaged_is_named_and_made_again(lockgate: Lockgate, what: str) -> None:
    lockgate("init", "--person", "ada")
    add(lockgate, "table")
    (lockgate.root / "in" / "table.csv").write_bytes(TABLE + b"one row more\n")
    version = add(lockgate, "table")
    news = next(p for p in objects(lockgate.root).values() if p.read_bytes() == b"one row more\n")
    path = news if what.startswith("bytes") else objects(lockgate.root)[version]
    flip(path)
    assert what in lockgate("store", "check", expect=REFUSED).out
    if what.startswith("the list"):
        assert "may name what looks like garbage" in lockgate("store", "gc", expect=REFUSED).text
    assert "made again from the source's files" in lockgate("store", "check", "--heal").out
    lockgate("store", "check")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "nodes"), "notes? (known:"),
        (("log", "x"), "no such source"),
        (("diff", "notes"), "lockgate data add notes"),
        (("checkout", "notes", "ff"), "no such version of notes"),
        (("forget", "notes", "latest"), "no such version of notes"),
        (("add",), "required: source"),
        (("push",), "invalid choice"),
    ],
)
def test_a_mistake_is_answered_in_words(lockgate: Lockgate, arguments: tuple[str, ...], words: str) -> None:
    assert words in lockgate("data", *arguments, expect=USAGE).text


def test_a_folder_that_became_a_link_is_not_written_through(lockgate: Lockgate, tmp_path: Path) -> None:
    first = add(lockgate, "notes")
    shutil.rmtree(lockgate.root / "notes" / "deep")
    outside = tmp_path / "outside"
    outside.mkdir()
    (lockgate.root / "notes" / "deep").symlink_to(outside)
    assert "leads out of" in lockgate("data", "checkout", "notes", first, expect=None).text
    assert not list(outside.iterdir())


def kept_twice(lockgate: Lockgate, name: str, one: str, two: str) -> tuple[str, str]:
    """Two versions of `notes` that differ in one file."""
    (lockgate.root / "notes" / name).write_text(one)
    first = add(lockgate, "notes")
    (lockgate.root / "notes" / name).write_text(two)
    return first, add(lockgate, "notes")


def test_a_run_that_sees_what_a_person_kept_leaves_it_kept(lockgate: Lockgate) -> None:
    lockgate("init", "--person", "ada")
    first = add(lockgate, "table")
    lockgate("run")
    (lockgate.root / "in" / "table.csv").write_bytes(TABLE + b"x")
    add(lockgate, "table")
    age(lockgate)
    lockgate("store", "gc", "--keep", "0", "--yes")
    lockgate("data", "checkout", "table", first)
    assert (lockgate.root / "in" / "table.csv").read_bytes() == TABLE


def test_who_forgets_a_version_forgets_it_for_one_source(lockgate: Lockgate) -> None:
    lockgate("init", "--person", "ada")
    for file in ("in/table.csv", "parts/1.csv"):
        (lockgate.root / file).unlink()
    for source, file in (("table", "in/table.csv"), ("parts", "parts/table.csv")):
        (lockgate.root / file).write_text("equal")
        first = add(lockgate, source)
        (lockgate.root / file).write_text("other")
        add(lockgate, source)
    lockgate("data", "forget", "table", first)
    age(lockgate)
    lockgate("store", "gc", "--keep", "0", "--yes")
    lockgate("data", "checkout", "parts", first)
    assert files(lockgate.root / "parts") == {"table.csv": b"equal"}


def test_a_file_and_a_folder_take_each_others_place(lockgate: Lockgate) -> None:
    notes, before = lockgate.root / "notes", files(lockgate.root / "notes")
    first = add(lockgate, "notes")
    shutil.rmtree(notes / "deep")
    (notes / "deep").write_text("a file")
    (notes / "a.txt").unlink()
    (notes / "a.txt").mkdir()
    (notes / "a.txt" / "x").write_text("in a folder")
    after = files(notes)
    add(lockgate, "notes")
    lockgate("data", "checkout", "notes", first)
    assert files(notes) == before
    lockgate("data", "checkout", "notes", "latest")
    assert files(notes) == after


def test_what_the_path_does_not_name_any_more_is_not_overwritten(lockgate: Lockgate) -> None:
    first = add(lockgate, "notes")
    settings = lockgate.root / "lockgate.toml"
    settings.write_text(settings.read_text().replace('"notes"', '"notes/*.txt"'))
    (lockgate.root / "notes" / "deep" / "b.txt").write_text("an hour of work")
    assert "deep/b.txt" in lockgate("data", "checkout", "notes", first, expect=USAGE).text
    assert (lockgate.root / "notes" / "deep" / "b.txt").read_text() == "an hour of work"


def test_what_the_store_has_lost_is_not_overwritten(lockgate: Lockgate) -> None:
    first, _ = kept_twice(lockgate, "a.txt", "one", "two")
    next(p for p in objects(lockgate.root).values() if p.read_bytes() == b"two").unlink()
    assert "a.txt" in lockgate("data", "checkout", "notes", first, expect=USAGE).text
    add(lockgate, "notes")
    lockgate("data", "checkout", "notes", first)
    lockgate("data", "checkout", "notes", "latest")
    assert (lockgate.root / "notes" / "a.txt").read_text() == "two"


def test_who_may_read_a_file_is_as_before(lockgate: Lockgate) -> None:
    first, _ = kept_twice(lockgate, "a.txt", "one", "two")
    for mode in (0o600, 0o755, 0o444):
        (lockgate.root / "notes" / "a.txt").chmod(mode)
        lockgate("data", "checkout", "notes", first)
        assert (lockgate.root / "notes" / "a.txt").stat().st_mode & 0o777 == mode
        lockgate("data", "checkout", "notes", "latest")
        assert (lockgate.root / "notes" / "a.txt").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("name", ["x" * 255, "-x", "two\nlines", "größe"])
def test_any_name_comes_back(lockgate: Lockgate, name: str) -> None:
    first, _ = kept_twice(lockgate, name, "one", "two")
    lockgate("data", "checkout", "notes", first)
    assert (lockgate.root / "notes" / name).read_text() == "one"
    assert len(lockgate("data", "diff", "notes").out.splitlines()) == 2


def test_a_name_that_is_no_text_is_refused_in_words(lockgate: Lockgate) -> None:
    (lockgate.root / "notes" / os.fsdecode(b"a\xff")).touch()
    assert "is not UTF-8" in lockgate("data", "add", "notes", expect=USAGE).text


def test_a_project_below_a_folder_with_brackets(lockgate: Lockgate) -> None:
    moved = Lockgate(lockgate.root.rename(lockgate.root.with_name("a[1]")))
    before = files(moved.root / "notes")
    first = add(moved, "notes")
    shutil.rmtree(moved.root / "notes")
    moved("data", "checkout", "notes", first)
    assert files(moved.root / "notes") == before


def test_a_version_is_named_by_the_beginning_of_its_digest_only(lockgate: Lockgate) -> None:
    first, _ = kept_twice(lockgate, "a.txt", "one", "two")
    for ref in (first, first[:30], first[7:30]):
        assert lockgate.json("data", "diff", "notes", ref)["changed"] == ["a.txt"]
    for ref in (first[-3:], ""):
        assert "no such version" in lockgate("data", "forget", "notes", ref, expect=USAGE).text


def test_a_link_within_the_source_comes_back_as_its_bytes(lockgate: Lockgate) -> None:
    (lockgate.root / "notes" / "link").symlink_to("a.txt")
    before = files(lockgate.root / "notes")
    first, _ = add(lockgate, "notes"), kept_twice(lockgate, "a.txt", "one", "two")
    lockgate("data", "checkout", "notes", first)
    assert files(lockgate.root / "notes") == before


def test_a_version_whose_list_is_lost_for_good_is_forgotten(lockgate: Lockgate) -> None:
    lockgate("init", "--person", "ada")
    first, _ = kept_twice(lockgate, "a.txt", "one", "two")
    objects(lockgate.root)[first].unlink()
    assert "the version is forgotten" in lockgate("store", "check", "--heal").out
    lockgate("store", "check")
    lockgate("store", "gc")
    lockgate("data", "forget", "notes", first)


def test_no_file_behind_a_linked_folder_is_taken_away(lockgate: Lockgate, tmp_path: Path) -> None:
    settings = lockgate.root / "lockgate.toml"
    settings.write_text(settings.read_text().replace("parts/*.csv", "parts/*/x.csv"))
    (lockgate.root / "parts" / "one").mkdir()
    (lockgate.root / "parts" / "one" / "x.csv").write_text("1")
    first = add(lockgate, "parts")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.csv").write_text("2")
    (lockgate.root / "parts" / "two").symlink_to(tmp_path / "outside")
    add(lockgate, "parts")
    assert "leads out of" in lockgate("data", "checkout", "parts", first, expect=REFUSED).text
    assert (tmp_path / "outside" / "x.csv").exists()
