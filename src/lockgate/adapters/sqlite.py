"""SQLite: rows behind a watermark, and a table that is written exactly once."""
# The query is the project's own, names are quoted, values are bound.
# ruff: noqa: S608

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from lockgate.durable import make_folder
from lockgate.errors import LockgateError, MovedOn, NotFound, ServiceUnavailable, StepFailed, UsageError
from lockgate.records.rows import Batch, Mark

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from lockgate.records.digest import Json

__all__ = ["SqliteSink", "SqliteSource"]

BATCH_ROWS = 1 << 16
PATIENCE_S = 5.0
MARKS = "_lockgate_sinks"
"""The table beside the sink's own that says which artifact it holds."""


class SqliteSource:
    """A select statement over a database that somebody else writes; opened read-only.

    `watermark` is a column of the answer that only grows: index it. An empty one reads everything, and then there
    is no cursor.
    """

    def __init__(self, name: str, path: Path, *, query: str, watermark: str) -> None:
        self._name, self._path, self._watermark = name, path, watermark
        self._query = f"{query}\n"  # it may end with a comment

    def newest(self, after: Json) -> Json:
        """The greatest watermark: one query, answered from the index if there is one."""
        if not self._watermark:
            return None
        with self._open() as connection:
            self._columns(connection)
            found = connection.execute(f"select max({quoted(self._watermark)}) from ({self._query})").fetchone()[0]
        return self._checked(found, after)

    def read(self, after: Json, upto: Json) -> Iterator[Batch]:
        """Rows ordered by the watermark and, where it is equal, by all columns; one statement, so one snapshot."""
        with self._open() as connection:
            columns = self._columns(connection)
            where, values = self._condition(connection, after, upto)
            first = [quoted(self._watermark)] if self._watermark else []
            order = ", ".join([*first, *(str(n + 1) for n in range(len(columns)))])
            found = connection.execute(f"select * from ({self._query}) {where} order by {order}", values)
            while rows := found.fetchmany(BATCH_ROWS):
                yield Batch(columns, rows)

    def _condition(self, connection: sqlite3.Connection, after: Json, upto: Json) -> tuple[str, list[Json]]:
        if not self._watermark:
            return "", []
        column = quoted(self._watermark)
        if connection.execute(f"select 1 from ({self._query}) where {column} is null limit 1").fetchone():
            raise self._broken(
                "a row has no watermark and would never be read",
                f"{self._watermark} is NULL",
                f"a number or text in every row; add `where {self._watermark} is not null` to the query to leave such rows out",
            )
        if after is None:
            return f"where {column} <= ?", [upto]
        return f"where {column} > ? and {column} <= ?", [after, upto]

    def _columns(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        """Names of the answer's columns, the watermark among them."""
        found = connection.execute(f"select * from ({self._query}) limit 0")
        columns = tuple(str(c[0]) for c in found.description)
        if self._watermark and self._watermark not in columns:
            raise self._broken(
                "the query of a source does not answer its watermark",
                self._watermark,
                f"one of its columns: {', '.join(columns)}",
            )
        return columns

    def _checked(self, found: Any, after: Json) -> Json:
        """A watermark never goes back and stays of one kind."""
        if found is None and after is None:
            return None
        if isinstance(found, bytes) or (isinstance(found, float) and found in (float("inf"), float("-inf"))):
            raise self._broken(
                "a watermark of a kind that has no order", repr(found)[:40], "whole numbers, numbers, text"
            )
        if isinstance(found, str) != isinstance(after, str) and None not in (found, after):
            raise self._broken("a watermark changed its kind", f"was {after!r}, is {found!r}", "one kind of value")
        if after is not None and (found is None or found < after):
            raise UsageError(
                "the watermark of a source went backwards",
                value=f"{self._name}: {self._watermark} was {after!r}, is {found!r}",
                allowed="rows are only added",
                next=f'look whether {self._path} is the right database; if rows were replaced on purpose, begin anew with '
                f'another `version` in [sources.{self._name}], or use refresh = "full"',
            )  # fmt: skip
        return found

    def _broken(self, what: str, value: str, allowed: str) -> UsageError:
        return UsageError(
            what, value=f"{self._name}: {value}", allowed=allowed, next=f"edit [sources.{self._name}] in lockgate.toml"
        )

    @contextlib.contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        if not self._path.is_file():
            raise NotFound(
                "the database of a source is missing", value=f"{self._name}: {self._path}",
                next=f"put it there, or edit [sources.{self._name}] in lockgate.toml",
            )  # fmt: skip
        with translated(f"source {self._name}", self._path):
            connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)
            with contextlib.closing(connection):
                yield connection


