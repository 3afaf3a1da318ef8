"""JSON values: whatever a step may return comes back equal, and typed as its reader's annotation says."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Optional, Union

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate import Html, Svg, codecs
from lockgate.codecs import json_value
from lockgate.errors import StepFailed, UsageError


class Size(enum.Enum):
    SMALL = "small"
    LARGE = 2


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0


@dataclass(frozen=True)
class Everything:
    name: str
    size: Size
    at: Point
    path: tuple[Point, ...] = ()
    pair: tuple[int, str] = (0, "")
    days: dict[dt.date, list[float]] = field(default_factory=dict)
    ranks: Mapping[int, Point | None] = field(default_factory=dict)
    when: dt.datetime | None = None
    level: Literal["a", 1] = "a"
    made: int = field(default=3, init=False)


finite = st.floats(allow_nan=False, allow_infinity=False)
points = st.builds(Point, finite, finite)
everything = st.builds(
    Everything, st.text(), st.sampled_from(Size), points, st.lists(points, max_size=2).map(tuple), st.tuples(st.integers(), st.text()),
    st.dictionaries(st.dates(), st.lists(finite, max_size=2), max_size=2), st.dictionaries(st.integers(), st.none() | points, max_size=2),
    st.none() | st.datetimes(timezones=st.just(dt.UTC)), st.sampled_from(["a", 1]),
)  # fmt: skip


@given(everything)
def test_a_record_comes_back_equal(value: Everything) -> None:
    assert json_value.decode(Everything, json_value.encode(value)) == value


KINDS = [
    (int, 3), (float, 3.0), (str, "x"), (bool, True), (type(None), None), (dt.date, dt.date(2020, 1, 1)), (list[int], [1]), (list, [1, "a"]),
    (tuple[int, str], (1, "a")), (tuple[int, ...], (1, 2)), (tuple, (1, 2)), (dict[str, float], {"a": 1.0}), (dict[int, float], {1: 2.0}),
    (dict[dt.date, int], {dt.date(2020, 1, 1): 1}), (dict, {"a": 1}), (Mapping[str, int], {"a": 1}), (Sequence[int], [1]), (int | None, None), (Optional[Point], Point(1.0)),
    (Union[int, str], "a"), (Size, Size.LARGE), (list[Size], [Size.SMALL]), (dict[Size, int], None), (Literal["a"], "a"), (Point, Point(1.0, 2.0)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), KINDS, ids=str)
def test_every_annotation_comes_back_as_itself(kind: Any, value: object, tmp_path: Path) -> None:
    if value is None and kind == dict[Size, int]:
        value = {Size.SMALL: 1}
    assert codecs.codec_for(kind) == "json"
    assert codecs.type_name(kind)
    codecs.save("json", value, tmp_path / "x")
    again = codecs.load("json", tmp_path / "x", kind)
    assert again == value
    assert type(again) is type(value)


class Pair(NamedTuple):
    a: int


@pytest.mark.parametrize(
    "kind", [object, set[int], Pair, Any, list[int] | dict[str, int], Point | Size, complex, np.ndarray], ids=str
)
def test_an_annotation_that_could_not_be_read_back_is_refused(kind: Any) -> None:
    with pytest.raises(UsageError, match="no codec for this annotation"):
        codecs.codec_for(kind)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_numbers_that_json_cannot_hold(value: object, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="a number that JSON cannot hold"):
        codecs.save("json", value, tmp_path / "x")


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x", {(1, 2): 3}, {True: 1}, {1.5: 1}, {None: 1}])
def test_values_that_json_cannot_hold_are_named(value: object, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="JSON cannot hold"):
        codecs.save("json", value, tmp_path / "x")


def test_numbers_of_numpy_are_numbers() -> None:
    assert json_value.encode({"a": np.float64(1.5), "b": np.arange(2), np.int64(3): np.True_}) == {
        "a": 1.5,
        "b": [0, 1],
        "3": True,
    }


def test_whole_floats_stay_floats(tmp_path: Path) -> None:
    codecs.save("json", [1.0, 2], tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"[1.0,2]"
    assert codecs.identity("json", 1.0) != codecs.identity("json", 1)


@pytest.mark.parametrize(("name", "text", "kind", "value"), [
    ("x.txt", "a\r\nb", str, "a\r\nb"), ("x.html", "<p>", Html, Html("<p>")), ("x.svg", "<svg/>", Svg, Svg("<svg/>")), ("x.json", "[1, 2]", list[int], [1, 2]),
    ("x.json", '{"x": 1}', Point, Point(1.0)), ("x.csv", "a,b", bytes, b"a,b"),
])  # fmt: skip
def test_files_are_read_as_their_reader_wants(tmp_path: Path, name: str, text: str, kind: Any, value: object) -> None:
    (tmp_path / name).write_bytes(text.encode())
    assert codecs.load("file", tmp_path / name, kind) == value
    assert codecs.load("file", tmp_path / name, Path) == tmp_path / name


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "ndjson"])
def test_frames_are_parsed_by_suffix(tmp_path: Path, suffix: str) -> None:
    import polars as pl

    frame = pl.DataFrame({"n": [1, 2], "s": ["a", "ü"]})
    path = tmp_path / f"x.{suffix}"
    {"csv": frame.write_csv, "parquet": frame.write_parquet, "arrow": frame.write_ipc, "ndjson": frame.write_ndjson}[
        suffix
    ](path)
    assert codecs.load("file", path, pl.DataFrame).equals(frame)
    assert codecs.load("file", path, pl.LazyFrame).collect().equals(frame)


@pytest.mark.parametrize(("name", "kind"), [("x.xls", "frame"), ("x.txt", list[int]), ("folder", str)])
def test_what_cannot_be_parsed_says_what_can(tmp_path: Path, name: str, kind: Any) -> None:
    import polars as pl

    (tmp_path / "folder").mkdir()
    if name != "folder":
        (tmp_path / name).write_text("")
    with pytest.raises(StepFailed, match="a file cannot be read as this type") as error:
        codecs.load("file", tmp_path / name, pl.DataFrame if kind == "frame" else kind)
    assert "pathlib.Path" in str(error.value)


def test_a_step_may_return_a_path_or_bytes(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"one")
    for value in (b"one", tmp_path / "in"):
        codecs.save("file", value, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == b"one"
        assert codecs.identity("file", value) == codecs.identity("file", b"one")
    with pytest.raises(StepFailed, match="not a file"):
        codecs.save("file", tmp_path, tmp_path / "out")
