"""A value's identity: pinned, the same however it was made and written, another for any other value."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate import Html, codecs
from lockgate.codecs import polars_frame
from lockgate.errors import StepFailed

from build.every_type import EVERY_TYPE, FRAME


@dataclass(frozen=True)
class Scores:
    """A record that travels as columns."""

    __lockgate_columns__ = "columns"
    columns: dict[str, np.ndarray]
    truth: str = "actual"


SCORES = Scores(
    {
        "actual": np.array([1.0, math.nan, -0.0]),
        "day": np.array(["2020-01-01"] * 3, "datetime64[D]"),
        "name": np.array(["a", "üb", ""]),
    }
)


def table(value: object) -> str:
    return codecs.identity("polars.ipc", value)


def test_identities_are_pinned() -> None:
    """If one must change, every cache is lost: say so in the release notes."""
    assert table(FRAME) == "blake3:fa9cd23dfb8230cef991dce743045a0c61b3bd6c88eedb66497b9f4659d40659"
    assert table(pl.DataFrame()) == "blake3:2bebc1cf09640d06696738cdc1a25d1a5cd748130fdb3d00df433fa5d8150190"
    assert (
        codecs.identity("columns.npz", SCORES)
        == "blake3:875d9495d7d3b56e8216aa137a9e4d55b7f3dc603f1cf231111e627e4dd6595b"
    )
    assert (
        codecs.identity("json", {"a": [1, 1.0, None, "é"]})
        == "blake3:fac0d20ada8b42762e976df05b018b6c153c00faeab1c6e67e75e84bd47815d0"
    )
    assert (
        codecs.identity("html", Html("<p>é</p>"))
        == "blake3:3861a0ad35dd6da3536a1718fb86a2df3c8caa42639b8c5796d1fc30191dac41"
    )
    assert (
        codecs.identity("file", b"bytes") == "blake3:df19b1f105ff929191ce49d0bbfdc5b4edc2a71a40f502dc955359eb33649e24"
    )


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_every_type_comes_back_with_its_identity(name: str, tmp_path: Path) -> None:
    frame = EVERY_TYPE[name].alias("x").to_frame()
    codecs.save("polars.ipc", frame, tmp_path / "x")
    again = codecs.load("polars.ipc", tmp_path / "x", pl.DataFrame)
    assert table(again) == table(frame)
    assert table(frame[::-1]) != table(frame) or name == "nothing"
    assert table(frame[:1]) != table(frame)
    assert table(frame.head(0)) != table(frame)


def test_all_types_differ_from_each_other() -> None:
    assert len({table(s.alias("x").to_frame()) for s in EVERY_TYPE.values()}) == len(EVERY_TYPE)


def test_neither_chunks_nor_writers_nor_null_buffers_matter(tmp_path: Path) -> None:
    known = table(FRAME)
    chunked = pl.concat([FRAME[:1], FRAME[1:3], FRAME[3:]], rechunk=False)
    assert chunked.n_chunks() > 1
    assert table(chunked) == known
    FRAME.write_parquet(tmp_path / "p")
    assert table(pl.read_parquet(tmp_path / "p")) == known
    FRAME.write_ipc(tmp_path / "i", compression="zstd")
    assert table(pl.read_ipc(tmp_path / "i")) == known
    # A column that had nulls keeps a buffer for them; one that never had has none.
    full = pl.DataFrame({"x": [1, None, 3]}).drop_nulls()
    assert table(full) == table(pl.DataFrame({"x": [1, 3]}))
    # What lies under a null is nobody's business.
    hidden = pl.DataFrame({"x": [1, 2]}).select(x=pl.when(pl.col("x") > 1).then(pl.col("x")))
    assert table(hidden) == table(pl.DataFrame({"x": [None, 2]}))
    assert table(FRAME.lazy().filter(pl.lit(value=True)).collect()) == known
    assert table(pl.concat([FRAME, FRAME])[4:]) == known


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_nor_does_it_matter_how_many_rows_are_digested_at_a_time(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def identities() -> list[str]:
        return [table(pl.concat([s, s[::-1], s], rechunk=False).alias("x").to_frame()) for s in EVERY_TYPE.values()]

    known = identities()
    monkeypatch.setattr(polars_frame, "SLICE_ROWS", rows)
    assert identities() == known
    assert table(FRAME) == "blake3:fa9cd23dfb8230cef991dce743045a0c61b3bd6c88eedb66497b9f4659d40659"


def test_equal_numbers_are_one_value() -> None:
    one, other = np.array([0.0, math.nan]), np.array([-0.0, -math.nan])
    assert table(pl.DataFrame({"x": one})) == table(pl.DataFrame({"x": other}))
    assert codecs.identity("columns.npz", Scores({"x": one})) == codecs.identity("columns.npz", Scores({"x": other}))


@pytest.mark.parametrize("change", [
    FRAME.with_columns(pl.col("units").cast(pl.Int32)), FRAME.with_columns(pl.col("units").fill_null(0)), FRAME.with_columns(pl.col("price").fill_nan(None)),
    FRAME.with_columns(pl.col("price").fill_nan(0.0)), FRAME.with_columns(pl.col("product").fill_null("")), FRAME.rename({"units": "unit"}), FRAME[::-1],
    FRAME.select(FRAME.columns[::-1]), FRAME.head(3), FRAME.drop("open"), FRAME.with_columns(pl.col("date").cast(pl.Datetime)),
    FRAME.with_columns(pl.col("tags").list.drop_nulls()), FRAME.with_columns(pl.col("tags").fill_null([])), FRAME.with_columns(pl.col("product").cast(pl.Categorical)),
    FRAME.with_columns(pl.col("open").fill_null(value=False)),
])  # fmt: skip
def test_another_value_is_another_identity(change: pl.DataFrame) -> None:
    assert table(change) != table(FRAME)


def test_text_is_told_apart_by_its_edges() -> None:
    frames = [pl.DataFrame({"x": v}) for v in (["ab", "c"], ["a", "bc"], ["abc", ""], ["", "abc"], ["abc", None])]
    nested = [
        pl.DataFrame({"x": v})
        for v in ([["a", "b"], []], [["a"], ["b"]], [[], ["a", "b"]], [["ab"], []], [["a", "b"], None])
    ]
    moments = [pl.DataFrame({"x": [[ns]]}).cast(pl.List(pl.Datetime("ns"))) for ns in (1, 2)]
    for group in (frames, nested, moments):
        assert len({table(f) for f in group}) == len(group)


def test_objects_have_no_identity() -> None:
    with pytest.raises(StepFailed, match="Python objects"):
        table(pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)}))


columns = st.lists(
    st.tuples(
        st.text(max_size=3),
        st.lists(st.none() | st.integers(-5, 5) | st.text("ab\0", max_size=2), min_size=2, max_size=3),
    ),
    max_size=3,
)


@given(columns, columns)
def test_two_tables_have_one_identity_only_if_they_are_equal(one: list, other: list) -> None:
    frames = []
    for given_columns in (one, other):
        made = {
            n: pl.Series(n, [str(v) if v is not None else None for v in values][:2], dtype=pl.String)
            for n, values in given_columns
        }
        frames.append(pl.DataFrame(list(made.values())))
    assert (table(frames[0]) == table(frames[1])) == (
        frames[0].equals(frames[1]) and frames[0].schema == frames[1].schema
    )


def test_columns_ignore_width_order_of_bytes_and_layout(tmp_path: Path) -> None:
    known = codecs.identity("columns.npz", SCORES)
    wide = Scores({n: a.astype("<U40") if a.dtype.kind == "U" else a for n, a in SCORES.columns.items()})
    swapped = Scores({n: a.astype(a.dtype.newbyteorder(">")) for n, a in SCORES.columns.items()})
    strided = Scores({n: np.repeat(a, 2)[::2] for n, a in SCORES.columns.items()})
    assert {codecs.identity("columns.npz", s) for s in (wide, swapped, strided)} == {known}
    codecs.save("columns.npz", SCORES, tmp_path / "x")
    again = codecs.load("columns.npz", tmp_path / "x", Scores)
    assert codecs.identity("columns.npz", again) == known
    others = [
        Scores({**SCORES.columns, "actual": np.array([1.0, 0.0, 0.0])}), Scores({**SCORES.columns, "actual": np.array([1.0, math.nan, 0.0], np.float32)}),
        Scores({"actual2": SCORES.columns["actual"]}), Scores(SCORES.columns, truth="x"), Scores(dict(reversed(SCORES.columns.items()))),
    ]  # fmt: skip
    assert len({known, *(codecs.identity("columns.npz", o) for o in others)}) == len(others) + 1


def test_columns_of_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        codecs.save("columns.npz", Scores({"x": np.array([object()])}), tmp_path / "x")


def test_a_booster_is_its_trees(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    x = chance.normal(size=(200, 3))
    data = {"objective": "l1", "verbosity": -1, "num_leaves": 4, "deterministic": True}

    def train(**more: object) -> lgb.Booster:
        return lgb.train({**data, **more}, lgb.Dataset(x, x[:, 0]), num_boost_round=3)

    one, threads, other = train(num_threads=1), train(num_threads=2), train(learning_rate=0.3)
    assert codecs.identity("lightgbm.txt", one) == codecs.identity("lightgbm.txt", threads)
    assert codecs.identity("lightgbm.txt", one) != codecs.identity("lightgbm.txt", other)
    codecs.save("lightgbm.txt", one, tmp_path / "m")
    again = codecs.load("lightgbm.txt", tmp_path / "m", lgb.Booster)
    assert codecs.identity("lightgbm.txt", again) == codecs.identity("lightgbm.txt", one)
    assert np.array_equal(again.predict(x), one.predict(x))


def test_text_keeps_its_line_ends(tmp_path: Path) -> None:
    page = Html("a\r\nb\rc\n\u2028ü")
    codecs.save("html", page, tmp_path / "x")
    again = codecs.load("html", tmp_path / "x", Html)
    assert again == page
    assert type(again) is Html


def test_random_bytes_in_a_frame_file_do_not_crash_identity(tmp_path: Path) -> None:
    """A damaged file is found by its digest before it is read; should it be read, it raises and does not kill."""
    codecs.save("polars.ipc", FRAME, tmp_path / "x")
    good = (tmp_path / "x").read_bytes()
    chance = random.Random(7)
    for _ in range(5):
        cut = chance.randrange(8, len(good))
        (tmp_path / "y").write_bytes(good[:cut])
        with pytest.raises(Exception, match=r".") as error:
            codecs.load("polars.ipc", tmp_path / "y", pl.DataFrame)
        assert not isinstance(error.value, pl.exceptions.PanicException)
