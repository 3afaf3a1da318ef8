"""How far two values lie apart, held against changes that are known."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.codecs.differences import difference, json_difference
from lockgate.records.difference import Difference

TABLE = pl.DataFrame({"x": [1.0, 2.0, None, 4.0], "y": ["a", "b", "c", None]})
NUMBERS = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=8)


def apart(folder: Path, one: pl.DataFrame, other: pl.DataFrame) -> Difference:
    one.write_ipc(folder / "one")
    other.write_ipc(folder / "other")
    return difference("polars.ipc", folder / "one", folder / "other")


@given(NUMBERS, st.data())
def test_as_many_rows_as_were_changed_by_as_much(numbers: list[float], data: st.DataObject) -> None:
    changed = data.draw(st.sets(st.sampled_from(range(len(numbers))), min_size=1))
    by = data.draw(st.floats(1, 1e3))
    other = [n + by * (i + 1) if i in changed else n for i, n in enumerate(numbers)]
    found = json_difference(numbers, other)
    assert len(found.places) == len(changed)
    assert found.largest == max(abs(a - b) for a, b in zip(numbers, other, strict=True))


def test_a_number_in_a_table(tmp_path: Path) -> None:
    found = apart(tmp_path, TABLE, TABLE.with_columns(x=pl.Series([1.0, 2.5, None, 4.0])))
    assert (found.rows, found.places, found.largest, found.relative) == (1, ("x",), 0.5, 0.2)
    assert found.words == "1 of 4 rows differs (x), numbers by at most 0.5 (20%)"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (TABLE.reverse(), "the same rows in another order"),
        (TABLE.head(3), "4 rows were recorded, 3 rebuilt; 1 only recorded, 0 only rebuilt"),
        (TABLE.select("y", "x"), "the same columns in another order"),
        (TABLE.with_columns(pl.lit(1).alias("z")), "other columns: z: no column → Int32"),
        (TABLE, "the values are equal, the bytes are not"),
    ],
)
def test_what_is_not_a_number(tmp_path: Path, other: pl.DataFrame, words: str) -> None:
    assert apart(tmp_path, TABLE, other).words == words


def test_bytes_and_partitions(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"abc")
    (tmp_path / "other").write_bytes(b"abdd")
    words = "3 bytes recorded, 4 rebuilt; they differ from byte 2 on"
    assert difference("lightgbm.txt", tmp_path / "one", tmp_path / "other").words == words
    (tmp_path / "one").write_text('{"parts": [{"key": "2011-10", "digest": "a"}, {"key": "2011-11", "digest": "b"}]}')
    (tmp_path / "other").write_text('{"parts": [{"key": "2011-10", "digest": "a"}, {"key": "2011-11", "digest": "c"}]}')
    found = difference("dataset", tmp_path / "one", tmp_path / "other")
    assert found.words == "1 of 2 partitions differs (2011-11)"
