"""`lockgate.toml` → frozen settings and wired ports. No verbs."""

from __future__ import annotations

import datetime as dt
import importlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.errors import NotFound, UsageError
from lockgate.records.frozen import field, frozen
from lockgate.records.tables import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.ports import Leases, Ledger, Results, Store, Together
    from lockgate.records.digest import Json
    from lockgate.records.tables import Table

__all__ = ["KINDS", "Project", "Settings", "SinkSettings", "SourceSettings", "adapter", "find_root", "open_project", "read_settings"]  # fmt: skip

FILE = "lockgate.toml"
OWN_STORE = ".lockgate"
LEDGER_BRANCH = "lockgate/ledger"
CARD = ("owner", "intended", "forbidden", "limits", "licence", "review_by")
ROWS = ("query", "watermark", "refresh", "version")
PAST = ("date", "date_format")
KINDS = (
    "results",
    "graphs",
    "sources",
    "releases",
    "bundles",
    "pages",
    "feedback",
    "policies",
    "measured",
    "summaries",
)
"""Records beside the objects. `lockgate store` looks through all of them: what it does not know it would collect."""


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


@frozen
class Settings:
    """Everything `lockgate.toml` says.

    Attributes:
        as_of_file: a file that holds the project's day (a replay); None: the clock.
        banner: text on top of every page, e.g. in a demo.
        credit: lines about the data that every page shows.
        target: one sentence: what the predicted number means.
        ports: environment → TCP port that `serve` binds on loopback.
        lease_s: how long a run that says nothing more is believed to be at work.
        groups: column that the checks slice by → one sentence on what its groups are, for the evidence page.
        card: what the owner says the model is for, in `CARD`'s words; empty: nothing was said.
    """

    name: str
    pipelines: tuple[str, ...]
    sources: tuple[SourceSettings, ...]
    sinks: tuple[SinkSettings, ...]
    params: Mapping[str, Mapping[str, Json]]
    as_of_file: str | None = None
    banner: str = ""
    credit: tuple[str, ...] = ()
    target: str = ""
    store: str = OWN_STORE
    lease_s: int = 20
    ledger: str | None = None
    workers: int = 2
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    card: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict[str, str | tuple[str, ...]])


@frozen(slots=False)
class Project:
    """A project opened: where it is, what it says, and its ports."""

    root: Path
    settings: Settings

    @property
    def home(self) -> Path:
        """Everything local: caches, scratch, keys, unpacked releases. Git-ignored, never a key."""
        return self.root / ".lockgate"

    @cached_property
    def store_folder(self) -> Path:
        """Where the store lies, or, when it lies far away, what of it is cached here."""
        return self.home if self._is_far else _folder(self.root, self.settings.store)

    @cached_property
    def store(self) -> Store:
        near = adapter("local", "LocalStore")(self.store_folder)
        if not self._is_far:
            return near
        return adapter("s3.store", "S3Store")(self.settings.store, cache=near, scratch=self.store_folder / "tmp")

    @property
    def cache(self) -> Store | None:
        """The copies on this machine of a store that lies far away."""
        return adapter("local", "LocalStore")(self.store_folder) if self._is_far else None

    def results(self, kind: str) -> Results:
        """Small records beside the store, of one of the `KINDS`."""
        if kind not in KINDS:
            raise UsageError("records of an unknown kind", value=kind, allowed=", ".join(KINDS))
        if self._is_far:
            return adapter("s3.results", "S3Results")(self.settings.store, kind)
        return adapter("local", "LocalResults")(self.store_folder / kind)

    def together(self, kind: str) -> Together | None:
        """The store and these results as one, for groups; None where that is of no use: far away, each is put by itself."""
        return None if self._is_far else adapter("local", "LocalTogether")(self.store_folder, kind)

    def local_results(self, kind: str) -> Results:
        """Small records of this working copy alone."""
        return adapter("local", "LocalResults")(self.home / kind)

    @cached_property
    def leases(self) -> Leases:
        """Who is doing what right now, among all that share the store."""
        if self._is_far:
            return adapter("s3.leases", "S3Leases")(self.settings.store)
        return adapter("local_leases", "LocalLeases")(self.store_folder)

    @cached_property
    def ledger(self) -> Ledger:
        """The shared ledger, with this working copy's memory of the head it saw last."""
        url = self.settings.ledger or (self.settings.store if self._is_far else None)
        seen = self.home / "ledger-seen"
        if url and _is_far(url):
            return adapter("s3.ledger", "S3Ledger")(url, seen=seen)
        if url and url.startswith("git:"):
            remote, _, branch = url.removeprefix("git:").partition("#")
            return adapter("git_branch.ledger", "BranchLedger")(
                remote or "origin", branch or LEDGER_BRANCH, root=self.root, copy=self.home / "ledger.git", seen=seen
            )
        folder = _folder(self.root, url) if url else self.store_folder / "ledger"
        return adapter("ledger_file", "FileLedger")(folder, seen=seen)

    @property
    def is_shared(self) -> bool:
        """Others may write to the store: what is not here may still be there."""
        return self.settings.store != OWN_STORE

    @property
    def _is_far(self) -> bool:
        return _is_far(self.settings.store)

    def as_of(self, today: dt.date) -> dt.date:
        """The day the project believes it is: the replayed one, else `today`."""
        if self.settings.as_of_file is None:
            return today
        path = self.root / self.settings.as_of_file
        try:
            from lockgate.records.day import read_day

            return read_day(path.read_text().strip())
        except OSError as error:
            raise NotFound(
                "the file with the replayed day is missing",
                value=self.settings.as_of_file,
                next=f"write the day into {self.settings.as_of_file}, e.g. 2011-10-15",
            ) from error
        except ValueError as error:
            raise UsageError("not a day", value=f"{self.settings.as_of_file}: {error}", allowed="YYYY-MM-DD") from error