class SqliteSink:
    """One table of a database. Rows and bookkeeping change in one transaction.

    `mode`: `append`, `replace` or `upsert`; `key`: the columns that name a row, for `upsert`. A table that is not
    there is made; dates and times are ISO text.
    """

    def __init__(self, name: str, path: Path, *, table: str, mode: str, key: Sequence[str] = ()) -> None:
        self._name, self._path, self._table, self._mode, self._key = name, path, table, mode, tuple(key)

    def mark(self) -> Mark | None:
        """What the bookkeeping says, as long as the table is there."""
        if not self._path.is_file():
            return None
        with self._open() as connection:
            return self._marked(connection)

    def write(
        self, batches: Iterable[Batch], *, kinds: Sequence[tuple[str, str]], mark: Mark, after: Mark | None
    ) -> bool:
        """All in one transaction, which no other writer can enter."""
        make_folder(self._path.parent)
        with self._open() as connection:
            connection.execute("pragma synchronous = full")
            connection.execute("begin immediate")
            found = self._marked(connection)
            if found == mark:
                connection.execute("rollback")
                return False
            if found != after:
                raise MovedOn("somebody else wrote to a sink", value=self._name, next="try again")
            self._prepare(connection, kinds)
            statement = self._statement([c for c, _ in kinds])
            for batch in batches:
                connection.executemany(statement, batch.rows)
            connection.execute(
                f"insert or replace into {MARKS} values (?, ?, ?, ?)",
                [self._name, self._table, mark.artifact, mark.rows],
            )
            connection.execute("commit")
        return True

    def _prepare(self, connection: sqlite3.Connection, kinds: Sequence[tuple[str, str]]) -> None:
        """The table with at least our columns, emptied when it is written anew."""
        connection.execute(
            f"create table if not exists {MARKS} (sink text primary key, place text, artifact text not null, rows integer)"
        )
        there = [str(row[1]) for row in connection.execute(f"pragma table_info({quoted(self._table)})")]
        if not there:
            key = [f"primary key ({', '.join(map(quoted, self._key))})"] if self._key else []
            columns = ", ".join([*(f"{quoted(c)} {kind}" for c, kind in kinds), *key])
            connection.execute(f"create table {quoted(self._table)} ({columns})")
        elif missing := [c for c, _ in kinds if c.lower() not in {t.lower() for t in there}]:
            raise UsageError(
                "the table of a sink lacks columns",
                value=f"{self._name}: {self._table}: {', '.join(missing)}",
                allowed=f"its columns: {', '.join(there)}",
                next=f"add the columns to the table, or name another one in [sinks.{self._name}]",
            )
        if self._mode == "replace":
            connection.execute(f"delete from {quoted(self._table)}")

    def _statement(self, columns: Sequence[str]) -> str:
        names = ", ".join(map(quoted, columns))
        insert = f"insert into {quoted(self._table)} ({names}) values ({', '.join('?' * len(columns))})"
        if self._mode != "upsert":
            return insert
        others = ", ".join(f"{quoted(c)} = excluded.{quoted(c)}" for c in columns if c not in self._key)
        return f"{insert} on conflict ({', '.join(map(quoted, self._key))}) do " + (
            f"update set {others}" if others else "nothing"
        )

    def _marked(self, connection: sqlite3.Connection) -> Mark | None:
        known = {str(row[0]) for row in connection.execute("select name from sqlite_master where type = 'table'")}
        if not {MARKS, self._table} <= known:
            return None
        found = connection.execute(
            f"select artifact, rows from {MARKS} where sink = ? and place = ?", [self._name, self._table]
        ).fetchone()
        return Mark(*found) if found else None

    @contextlib.contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with translated(f"sink {self._name}", self._path):
            connection = sqlite3.connect(self._path, timeout=PATIENCE_S, isolation_level=None)
            with contextlib.closing(connection):  # closing rolls back what was not committed
                yield connection


def quoted(name: str) -> str:
    """An identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def translated(who: str, path: Path) -> Generator[None]:
    """SQLite's errors: busy and unreadable are outside's, the rest is in the declaration or in the rows."""
    table = f"[{who.replace(' ', 's.')}] in lockgate.toml"
    try:
        yield
    except LockgateError:
        raise
    except (sqlite3.IntegrityError, sqlite3.DataError) as error:
        raise StepFailed("the table refuses a row", value=f"{who}: {error}", next="correct the step's table") from error
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_ERROR, 0):  # 0: Python's own, such as text that is not UTF-8
            raise UsageError("SQLite refuses a statement", value=f"{who}: {error}", next=f"edit {table}") from error
        busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        raise ServiceUnavailable(
            "a database is locked by somebody else" if busy else "a database does not answer",
            value=f"{who}: {path}: {error}",
            next="try again when the other writer is done" if busy else "look at the file's permissions and the disk",
        ) from error
    except sqlite3.DatabaseError as error:
        raise UsageError("not a SQLite database", value=f"{who}: {path}: {error}", next=f"edit {table}") from error
