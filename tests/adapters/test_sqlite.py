"""The SQLite sink keeps the sink's laws: rows and mark in one transaction, written once; the source's cursor holds."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockgate.adapters.sqlite import SqliteSink, SqliteSource
from lockgate.errors import MovedOn, StepFailed
from lockgate.records.rows import Batch, Mark

from sources.warehouse import change, read

KINDS = (("id", "integer"), ("text", "text"))


def batch(*rows: tuple[object, ...]) -> list[Batch]:
    return [Batch(("id", "text"), rows)]


def sink(folder: Path, mode: str = "append", *key: str) -> SqliteSink:
    return SqliteSink("out", folder / "out.db", table="out", mode=mode, key=key)


def test_the_same_artifact_is_written_once(tmp_path: Path) -> None:
    first = Mark("blake3:a", 1)
    for expected in (True, False):
        assert sink(tmp_path).write(batch((1, "x")), kinds=KINDS, mark=first, after=None) is expected
    assert sink(tmp_path).mark() == first
    assert read(tmp_path / "out.db", "out") == [(1, "x")]


def test_somebody_else_was_quicker(tmp_path: Path) -> None:
    sink(tmp_path).write(batch((1, "x")), kinds=KINDS, mark=Mark("blake3:a", 1), after=None)
    with pytest.raises(MovedOn):
        sink(tmp_path).write(batch((2, "y")), kinds=KINDS, mark=Mark("blake3:b", 2), after=None)
    assert read(tmp_path / "out.db", "out") == [(1, "x")]


@pytest.mark.parametrize(("mode", "expected"), [("append", [(1, "x"), (1, "z"), (2, "y"), (3, "w")]), ("replace", [(1, "z"), (3, "w")]), ("upsert", [(1, "z"), (2, "y"), (3, "w")])])  # fmt: skip
def test_modes(tmp_path: Path, mode: str, expected: list[tuple[object, ...]]) -> None:
    out = sink(tmp_path, mode, *(["id"] if mode == "upsert" else []))
    first = Mark("blake3:a", 2)
    out.write(batch((1, "x"), (2, "y")), kinds=KINDS, mark=first, after=None)
    out.write(batch((1, "z"), (3, "w")), kinds=KINDS, mark=Mark("blake3:b", 2), after=first)
    assert read(tmp_path / "out.db", "out") == expected


def test_a_row_that_is_refused_takes_everything_back(tmp_path: Path) -> None:
    change(tmp_path / "out.db", "create table out (id integer check (id < 9), text)")
    with pytest.raises(StepFailed, match="refuses"):
        sink(tmp_path).write(batch((1, "x"), (9, "y")), kinds=KINDS, mark=Mark("blake3:a", 2), after=None)
    assert read(tmp_path / "out.db", "out") == []
    assert sink(tmp_path).mark() is None


KILLED = """
import os, signal
from pathlib import Path
from lockgate.adapters.sqlite import SqliteSink
from lockgate.records.rows import Batch, Mark

def batches():
    for n in range(BEFORE):
        yield Batch(("id", "text"), [(i, "y" * 90) for i in range(n * 50_000, (n + 1) * 50_000)])
    os.kill(os.getpid(), signal.SIGKILL)

SqliteSink("out", Path("out.db"), table="out", mode=MODE).write(
    batches(), kinds=[("id", "integer"), ("text", "text")], mark=Mark("blake3:b", 5), after=Mark("blake3:a", 1))
"""


@pytest.mark.parametrize("mode", ["append", "replace"])
@pytest.mark.parametrize("before", [0, 1, 3])
def test_killed_inside_a_write_nothing_happened(tmp_path: Path, mode: str, before: int) -> None:
    """With enough rows, SQLite has written to the database's file before the kill; the next opening takes them back."""
    first = Mark("blake3:a", 1)
    sink(tmp_path, mode).write(batch((1, "x")), kinds=KINDS, mark=first, after=None)
    code = textwrap.dedent(KILLED).replace("BEFORE", str(before)).replace("MODE", repr(mode))
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == -signal.SIGKILL
    assert sink(tmp_path, mode).mark() == first
    assert read(tmp_path / "out.db", "out") == [(1, "x")]
    assert sink(tmp_path, mode).write(batch((2, "y")), kinds=KINDS, mark=Mark("blake3:b", 2), after=first)