def find_root(start: Path) -> Path:
    """The nearest folder upward that holds `lockgate.toml`."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise NotFound("no lockgate.toml here or above", value=str(start), next="lockgate init")


def open_project(start: Path) -> Project:
    """Read the settings of the project that `start` lies in. Ports open when first used."""
    root = find_root(start.resolve())
    return Project(root, read_settings((root / FILE).read_text(encoding="utf-8")))


def read_settings(text: str) -> Settings:
    """Read `lockgate.toml`. Unknown keys and wrong types are errors that name the key and what is allowed.

    >>> read_settings('[project]\\nname = "demand"\\npipelines = ["demand.pipelines"]').name
    'demand'
    """
    file = read_toml(text, FILE)
    file.only("project", "sources", "sinks", "params", "store", "ledger", "run", "environments", "groups", "card")
    project, store, ledger, run = (file.table(name) for name in ("project", "store", "ledger", "run"))
    project.only("name", "pipelines", "as_of_file", "banner", "credit", "target")
    store.only("url", "lease_s")
    ledger.only("url")
    run.only("workers")
    groups = file.table("groups")
    return Settings(
        name=project.text("name"),
        pipelines=project.texts("pipelines"),
        sources=tuple(_source(name, table) for name, table in file.tables("sources").items()),
        sinks=tuple(_sink(name, table) for name, table in file.tables("sinks").items()),
        params={name: table.content for name, table in file.tables("params").items()},
        as_of_file=project.maybe_text("as_of_file"),
        banner=project.text("banner", ""),
        credit=project.texts("credit", ()),
        target=project.text("target", ""),
        store=store.text("url", OWN_STORE),
        lease_s=store.number("lease_s", 20, least=1, most=3600),
        ledger=ledger.maybe_text("url"),
        workers=run.number("workers", 2, least=1),
        ports={name: _port(table) for name, table in file.tables("environments").items()},
        groups={name: groups.text(name) for name in groups.content},
        card=_card(file.table("card")),
    )


def _card(table: Table) -> dict[str, str | tuple[str, ...]]:
    """Only what was written: a sentence that nobody wrote is missing on the page, not empty."""
    table.only(*CARD)
    lists = ("forbidden", "limits")
    return {n: table.texts(n) if n in lists else table.text(n) for n in CARD if n in table.content}


def _source(name: str, table: Table) -> SourceSettings:
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


def _sink(name: str, table: Table) -> SinkSettings:
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


def _port(table: Table) -> int:
    table.only("port")
    return table.number("port", 0, least=0, most=65535)


def _is_far(url: str) -> bool:
    return url.startswith("s3://")


def _folder(root: Path, url: str) -> Path:
    """`file://…` or a path, relative to the project. Other schemes come with their adapters."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return (root / url).resolve()
    if scheme != "file":
        raise UsageError(
            "a place of unknown kind", value=url, allowed="file://…, s3://BUCKET/PREFIX, a folder; a ledger: git:REMOTE#BRANCH",
            next=f"edit {FILE}",
        )  # fmt: skip
    return (root / rest).resolve()


def adapter(module: str, name: str) -> Any:
    """Nobody imports an adapter: it resolves by its name."""
    return getattr(importlib.import_module(f"lockgate.adapters.{module}"), name)
