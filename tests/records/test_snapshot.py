"""A snapshot holds its files to the byte, and nothing that is hidden or would leave its folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.errors import IntegrityError
from lockgate.records.snapshot import Snapshot, read_snapshot, snapshot_of

NAMES = st.sampled_from(["a", "b.py", ".env", "c..d"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(PATHS, st.binary(max_size=20) | st.text(max_size=20).map(str.encode)))
def test_what_goes_in_comes_out(files: dict[str, bytes]) -> None:
    found = read_snapshot(snapshot_of(files, modules=("a.b",), sources={"sales": "file"}).encoded())
    hidden = {p for p in files if any(part.startswith(".") for part in p.split("/"))}
    assert found.files == {p: d for p, d in files.items() if p not in hidden}
    assert set(found.left_out) == hidden
    assert (found.modules, found.sources) == (("a.b",), {"sales": "file"})


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../../b", "a\\b", "", ".lockgate/graph.json", "a/.git/config", "./a"]
)
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(IntegrityError):
        read_snapshot(Snapshot(modules=(), sources={}, texts={path: "x"}).encoded())


def test_rubbish_is_refused() -> None:
    with pytest.raises(IntegrityError):
        read_snapshot(b"{")
