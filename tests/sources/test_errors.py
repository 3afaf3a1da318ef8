"""Each mistake with a source or a sink is one clear message with the next command, and its exit code."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from journeys.walking import FAILED, OUTSIDE, USAGE, Lockgate, copy, edit

from sources.warehouse import change, create, make, order, read

Mistake = Callable[[Lockgate], None]


def shop(lockgate: Lockgate) -> Path:
    return lockgate.root / "data" / "shop.db"


def toml(old: str, new: str) -> Mistake:
    return lambda lockgate: edit(lockgate.root, "lockgate.toml", old, new)


def sql(*statements: str) -> Mistake:
    def run(lockgate: Lockgate) -> None:
        for statement in statements:
            change(shop(lockgate), statement)

    return run


MISTAKES: dict[str, tuple[Mistake, int, str, str]] = {
    "no database": (toml("data/shop.db", "data/shop2.db"), USAGE, "the database of a source is missing", "[sources.orders]"),
    "not a database": (lambda k: shop(k).write_text("hello" * 300) and None, USAGE, "not a SQLite database", "[sources.orders]"),
    "no such column": (toml("id, day, amount", "id, day, amont"), USAGE, "no such column: amont", "[sources.orders]"),
    "no watermark in the answer": (toml("select id, day", "select day"), USAGE, "does not answer its watermark: orders: id", "day, amount"),
    "its own watermark condition": (toml("from orders", "from orders where id > :watermark"), USAGE, "a select without :watermark", "edit"),
    "no watermark declared": (toml('watermark = "id"', ""), USAGE, "lacks a key: sources.orders.watermark", "edit"),
    "unknown key": (toml("watermark =", "watermarc ="), USAGE, "watermark?", "edit"),
    "deleted rows": (sql("delete from orders where id > 2"), USAGE, "went backwards: orders: id was 4, is 2", "version"),
    "all rows deleted": (sql("delete from orders"), USAGE, "went backwards: orders: id was 4, is None", "version"),
    "null watermark": (
        sql("alter table orders rename to o", "create table orders (id, day, amount)", "insert into orders select * from o", "insert into orders values (null, 'x', 1), (9, 'x', 1)"),
        USAGE, "a row has no watermark", "where id is not null",
    ),
    "watermark of another kind": (
        sql("alter table orders rename to o", "create table orders (id, day, amount)", "insert into orders values ('nine', 'x', 1)"),
        USAGE, "a watermark changed its kind: orders: was 4, is 'nine'", "one kind",
    ),
    "a renamed column": (
        lambda k: (edit(k.root, "lockgate.toml", "select id, day, amount from", "select * from"), k("plan"), sql("alter table orders rename column amount to total", "insert into orders values (8, 'x', 1)")(k)) and None,
        USAGE, "the columns of a source changed: orders: was id, day, amount; is id, day, total", "select new as old",
    ),
    "another type later": (sql("insert into orders values (8, 'x', 'many')"), USAGE, "amount: float before and str now", "cast(amount as real)"),
    "no rows": (lambda k: (toml("from orders", "from orders where id < 0")(k)), OUTSIDE, "a source has no rows yet: orders", "lockgate stream"),
    "a sink without a step": (toml('from = "big"', 'from = "bigg"'), USAGE, 'fed by no step of this project: big: from = "bigg"', "[sinks.big]"),
    "upsert without key": (toml('key = ["day"]', ""), USAGE, "sinks.daily.key", "upsert"),
    "a key that is no column": (toml('key = ["day"]', 'key = ["date"]'), USAGE, "the key of a sink is not in its table: daily: date", "orders"),
    "a key that occurs twice": (toml('mode = "append"', 'mode = "upsert"\nkey = ["day"]'), FAILED, "the key of a sink does not name one row: big: day", "the key"),
    "a table without these columns": (
        lambda k: change(k.root / "data" / "out.db", "create table big (id, day)"), USAGE, "the table of a sink lacks columns: big: big: amount", "[sinks.big]"),
    "a table that refuses": (
        lambda k: change(k.root / "data" / "out.db", "create table big (id, day, amount check (amount > 100))"), FAILED, "the table refuses a row: sink big", "correct"),
    "append to what changed": (
        lambda k: (k("stream", "flow", "--once"), edit(k.root, "flow/steps.py", ">= 5", ">= 7")) and None, USAGE, "a sink that appends cannot follow", 'mode = "replace"'),
    "a pipeline that is not": (toml("flow.steps", "flow.step"), USAGE, "flow.step", ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """Everything has run, no sink is written."""
    lockgate = make(tmp_path_factory.mktemp("prepared") / "shop")
    create(lockgate.root)
    order(lockgate.root, [("a", 1), ("a", 6), ("b", 6.5), ("b", 7)])
    lockgate("run")
    return lockgate


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_message(prepared: Lockgate, tmp_path: Path, name: str) -> None:
    mistake, code, said, helps = MISTAKES[name]
    lockgate = copy(prepared, tmp_path / "shop")
    mistake(lockgate)
    done = lockgate("stream", "flow", "--once", expect=code)
    assert said in done.err, done.text
    assert helps in done.err, done.text
    assert len(done.err.splitlines()) <= 3, done.text


def test_rows_are_counted_and_not_compared_as_files(prepared: Lockgate) -> None:
    assert "lockgate data log orders" in prepared("data", "diff", "orders", expect=USAGE).err
    assert [b["holds"] for b in prepared.json("graph")["boxes"] if b["key"] == "source:orders"] == ["4 rows"]


def test_a_locked_database_is_worth_a_retry(prepared: Lockgate, tmp_path: Path) -> None:
    lockgate = copy(prepared, tmp_path / "shop")
    other = sqlite3.connect(shop(lockgate), isolation_level=None)
    other.execute("begin exclusive")
    done = lockgate("plan", expect=OUTSIDE)
    assert "a database is locked by somebody else: source orders" in done.err
    other.execute("rollback")
    other.close()
    lockgate("plan")


def test_a_sink_that_was_dropped_is_written_again(prepared: Lockgate, tmp_path: Path) -> None:
    lockgate = copy(prepared, tmp_path / "shop")
    out = lockgate.root / "data" / "out.db"
    lockgate("stream", "flow", "--once")
    before = read(out, "big")
    change(out, "drop table big")
    lockgate("stream", "flow", "--once")
    assert read(out, "big") == before
    assert len(before) == 3


def test_nothing_new_loads_no_frames(prepared: Lockgate) -> None:
    """One question to the database costs no data frame library and starts no engine."""
    code = "import sys\nfrom lockgate.cli.main import main\nmain(['run'])\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=prepared.root, capture_output=True, text=True, check=True)
    said, loaded = done.stdout.splitlines()
    assert said == "done  0 run, 2 reused"
    assert {"sqlite3", "lockgate.delivery.sources.cursors"} <= set(loaded.split())
    assert not {"polars", "numpy", "subprocess", "lockgate.codecs", "lockgate.build.engine"} & set(loaded.split())


def test_a_database_with_a_write_ahead_log_is_read_while_somebody_writes(prepared: Lockgate, tmp_path: Path) -> None:
    lockgate = copy(prepared, tmp_path / "shop")
    writer = sqlite3.connect(shop(lockgate), isolation_level=None)
    writer.execute("pragma journal_mode = wal")
    writer.execute("insert into orders values (5, 'c', 9)")
    writer.execute("begin immediate")
    writer.execute("insert into orders values (6, 'c', 9)")
    done = lockgate("stream", "flow", "--once")
    assert "orders +1 → 5 rows (cursor 5)" in done.out
    writer.execute("commit")
    writer.close()
    assert "orders +1 → 6 rows (cursor 6)" in lockgate("stream", "flow", "--once").out