STATEMENTS = """
import functools, os, signal, sqlite3
from pathlib import Path
from lockgate.adapters.sqlite import SqliteSink
from lockgate.records.rows import Batch, Mark

left = AT

class Killing(sqlite3.Connection):
    def _reach(self):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def execute(self, *arguments):
        self._reach()
        return super().execute(*arguments)
    def executemany(self, *arguments):
        self._reach()
        return super().executemany(*arguments)

sqlite3.connect = functools.partial(sqlite3.connect, factory=Killing)
SqliteSink("out", Path("out.db"), table="out", mode="replace").write(
    [Batch(("id", "text"), [(2, "y")])], kinds=[("id", "integer"), ("text", "text")], mark=Mark("blake3:b", 2), after=Mark("blake3:a", 1))
"""


def test_killed_before_any_statement_rows_and_mark_agree(tmp_path: Path) -> None:
    ended = 1
    for number in range(30):
        folder = tmp_path / str(number)
        sink(folder, "replace").write(batch((1, "x")), kinds=KINDS, mark=Mark("blake3:a", 1), after=None)
        code = STATEMENTS.replace("AT", str(number))
        ended = subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode
        state = (sink(folder, "replace").mark(), read(folder / "out.db", "out"))
        assert state == ((Mark("blake3:a", 1), [(1, "x")]) if ended else (Mark("blake3:b", 2), [(2, "y")])), number
        if not ended:
            break
    assert ended == 0
    assert number >= 8


def test_names_with_quotes_are_names(tmp_path: Path) -> None:
    change(tmp_path / "in.db", 'create table t ("a ""b" integer, x)')
    change(tmp_path / "in.db", "insert into t values (?, ?)", [(1, "q"), (2, "r")])
    source = SqliteSource("s", tmp_path / "in.db", query="select * from t", watermark='a "b')
    assert source.newest(None) == 2
    out = SqliteSink("o'", tmp_path / "out.db", table='t "x"; drop', mode="upsert", key=('a "b',))
    assert out.write(
        source.read(None, 2), kinds=(('a "b', "integer"), ("x", "text")), mark=Mark("blake3:a", 2), after=None
    )
    assert read(tmp_path / "out.db", '"t ""x""; drop"') == [(1, "q"), (2, "r")]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20) | st.text("abc", max_size=2), min_size=1), st.data())
def test_reading_in_parts_is_reading_at_once(
    tmp_path_factory: pytest.TempPathFactory, values: list[int | str], data: st.DataObject
) -> None:
    """`read(a, b)` then `read(b, c)` is `read(a, c)`, for whole numbers and for texts."""
    values = [v for v in values if type(v) is type(values[0])]
    database = tmp_path_factory.mktemp("parts") / "in.db"
    change(database, "create table t (mark, x)")
    change(database, "insert into t values (?, ?)", [(v, n) for n, v in enumerate(values)])
    source = SqliteSource("s", database, query="select * from t", watermark="mark")
    last = source.newest(None)
    middle = data.draw(st.sampled_from(values))
    parts = [*source.read(None, middle), *source.read(middle, last)]
    rows = [row for part in parts for row in part.rows]
    assert rows == [row for part in source.read(None, last) for row in part.rows]
    assert len(rows) == len(values)


def test_the_newest_row_is_found_in_the_index(tmp_path: Path) -> None:
    """Asking for news reads next to nothing, also through a query of some complexity."""
    import sqlite3

    database = tmp_path / "in.db"
    change(database, "create table t (id integer primary key, day text, x)")
    change(database, "create index days on t (day)")
    for query, mark in (("select id, day, x from t", "id"), ("select day, x * 2 as y from t where x > 0 or 1", "day")):
        connection = sqlite3.connect(database)
        plan = connection.execute(f'explain query plan select max("{mark}") from ({query})').fetchall()
        connection.close()
        assert [str(row[3]).partition(" ")[0] for row in plan] == ["SEARCH"], plan
