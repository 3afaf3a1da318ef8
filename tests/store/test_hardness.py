"""A full disk, a store that cannot be written, empty and very large files, odd names, links in trees."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lockgate.adapters.files import FileSource
from lockgate.adapters.local import LocalStore
from lockgate.errors import UsageError
from lockgate.records.digest import digest_bytes

from build.working_copy import CHAIN, HEAD, WorkingCopy

GIB = 1 << 30


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Four megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("mounting a small disk takes root with CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


BIG = (
    HEAD
    + """
@step
def small() -> str:
    return "s"

@step
def big(small: str) -> bytes:
    return bytes(8_000_000)

@step
def after(big: bytes) -> int:
    return len(big)

flow = Pipeline("flow", kind="data", steps=[small, big, after])
"""
)


def test_a_full_disk_stops_with_exit_5_and_keeps_what_was_done(small_disk: Path) -> None:
    copy = WorkingCopy(small_disk / "flow", BIG)
    done = copy.command("run")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert copy.command("store", "check").returncode == 0
    copy.edit("flow/steps.py", "8_000_000", "80_000")
    done = copy.command("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 run, 1 reused" in done.stdout
    assert copy.command("store", "check").returncode == 0


def test_a_store_that_cannot_be_written_can_be_read(small_disk: Path) -> None:
    """The whole project on a disk that is mounted read-only."""
    copy = WorkingCopy(small_disk / "flow", CHAIN)
    assert copy.command("run").returncode == 0
    _remount(small_disk, "ro")
    for reading in ("plan", "run", "show last", "runs", "why last", "store", "store check", "store gc"):
        done = copy.command(*reading.split())
        assert done.returncode == 0, (reading, done.stdout + done.stderr)
    _remount(small_disk, "rw")
    copy.edit("flow/steps.py", "FACTOR = 2", "FACTOR = 3")
    assert copy.command("plan").returncode == 0
    _remount(small_disk, "ro")
    for writing in ("run", "store gc --keep 0 --yes"):
        done = copy.command(*writing.split())
        assert done.returncode == 5, (writing, done.stdout + done.stderr)
        assert "Read-only file system" in done.stderr
        assert "Traceback" not in done.stderr
    _remount(small_disk, "rw")
    assert copy.command("run").returncode == 0


def _remount(folder: Path, how: str) -> None:
    """The kernel lets go of an ended step's Landlock rules, and of the removed folders they name, a moment after its end."""
    ends_s = time.monotonic() + 10
    while (done := subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=False)).returncode:
        assert time.monotonic() < ends_s, done
        time.sleep(0.1)


def test_empty_artifacts_and_sources(tmp_path: Path) -> None:
    steps = (
        HEAD
        + """
from pathlib import Path

@step
def nothing() -> bytes:
    return b""

@step
def size(nothing: bytes, empty: Path) -> int:
    return len(nothing) + empty.stat().st_size

flow = Pipeline("flow", kind="data", steps=[nothing, size])
"""
    )
    copy = WorkingCopy(tmp_path / "flow", steps, toml='[sources.empty]\nkind = "file"\npath = "empty"\n')
    (copy.root / "empty").write_bytes(b"")
    assert copy.did() == {"nothing": "run", "size": "run"}
    assert copy.value("size") == 0
    assert copy.command("store", "check").returncode == 0
    assert copy.did() == {"nothing": "reuse", "size": "reuse"}


def test_three_gigabytes_go_in_and_out_without_being_read_into_memory(tmp_path: Path) -> None:
    """A sparse file: large to every reader, small on disk. The process may use one gigabyte beyond the mapped file."""
    code = """
        import resource, sys
        from pathlib import Path
        from lockgate.adapters.local import LocalStore
        folder = Path(sys.argv[1])
        path = folder / "large"
        with path.open("wb") as file:
            file.truncate(3 << 30)
            file.seek((3 << 30) - 1)
            file.write(b"x")
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
        store = LocalStore(folder / "store")
        found = store.put(path)
        assert store.get(found).stat().st_size == 3 << 30
        assert [h.size_bytes for h in store.held()] == [3 << 30]
        print(found)
    """
    import shutil
    import textwrap

    if shutil.disk_usage(tmp_path).free < 4 * GIB:
        pytest.skip("less than 4 GiB of disk are free")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("blake3:")
    shutil.rmtree(tmp_path / "store")


