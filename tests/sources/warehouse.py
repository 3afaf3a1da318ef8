"""A project fed by a SQLite table and a folder, with a writer beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from journeys.walking import Lockgate

STEPS = """
import polars as pl
from lockgate import Pipeline, step


@step
def daily(orders: pl.DataFrame) -> pl.DataFrame:
    return orders.group_by("day").agg(pl.col("amount").sum(), pl.len().alias("orders")).sort("day")


@step
def big(orders: pl.DataFrame) -> pl.DataFrame:
    return orders.filter(pl.col("amount") >= 5)


flow = Pipeline("flow", kind="data", steps=[daily, big])
"""

TOML = """
[project]
name = "flow"
pipelines = ["flow.steps"]

[sources.orders]
kind = "sqlite"
path = "data/shop.db"
query = "select id, day, amount from orders"
watermark = "id"

[sinks.daily]
kind = "sqlite"
path = "data/out.db"
from = "daily"
mode = "upsert"
key = ["day"]

[sinks.whole]
kind = "sqlite"
path = "data/out.db"
from = "daily"
mode = "replace"

[sinks.big]
kind = "sqlite"
path = "data/out.db"
from = "big"
mode = "append"
"""


def make(root: Path, *, steps: str = STEPS, toml: str = TOML) -> Lockgate:
    """The project, without data."""
    (root / "flow").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "flow" / "__init__.py").write_text("")
    (root / "flow" / "steps.py").write_text(steps)
    (root / "lockgate.toml").write_text(toml)
    return Lockgate(root)


def change(database: Path, statement: str, rows: Sequence[Sequence[Any]] = ()) -> None:
    """Run one statement, or one per row, and commit."""
    connection = sqlite3.connect(database, timeout=30)
    with connection:
        if rows:
            connection.executemany(statement, rows)
        else:
            connection.execute(statement)
    connection.close()


def create(root: Path) -> None:
    change(root / "data" / "shop.db", "create table orders (id integer primary key, day text, amount numeric)")


def order(root: Path, rows: Sequence[Sequence[Any]]) -> None:
    """Rows of (day, amount)."""
    change(root / "data" / "shop.db", "insert into orders (day, amount) values (?, ?)", rows)


def some_orders(start: int, stop: int) -> list[tuple[str, float]]:
    return [(f"2030-01-{1 + n // 7 % 28:02d}", n * 37 % 11 + (0.5 if n % 5 == 0 else 0)) for n in range(start, stop)]


def read(database: Path, table: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database)
    try:
        return sorted(connection.execute(f"select * from {table}"))
    finally:
        connection.close()


def sinks(root: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything the sinks hold, the bookkeeping too."""
    return {t: read(root / "data" / "out.db", t) for t in ("daily", "whole", "big", "_lockgate_sinks")}
