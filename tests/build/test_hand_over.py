"""A table goes from step to step as a mapped file: whoever reads one column of it has no copy of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.adapters.local import LocalStore

from build.working_copy import CHAIN, WorkingCopy

ROWS = 1_000_000
STEPS = f"""
    import polars as pl
    from lockgate import Pipeline, step

    def own_bytes() -> int:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))

    @step
    def table() -> pl.DataFrame:
        numbers = pl.int_range({ROWS}, eager=True)
        text = pl.select(pl.format("product number {{}}", numbers)).to_series()
        return pl.DataFrame({{"id": numbers, "price": numbers / 7, "cost": numbers / 9, "product": text}})

    @step(sandbox=False)
    def without() -> int:
        pl.DataFrame({{"price": [0.5]}})["price"].sum()
        return own_bytes()

    @step(sandbox=False)
    def one_column(table: pl.DataFrame) -> list[int]:
        return [round(table["price"].sum()), own_bytes()]

    @step(sandbox=False)
    def lazily(table: pl.LazyFrame) -> list[int]:
        total = table.select(pl.col("price").sum()).collect().item()
        return [round(total), own_bytes()]

    @step
    def dated(table: pl.DataFrame) -> pl.DataFrame:
        months = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 4, 1), "1mo", eager=True)
        return table.with_columns(date=months.gather(pl.int_range(len(table), eager=True) % 4))

    @step(each="month")
    def monthly(dated: pl.DataFrame) -> pl.DataFrame:
        return dated

    @step(sandbox=False)
    def all_months(monthly: pl.DataFrame) -> list[int]:
        return [round(monthly["price"].sum()), own_bytes()]

    flow = Pipeline("flow", kind="data", steps=[table, without, one_column, lazily, dated, monthly, all_months])
"""


def test_who_hands_a_table_over_reads_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each step that needs it, to check its digest; planning, and saying what will be read, read no artifact."""
    copy = WorkingCopy(tmp_path / "flow", CHAIN)
    record = copy.run()
    read: list[str] = []
    get = LocalStore.get
    monkeypatch.setattr(LocalStore, "get", lambda self, digest: (read.append(digest), get(self, digest))[1])
    copy.edit("flow/steps.py", "SHIFT = 0", "SHIFT = -100")
    assert copy.did() == {"first": "reuse", "second": "reuse", "sign": "run", "last": "run"}
    assert read.count(record.artifacts["flow.second"].object) == 1
    assert record.artifacts["flow.first"].object not in read


def test_a_step_that_reads_one_column_copies_nothing(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells what is a process's own")
    copy = WorkingCopy(tmp_path / "flow", STEPS)
    record = copy.run()
    assert record.error is None
    size_bytes = record.artifacts["flow.table"].size_bytes
    assert size_bytes > 40_000_000
    without = copy.value("without")
    for step in ("one_column", "lazily", "all_months"):
        total, own_bytes = copy.value(step)
        assert total == round(sum(range(ROWS)) / 7)
        assert own_bytes - without < size_bytes / 5, f"{step}: {own_bytes - without:,} of {size_bytes:,} bytes"