NAMES = (
    "-rf",
    "--help",
    "a\nb",
    "tab\there",
    " leading",
    "trailing ",
    "ünï ☃",
    "quote'\"",
    "back\\slash",
    "*?[x]",
    "a:b",
    "x" * 200,
)

COUNTING = (
    HEAD
    + """
from pathlib import Path

@step
def names(tree: Path) -> dict[str, int]:
    return {p.relative_to(tree).as_posix(): p.stat().st_size for p in sorted(tree.rglob("*")) if p.is_file()}

flow = Pipeline("flow", kind="data", steps=[names])
"""
)


def test_odd_names_in_a_tree_survive(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path / "flow", COUNTING, toml='[sources.tree]\nkind = "file"\npath = "tree"\n')
    for number, name in enumerate(NAMES):
        for folder in ("", f"deep {name}/"):
            path = copy.root / "tree" / f"{folder}{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * number)
    done = copy.command("run")
    assert done.returncode == 0, done.stdout + done.stderr
    expected = {n: i for i, n in enumerate(NAMES)} | {f"deep {n}/{n}": i for i, n in enumerate(NAMES)}
    assert copy.value("names") == expected
    done = copy.command("store", "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_links_inside_a_tree_are_read_and_links_out_of_it_are_refused(tmp_path: Path) -> None:
    tree = tmp_path / "project" / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "one").write_text("one")
    (tree / "two").symlink_to("one")
    (tree / "folder" / "three").symlink_to("../one")
    (tmp_path / "project" / "elsewhere").write_text("secret")
    files = FileSource(tmp_path / "project", "tree").files().places()
    assert sorted(files) == ["folder/three", "one", "two"]
    assert {Path(p).read_text() for p in files.values()} == {"one"}
    for target in ("../elsewhere", str(tmp_path / "project" / "elsewhere"), "missing"):
        link = tree / "out"
        link.symlink_to(target)
        for source in ("tree", "tree/*", "tree/o*"):
            with pytest.raises(UsageError, match="link") as error:
                FileSource(tmp_path / "project", source).files()
            assert "out" in error.value.value
            assert error.value.next
        link.unlink()
    (tree / "out").symlink_to("..")  # a folder outside, and a circle
    with pytest.raises(UsageError, match="link"):
        FileSource(tmp_path / "project", "tree").files()


def test_a_source_that_is_itself_a_link_is_what_the_settings_name(tmp_path: Path) -> None:
    """`path` is declared: pointing it elsewhere by a link is the owner's choice, and its target's bytes count."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text("a\n1\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "sales.csv").symlink_to("../data/sales.csv")
    (project / "all").symlink_to("../data")
    assert FileSource(project, "sales.csv").files().names == ("sales.csv",)
    assert FileSource(project, "all").files().names == ("sales.csv",)


def test_a_source_that_cannot_be_a_link_back_into_the_store(tmp_path: Path) -> None:
    """Putting takes a file over, never a link: what a step links to stays where it is."""
    target = tmp_path / "target"
    target.write_bytes(b"one")
    copy = WorkingCopy(
        tmp_path / "flow",
        HEAD
        + f"""
from pathlib import Path

@step(sandbox=False)
def made() -> Path:
    return Path({str(tmp_path / "link")!r})

flow = Pipeline("flow", kind="data", steps=[made])
""",
    )
    (tmp_path / "link").symlink_to("target")
    record = copy.run()
    assert record.error is None
    stored = LocalStore(copy.root / ".lockgate").get(record.artifacts["flow.made"].object)
    assert not stored.is_symlink()
    assert stored.read_bytes() == b"one"
    assert record.artifacts["flow.made"].object == digest_bytes(b"one")
    assert target.exists()
