"""What is kept in `data_versioning.py`: a large file, many small ones, a table and next versions of it. Seeded; nothing is downloaded.

The table is one of orders, as a shop's export has them: keys that grow, dates in order, customers and products of which few are
frequent, prices with two decimals, remarks in words. Its next versions are each made from the first, by an edit that somebody
makes of a table: rows at the end, a stretch corrected, a stretch gone, a stretch more, single cells here and there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

__all__ = [
    "CHANGED",
    "EDITS",
    "FORMATS",
    "GOALS",
    "ROW_GROUP",
    "change",
    "many_files",
    "orders",
    "random_file",
    "write",
]

SEED = 7
CHANGED = 100
"""So many of the small files differ between two versions."""
FOLDERS, FILE_BYTES, BLOCK = 50, 4096, 1 << 24
PRODUCTS, CUSTOMERS, DAYS = 5_000, 200_000, 1_000
FORMATS = ("csv", "parquet")
ROW_GROUP = 512 * 512
WORDS = (
    "leave at the back door ring twice gift wrap please no substitute call before delivery fragile handle with care second "
    "floor invoice to office replace damaged item express return old unit keep cold blue if possible neighbour takes it"
).split()


def random_file(path: Path, size: int, seed: int = SEED) -> None:
    """Bytes that no tool can make smaller."""
    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        for at in range(0, size, BLOCK):
            file.write(random.bytes(min(BLOCK, size - at)))


def many_files(folder: Path, count: int) -> None:
    """Small random files in 50 folders."""
    random = np.random.default_rng(SEED)
    for number in range(count):
        path = folder / f"{number % FOLDERS:02d}" / f"{number // FOLDERS:05d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.bytes(FILE_BYTES))


def change(folder: Path, count: int) -> None:
    """The next version: 100 files spread over the folders are others, each made anew as a writer that renames does."""
    random = np.random.default_rng(SEED + 1)
    step = count // CHANGED
    for turn in range(CHANGED):
        number = turn * step + turn % min(step, FOLDERS)
        path = folder / f"{number % FOLDERS:02d}" / f"{number // FOLDERS:05d}.bin"
        path.unlink()
        path.write_bytes(random.bytes(FILE_BYTES))


def orders(rows: int, *, seed: int = SEED, first: int = 1, day: int = 0) -> pl.DataFrame:
    """Orders from a key and a day on, by growing key."""
    random = np.random.default_rng(seed)
    days = day + np.sort(random.integers(0, max(1, DAYS * rows // 10_000_000), rows))
    words = random.integers(0, len(WORDS), (rows, 4))
    said = pl.DataFrame({f"w{n}": np.array(WORDS)[words[:, n]] for n in range(4)}).select(
        pl.concat_str(pl.all(), separator=" ")
    )
    product = (random.pareto(0.7, rows) * 20).astype(np.int64) % PRODUCTS
    usual = np.exp(np.random.default_rng(SEED).normal(3, 1, PRODUCTS))
    return pl.DataFrame(
        {
            "order": first + np.cumsum(random.integers(1, 4, rows)),
            "date": pl.Series(np.datetime64(dt.date(2023, 1, 2)) + days),
            "customer": (random.pareto(0.9, rows) * 900).astype(np.int64) % CUSTOMERS,
            "product": np.char.add("P-", np.char.zfill(np.arange(PRODUCTS).astype(str), 5))[product],
            "units": np.minimum(9, random.geometric(0.4, rows)),
            "price": np.round(usual[product] * random.choice([1.0, 0.9, 0.8, 0.75], rows, p=[0.7, 0.1, 0.1, 0.1]), 2),
            "remark": said.to_series().set(pl.Series(random.random(rows) < 0.7), None),
        }
    )  # fmt: skip


def _appended(table: pl.DataFrame) -> pl.DataFrame:
    last = table.row(-1, named=True)
    day = (last["date"] - dt.date(2023, 1, 2)).days
    return pl.concat([table, orders(len(table) // 100, seed=SEED + 1, first=last["order"], day=day)])


def _corrected(table: pl.DataFrame) -> pl.DataFrame:
    """As many bytes of text as before: units of one digit become another digit, prices change places within the stretch."""
    start, count = len(table) // 2, len(table) // 1000
    part = table[start : start + count].with_columns(pl.col("units") % 9 + 1, pl.col("price").reverse())
    return pl.concat([table[:start], part, table[start + count :]])


def _deleted(table: pl.DataFrame) -> pl.DataFrame:
    start, count = len(table) // 3, len(table) // 1000
    return pl.concat([table[:start], table[start + count :]])


def _inserted(table: pl.DataFrame) -> pl.DataFrame:
    at, day = len(table) // 3, len(table) // 10_000 // 3
    return pl.concat(
        [table[:at], orders(len(table) // 1000, seed=SEED + 2, first=table["order"][at], day=day), table[at:]]
    )


def _scattered(table: pl.DataFrame) -> pl.DataFrame:
    rows = np.random.default_rng(SEED + 3).choice(len(table), len(table) // 10_000, replace=False)
    hit = np.zeros(len(table), dtype=bool)
    hit[rows] = True
    return table.with_columns(units=pl.when(pl.Series(hit)).then(pl.col("units") % 9 + 1).otherwise(pl.col("units")))


EDITS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "1 % of rows appended": _appended,
    "0.1 % edited in one place": _corrected,
    "0.1 % deleted at one third": _deleted,
    "0.1 % inserted at one third": _inserted,
    "0.01 % edited, scattered": _scattered,
}
"""What happens to a table, by the name of its row in the results."""
GOALS = {"1 % of rows appended": 0.02, "0.1 % edited in one place": 0.005}
"""By so much of the table may the store grow; the other edits have no goal."""


def write(table: pl.DataFrame, path: Path) -> None:
    """As csv or parquet, by the name's end; the whole file anew.

    One piece of memory and row groups of a fixed size, as a program that reads, edits and writes leaves them: else Polars cuts row
    groups where the edit was.
    """
    if path.suffix == ".csv":
        table.write_csv(path)
    else:
        table.rechunk().write_parquet(path, compression="zstd", row_group_size=ROW_GROUP)
