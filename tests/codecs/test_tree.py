"""A folder as one value: what comes back is what was put in; identity goes by names and bytes alone."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.codecs import tree
from lockgate.errors import IntegrityError, StepFailed

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda n: n not in (".", "..") and len(n.encode()) < 100
)
TREES = st.recursive(
    st.binary(max_size=40), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
).filter(lambda t: isinstance(t, dict))


def write(content: dict[str, object], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, inner in content.items():
        if isinstance(inner, dict):
            write(inner, folder / name)
        else:
            (folder / name).write_bytes(inner)


def read(folder: Path) -> dict[str, object]:
    return {p.name: read(p) if p.is_dir() else p.read_bytes() for p in folder.iterdir()}


@given(TREES, TREES)
def test_what_comes_back_is_what_was_put_in(content: dict[str, object], other: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        write(content, top / "a")
        write(other, top / "b")
        tree.save(top / "a", top / "packed")
        (top / "c").mkdir()
        tree.unpack(top / "packed", top / "c")
        assert read(top / "c") == content
        assert tree.identity(top / "c") == tree.identity(top / "a")
        assert (tree.identity(top / "b") == tree.identity(top / "a")) == (content == other)
        os.utime(top / "a", (0, 0))
        tree.save(top / "c", top / "again")
        assert (top / "again").read_bytes() == (top / "packed").read_bytes()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StepFailed, match="what is not a file: pipe"):
        tree.identity(tmp_path)
    with pytest.raises(StepFailed, match="not a folder"):
        tree.identity(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_a_stored_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "forged", "w") as packed:
        packed.addfile(tarfile.TarInfo(name))
    with pytest.raises(IntegrityError):
        tree.unpack(tmp_path / "forged", tmp_path / "out")


def test_a_link_to_a_file_counts_as_the_file(tmp_path: Path) -> None:
    write({"a": b"1"}, tmp_path / "x")
    write({"a": b"1", "b": b"1"}, tmp_path / "y")
    (tmp_path / "x" / "b").symlink_to("a")
    assert tree.identity(tmp_path / "x") == tree.identity(tmp_path / "y")
