"""`[sources.NAME]` and `[sinks.NAME]` of `lockgate.toml`: where data comes from and goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.records.tables import Table

__all__ = ["SinkSettings", "SourceSettings", "read_sink", "read_source"]

ROWS = ("query", "watermark", "refresh", "version")
PAST = ("date", "date_format")


@frozen
class SourceSettings:
    """One `[sources.NAME]` table.

    Attributes:
        kind: `file` (a file, folder or glob as it is now), `folder` (files that arrive) or `sqlite` (rows).
        settle_s: folder: a file counts once it was left alone for so long.
        query: rows: a select without the watermark's condition.
        watermark: rows: the column that only grows.
        refresh: rows: `new` reads behind the watermark, `full` everything each time.
        version: another number forgets what was read and begins anew.
        date: the column of a CSV table with the day on which a row was known; `date_format`: how it is written, where
            that is not 2011-10-15. A backtest shows a past day the rows before it.
        timeless: it says the same on every day, or every step that reads it cuts it at `as_of`.
    """

    name: str
    kind: str
    path: str
    settle_s: float = 0.0
    query: str = ""
    watermark: str = ""
    refresh: str = "new"
    version: int = 1
    date: str = ""
    date_format: str = ""
    timeless: bool = False


@frozen
class SinkSettings:
    """One `[sinks.NAME]` table: the step whose table is written, and where to.

    Attributes:
        mode: `append` adds rows behind those written before, `replace` writes all anew, `upsert` goes by `key`.
    """

    name: str
    kind: str
    path: str
    step: str
    table: str
    mode: str
    key: tuple[str, ...] = ()


def read_source(name: str, table: Table) -> SourceSettings:
    """Read `[sources.NAME]`. Raises UsageError for unknown keys and wrong values."""
    kind = table.one_of("kind", ("file", "folder", "sqlite"))
    table.only("kind", "path", "timeless", *{"file": PAST, "folder": ("settle", *PAST), "sqlite": ROWS}[kind])
    path, timeless = table.text("path"), table.truth("timeless", False)
    if kind != "sqlite":
        settle_s = _seconds(table, "settle", "2s") if kind == "folder" else 0.0
        date, written = table.text("date", ""), table.text("date_format", "")
        if timeless and date:
            raise table.wrong("timeless", True, "either `date` or `timeless`")
        return SourceSettings(name, kind, path, settle_s, date=date, date_format=written, timeless=timeless)
    query, refresh = table.text("query").strip().rstrip(";"), table.one_of("refresh", ("new", "full"), "new")
    if ":" + "watermark" in query:
        raise table.wrong("query", query, "a select without :watermark; the rows behind it are chosen for you")
    return SourceSettings(
        name, kind, path, query=query, refresh=refresh, version=table.number("version", 1, least=1),
        watermark=table.text("watermark", "" if refresh == "full" else None), timeless=timeless,
    )  # fmt: skip


def read_sink(name: str, table: Table) -> SinkSettings:
    """Read `[sinks.NAME]`. Raises UsageError for unknown keys and wrong values."""
    table.only("kind", "path", "from", "table", "mode", "key")
    mode, key = table.one_of("mode", ("append", "replace", "upsert")), table.texts("key", ())
    if (mode == "upsert") != bool(key):
        raise table.wrong("key", list(key), 'the columns that name a row, ["…"], for mode = "upsert" and only for it')
    return SinkSettings(
        name, table.one_of("kind", ("sqlite",)), table.text("path"), table.text("from"), table.text("table", name), mode, key
    )  # fmt: skip


def _seconds(table: Table, key: str, default: str) -> float:
    """`2s`, `0.5s`, `1m`."""
    from lockgate.records.spans import seconds

    try:
        return seconds(table.text(key, default))
    except ValueError as error:
        raise table.wrong(key, table.content[key], "a time such as 0s, 0.5s, 2s or 1m") from error
