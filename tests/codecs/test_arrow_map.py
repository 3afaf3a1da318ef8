"""A mapped table: equal to the one that was written, no memory of its own, and no way from it to the file."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lockgate import codecs
from lockgate.codecs import polars_frame
from lockgate.codecs.arrow_file import batches
from lockgate.codecs.arrow_map import mapped

from build.every_type import EVERY_TYPE, FRAME

COPIED = {"i128", "category", "enum"}


def write(frame: pl.DataFrame, path: Path, **more: object) -> Path:
    frame.write_ipc(path, **{"compression": "uncompressed", **more})
    return path


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_every_type_is_mapped_as_it_was_written(name: str, tmp_path: Path) -> None:
    series = EVERY_TYPE[name]
    forms = (series, series.drop_nulls(), series[:1], pl.concat([series] * 40), series[::-1])
    for number, values in enumerate(s for s in forms if len(s)):  # a table without rows is written without a batch
        frame = pl.DataFrame(
            {"before": range(len(values)), "x": values, "after": ["a longer text than fits"] * len(values)}
        )
        path = tmp_path / str(number)
        codecs.save("polars.ipc", frame, path)
        found = mapped(path)
        assert found is not None
        assert found.schema == frame.schema
        assert found.equals(frame)
        assert codecs.identity("polars.ipc", found) == codecs.identity("polars.ipc", frame)
        (batch,) = batches(memoryview(path.read_bytes()))
        assert [v.column.name for v in batch.columns if not v.column.format] == (["x"] if name in COPIED else [])


def test_all_types_beside_each_other_in_many_batches(tmp_path: Path) -> None:
    frame = pl.DataFrame({n: pl.concat([s] * 5) for n, s in EVERY_TYPE.items()})
    for number, part in enumerate((frame, frame.drop(COPIED))):
        found = mapped(write(part, tmp_path / str(number), record_batch_size=3))
        assert found is not None
        assert found.equals(part)
    assert found.n_chunks() == 4


def test_a_table_that_was_cut_from_another_is_written_whole(tmp_path: Path) -> None:
    frame = pl.concat([FRAME[1:3], FRAME[:0], FRAME[2:]], rechunk=False).filter(pl.col("units").is_null().not_())
    codecs.save("polars.ipc", frame, tmp_path / "x")
    found = mapped(tmp_path / "x")
    assert found is not None
    assert found.equals(frame)
    assert found.n_chunks() == 1


def test_what_is_not_of_the_known_form_is_left_to_polars(tmp_path: Path) -> None:
    assert mapped(write(FRAME, tmp_path / "zstd", compression="zstd")) is None
    assert mapped(write(FRAME.clear(), tmp_path / "empty")) is None
    assert mapped(write(FRAME.select(c=pl.col("product").cast(pl.Categorical)), tmp_path / "copied")) is None
    for name, data in {"nothing": b"", "short": b"ARROW1", "other": bytes(range(256)) * 20}.items():
        (tmp_path / name).write_bytes(data)
        assert mapped(tmp_path / name) is None
    assert mapped(tmp_path / "absent") is None


def test_older_layouts_of_text_are_mapped(tmp_path: Path) -> None:
    found = mapped(write(FRAME, tmp_path / "x", compat_level=pl.CompatLevel.oldest()))
    assert found is not None
    assert found.equals(FRAME)


def test_a_file_that_is_not_whole_is_not_mapped(tmp_path: Path) -> None:
    """A damaged file is found by its digest before it is read; its headers are held against its size all the same."""
    good = write(pl.concat([FRAME] * 30), tmp_path / "x").read_bytes()
    chance = random.Random(11)
    for _ in range(100):
        cut = good[: chance.randrange(1, len(good))]
        (tmp_path / "y").write_bytes(cut)
        assert mapped(tmp_path / "y") is None
        torn = cut + good[-chance.randrange(1, 3000) :]
        with contextlib.suppress(ValueError):
            for batch in batches(memoryview(torn)):
                assert all(0 <= at <= at + size <= len(torn) for v in batch.columns for at, size in v.buffers)


def test_the_mapped_table_has_no_memory_of_its_own(tmp_path: Path) -> None:
    rows = 2_000_000
    frame = pl.DataFrame({"n": np.arange(rows), "x": np.arange(rows) / 7, "text": ["a longer text than fits"] * rows})
    codecs.save("polars.ipc", frame, tmp_path / "x")
    size = (tmp_path / "x").stat().st_size
    code = f"""
        import polars as pl
        from pathlib import Path
        from lockgate import codecs

        def anonymous():
            return next(int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith("RssAnon"))

        pl.DataFrame({{"x": [1.0]}})["x"].sum()
        before = anonymous()
        table = codecs.load("polars.ipc", Path({str(tmp_path / "x")!r}), pl.DataFrame, mapped=True)
        assert round(table["x"].sum()) == round({float(frame["x"].sum())!r}), table["x"].sum()
        assert table["n"].to_numpy()[-1] == {rows - 1}
        print(anonymous() - before)
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells what is a process's own")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < size / 10, f"{int(done.stdout):,} of {size:,} bytes"


def test_nothing_that_is_done_to_the_table_reaches_the_file(tmp_path: Path) -> None:
    """Polars computes in place when nobody else has the memory; here that must be a page of its own."""
    frame = pl.DataFrame({"n": np.arange(10_000), "x": np.arange(10_000) / 7})
    codecs.save("polars.ipc", frame, tmp_path / "x")
    before = (tmp_path / "x").read_bytes()
    (tmp_path / "x").chmod(0o444)
    found = mapped(tmp_path / "x")
    assert found is not None
    column = found.drop_in_place("x")
    del found
    column *= 2
    column[3] = -1.0
    column = column.sort(descending=True, in_place=True)
    values = column.to_numpy(writable=True)
    values += 1
    assert (tmp_path / "x").read_bytes() == before
    again = mapped(tmp_path / "x")
    assert again is not None
    assert again.lazy().with_columns(pl.col("n") + 1, pl.col("x").fill_nan(0.0)).collect()["n"][-1] == 10_000
    assert (tmp_path / "x").read_bytes() == before


def test_a_small_table_is_read_and_a_lazy_one_is_lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codecs.save("polars.ipc", FRAME, tmp_path / "x")
    for least in (1 << 20, 1):
        monkeypatch.setattr(polars_frame, "MAPPED_BYTES", least)
        assert codecs.load("polars.ipc", tmp_path / "x", pl.DataFrame, mapped=True).equals(FRAME)
        lazy = codecs.load("polars.ipc", tmp_path / "x", pl.LazyFrame, mapped=True)
        assert isinstance(lazy, pl.LazyFrame)
        assert lazy.collect().equals(FRAME)
