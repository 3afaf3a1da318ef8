"""`lockgate.toml` → frozen settings and wired ports. No verbs."""

from __future__ import annotations

import datetime as dt
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.errors import NotFound, UsageError
from lockgate.records.frozen import field, frozen
from lockgate.records.sources import SinkSettings, SourceSettings, read_sink, read_source
from lockgate.records.tables import read_toml
from lockgate.stores import adapter, alone, bucket_at, folder_at, is_far, lasting, ledger_at, ledger_of, scheme_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.forge.settings import GitlabSettings
    from lockgate.ports import Leases, Ledger, Results, Store, Together
    from lockgate.records.digest import Json
    from lockgate.records.tables import Table

__all__ = ["KINDS", "Project", "Settings", "SinkSettings", "SourceSettings", "adapter", "find_root", "open_project", "read_settings"]  # fmt: skip

FILE = "lockgate.toml"
OWN_STORE = ".lockgate"
CARD = ("owner", "intended", "forbidden", "limits", "licence", "review_by")
KINDS = (
    "results",
    "graphs",
    "sources",
    "releases",
    "bundles",
    "pages",
    "feedback",
    "provenance",
    "policies",
    "measured",
    "summaries",
    "material",
    "attachments",
)
"""Records beside the objects. `lockgate store` looks through all of them: what it does not know it would collect."""


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
        gitlab: where the jobs of a rendered pipeline run; None: nothing was said.
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
    gitlab: GitlabSettings | None = None


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
        return self.home if self._is_far else folder_at(self.root, self._store)

    @cached_property
    def store(self) -> Store:
        near = adapter("local", "LocalStore")(self.store_folder)
        if not self._is_far:
            return near
        return adapter("bucket.store", "BucketStore")(self._bucket, cache=near, scratch=self.store_folder / "tmp")

    @cached_property
    def store_url(self) -> str:
        """Where the store lies, in words that mean the same for every folder of this machine."""
        return lasting(self._store, self.root) if self._is_far else str(self.store_folder)

    @cached_property
    def _store(self) -> str:
        """The store's URL, or that of our own one while the shared one is out of reach for a laptop."""
        return OWN_STORE if self.lacking else self.settings.store

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """What keeps this working copy from the shared store, so that it only reads the shared ledger; empty: nothing."""
        return alone(self.settings.store, self.root)

    @cached_property
    def _bucket(self) -> Any:
        return bucket_at(self._store, self.root)

    @property
    def cache(self) -> Store | None:
        """The copies on this machine of a store that lies far away."""
        return adapter("local", "LocalStore")(self.store_folder) if self._is_far else None

    def results(self, kind: str) -> Results:
        """Small records beside the store, of one of the `KINDS`."""
        if kind not in KINDS:
            raise UsageError("records of an unknown kind", value=kind, allowed=", ".join(KINDS))
        if self._is_far:
            return adapter("bucket.results", "BucketResults")(self._bucket, kind)
        return adapter("local", "LocalResults")(self.store_folder / kind)

    def together(self, kind: str) -> Together | None:
        """The store and these results as one, for groups; None where that is of no use: far away, each is put by itself."""
        return None if self._is_far else adapter("local", "LocalTogether")(self.store_folder, kind)

    def local_results(self, kind: str) -> Results:
        """Small records of this working copy alone."""
        return adapter("local", "LocalResults")(self.home / kind)

    @cached_property
    def leases(self) -> Leases:
        """Who is doing what right now, among all that share the store; on GitLab's packages: on this machine (ADR 34)."""
        if scheme_of(self._store) == "s3":
            return adapter("s3.leases", "S3Leases")(self._store)
        return adapter("local_leases", "LocalLeases")(self.store_folder)

    @property
    def ledger_url(self) -> str:
        """Where the ledger lies: what the settings say, else where the store's is."""
        return self.settings.ledger or ledger_of(self.settings.store) or str(self.store_folder / "ledger")

    @cached_property
    def ledger(self) -> Ledger:
        """The shared ledger, with this working copy's memory of the head it saw last."""
        return ledger_at(self.ledger_url, self.root, home=self.home, lacking=self.lacking)

    @property
    def is_shared(self) -> bool:
        """Others may write to the store: what is not here may still be there."""
        return self.settings.store != OWN_STORE

    @property
    def _is_far(self) -> bool:
        return is_far(self._store)

    def as_of(self, today: dt.date) -> dt.date:
        """The day the project believes it is: the replayed one, else that of `LOCKGATE_AS_OF`, else `today`.

        The jobs of one pipeline agree on a day by that variable, whenever each of them runs.
        """
        if self.settings.as_of_file is None:
            said = os.environ.get("LOCKGATE_AS_OF", "").strip()
            return _day_said(said) if said else today
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


def _day_said(text: str) -> dt.date:
    from lockgate.records.day import day_in

    try:
        return day_in(text)
    except ValueError as error:
        allowed = "2011-10-15, or a time such as 2011-10-15T22:04:05Z"
        raise UsageError("not a day", value=f"LOCKGATE_AS_OF: {text}", allowed=allowed) from error


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
    file.only(
        "project", "sources", "sinks", "params", "store", "ledger", "run", "environments", "groups", "card", "gitlab"
    )
    project, store, ledger, run = (file.table(name) for name in ("project", "store", "ledger", "run"))
    project.only("name", "pipelines", "as_of_file", "banner", "credit", "target")
    store.only("url", "lease_s")
    ledger.only("url")
    run.only("workers")
    groups = file.table("groups")
    return Settings(
        name=project.text("name"),
        pipelines=project.texts("pipelines"),
        sources=tuple(read_source(name, table) for name, table in file.tables("sources").items()),
        sinks=tuple(read_sink(name, table) for name, table in file.tables("sinks").items()),
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
        gitlab=_gitlab(file),
    )


def _gitlab(file: Table) -> GitlabSettings | None:
    if "gitlab" not in file.content:
        return None
    from lockgate.forge.settings import read_gitlab  # few commands ask

    return read_gitlab(file.table("gitlab"))


def _card(table: Table) -> dict[str, str | tuple[str, ...]]:
    """Only what was written: a sentence that nobody wrote is missing on the page, not empty."""
    table.only(*CARD)
    lists = ("forbidden", "limits")
    return {n: table.texts(n) if n in lists else table.text(n) for n in CARD if n in table.content}


def _port(table: Table) -> int:
    table.only("port")
    return table.number("port", 0, least=0, most=65535)
