"""A source's version: the same rows give the same one, however many readings brought them; data and cursor agree."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lockgate import codecs
from lockgate.delivery.sources import cursors
from lockgate.delivery.sources.seeing import see
from lockgate.delivery.sources.materialise import materialise
from lockgate.errors import LockgateError, UsageError
from lockgate.project import Project, open_project
from lockgate.records.rows import Version

from sources.warehouse import TOML, change, create, make, order

QUERY = "select id, day, amount from orders"

VALUES = {
    "whole": st.integers(-(2**40), 2**40),
    "number": st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False)),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    "bytes": st.binary(max_size=5),
    "nothing": st.none(),
    "huge": st.sampled_from([2**53 + 1, 0.5]),
    "mixed": st.sampled_from([1, "a", 0.5, b"x"]),
}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("lockgate.codecs.rows", "lockgate.delivery.sources.cursors"):
        monkeypatch.setattr(f"{module}.PAGE_ROWS", 4)
    monkeypatch.setattr("lockgate.adapters.sqlite.BATCH_ROWS", 3)


def project(root: Path) -> Project:
    make(root)
    create(root)
    return open_project(root)


def version(p: Project) -> Version:
    return cursors.version_of(p, p.settings.sources[0])


def table(p: Project) -> pl.DataFrame:
    """What a step receives."""
    seen = see(p, now_ns=0)["orders"]
    loaded = codecs.load("file", materialise(p, seen), pl.DataFrame)
    assert isinstance(loaded, pl.DataFrame)
    return loaded


def outcome(p: Project, parts: Sequence[Sequence[tuple[Any, Any]]]) -> Any:
    """Read after each part; the last version, or what went wrong."""
    found: Any = None
    for part in parts:
        order(p.root, part)
        try:
            found = version(p)
        except LockgateError as error:
            found = error.what
    return (
        found
        if isinstance(found, str)
        else (found.identity, found.cursor, found.columns, [x.digest for x in found.pages])
    )


@st.composite
def columns(draw: st.DrawFn, rows: int) -> list[Any]:
    """Values of one kind up to a row, of another behind it: what makes the type of pages grow that were written before."""
    turn = draw(st.integers(0, rows))
    first, then = (VALUES[draw(st.sampled_from(["nothing", "whole", *sorted(VALUES)]))] for _ in range(2))
    return [draw(first if n < turn else then) for n in range(rows)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[Any, Any]], list[int]]:
    """Rows, and where the readings fall."""
    size = draw(st.integers(1, 14))
    rows = list(zip(draw(columns(size)), draw(columns(size)), strict=True))
    cuts = draw(st.lists(st.integers(1, size), max_size=4))
    return rows, sorted({0, *cuts, size})


@example(([(None, 1)] * 5 + [("a", 0.5)], [0, 5, 6]))  # both columns' types grow behind a whole page
@settings(max_examples=40, deadline=None)
@given(histories())
def test_any_split_gives_what_one_batch_gives(history: tuple[list[tuple[Any, Any]], list[int]]) -> None:
    rows, cuts = history
    with tempfile.TemporaryDirectory() as folder:
        one, many = project(Path(folder) / "one"), project(Path(folder) / "many")
        for p in (one, many):  # no affinity: every value stays what it is
            change(p.root / "data" / "shop.db", "drop table orders")
            change(p.root / "data" / "shop.db", "create table orders (id integer primary key, day, amount)")
        expected = outcome(one, [rows])
        assert outcome(many, [rows[a:b] for a, b in pairwise(cuts)]) == expected
        if not isinstance(expected, str):
            assert version(one).rows == version(many).rows == len(rows)
            found = table(many)
            assert found.equals(table(one))
            assert found.select("day", "amount").rows() == rows  # 1 == 1.0


def test_what_was_read_stays_and_only_the_last_page_is_written_anew(tmp_path: Path) -> None:
    p = project(tmp_path)
    order(tmp_path, [("a", n) for n in range(6)])
    first = version(p)
    assert [x.rows for x in first.pages] == [4, 2]
    order(tmp_path, [("a", 6)])
    second = version(p)
    assert (second.pages[0], second.pages[1].rows, second.cursor, second.parent) == (
        first.pages[0],
        3,
        7,
        first.identity,
    )
    change(tmp_path / "data" / "shop.db", "update orders set amount = 99 where id = 1")
    assert version(p) == second  # below the watermark: not seen


def test_nothing_new_asks_one_question_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    p = project(tmp_path)
    order(tmp_path, [("a", 1)])
    known = version(p)
    monkeypatch.setattr("lockgate.adapters.sqlite.SqliteSource.read", lambda *_: pytest.fail("it was read"))
    monkeypatch.setattr("lockgate.durable.write_atomic", lambda *_, **__: pytest.fail("something was written"))
    assert version(p) == known


def test_full_refresh_sees_changes_and_deletions(tmp_path: Path) -> None:
    p = project(tmp_path)
    toml = tmp_path / "lockgate.toml"
    toml.write_text(toml.read_text().replace('watermark = "id"', 'refresh = "full"'))
    p = open_project(tmp_path)
    order(tmp_path, [("a", 1), ("b", 2)])
    first = version(p)
    assert version(p) == first
    change(tmp_path / "data" / "shop.db", "update orders set amount = 9 where id = 1")
    second = version(p)
    change(tmp_path / "data" / "shop.db", "delete from orders where id = 1")
    third = version(p)
    assert [v.rows for v in (first, second, third)] == [2, 2, 1]
    assert len({v.identity for v in (first, second, third)}) == 3
    assert (second.parent, third.parent) == (first.identity, second.identity)


def test_equal_watermarks_have_one_order(tmp_path: Path) -> None:
    """Rows with the same time come in the order of their other columns, not as they lie in the file."""
    found: set[str] = set()
    for name, rows in (("a", [("d", 2), ("d", 1), ("e", 3)]), ("b", [("d", 1), ("d", 2), ("e", 3)])):
        p = project(tmp_path / name)
        toml = p.root / "lockgate.toml"
        toml.write_text(toml.read_text().replace(QUERY, "select day, amount from orders").replace('"id"', '"day"'))
        order(p.root, rows)
        found.add(version(open_project(p.root)).identity)
    assert len(found) == 1


def test_a_lost_page_is_read_again(tmp_path: Path) -> None:
    p = project(tmp_path)
    order(tmp_path, [("a", n) for n in range(6)])
    first = version(p)
    p.store.delete(first.pages[0].object)
    assert version(p).identity == first.identity
    assert p.store.has(first.pages[0].object)


def test_a_shared_version_stands_in_where_there_is_no_database(tmp_path: Path) -> None:
    """A clone with the same store plans and runs; its own database, if it has one, is read from the beginning."""
    shared = f'\n[store]\nurl = "{tmp_path / "store"}"\n'
    ours, bare, other = (make(tmp_path / n, toml=TOML + shared).root for n in "abc")
    create(ours)
    order(ours, [("a", 1), ("b", 2)])
    first = version(open_project(ours))
    assert version(open_project(bare)) == first
    create(other)
    order(other, [("other", 7)])
    assert version(open_project(other)).rows == 1


def test_another_query_begins_anew(tmp_path: Path) -> None:
    p = project(tmp_path)
    order(tmp_path, [("a", 1), ("b", 2)])
    version(p)
    toml = tmp_path / "lockgate.toml"
    toml.write_text(toml.read_text().replace(QUERY, QUERY + " where amount > 1"))
    assert version(open_project(tmp_path)).rows == 1


def test_whole_numbers_no_float_holds_stay_exact(tmp_path: Path) -> None:
    p = project(tmp_path)
    change(tmp_path / "data" / "shop.db", "drop table orders")
    change(tmp_path / "data" / "shop.db", "create table orders (id integer primary key, day, amount)")
    order(tmp_path, [("a", 2**53 + 1)])
    assert table(p)["amount"].to_list() == [2**53 + 1]
    order(tmp_path, [("a", 0.5)])
    with pytest.raises(UsageError, match="no float holds"):
        version(p)
