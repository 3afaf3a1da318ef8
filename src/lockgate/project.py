"""`lockgate.toml` → frozen settings and wired ports. No verbs."""

from __future__ import annotations

import datetime as dt
import importlib
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.errors import NotFound, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.ports import Ledger, Results, Store
    from lockgate.records.digest import Json

__all__ = ["Project", "Settings", "SourceSettings", "adapter", "find_root", "open_project", "read_settings"]

FILE = "lockgate.toml"

# table → the keys it may have; None: any name, checked by whoever reads it.
KEYS: Mapping[str, Sequence[str] | None] = {
    "project": ("name", "pipelines", "as_of_file", "banner", "credit", "target"),
    "sources": None,
    "params": None,
    "store": ("url",),
    "ledger": ("url",),
    "run": ("workers",),
    "environments": None,
    "groups": None,
}


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One `[sources.NAME]` table."""

    name: str
    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `lockgate.toml` says.

    Attributes:
        as_of_file: a file that holds the project's day (a replay); None: the clock.
        banner: text on top of every page, e.g. in a demo.
        credit: lines about the data that every page shows.
        target: one sentence: what the predicted number means.
        ports: environment → TCP port that `serve` binds on loopback.
        groups: column that the checks slice by → one sentence on what its groups are, for the evidence page.
    """

    name: str
    pipelines: tuple[str, ...]
    sources: tuple[SourceSettings, ...]
    params: Mapping[str, Mapping[str, Json]]
    as_of_file: str | None = None
    banner: str = ""
    credit: tuple[str, ...] = ()
    target: str = ""
    store: str = ".lockgate"
    ledger: str | None = None
    workers: int = 2
    ports: Mapping[str, int] | None = None
    groups: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
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
        return _folder(self.root, self.settings.store)

    @cached_property
    def store(self) -> Store:
        return adapter("local", "LocalStore")(self.store_folder)

    def results(self, kind: str) -> Results:
        """Small records beside the store: `results`, `graphs`, `sources`, `releases`."""
        return adapter("local", "LocalResults")(self.store_folder / kind)

    @cached_property
    def ledger(self) -> Ledger:
        """The shared ledger, with this working copy's memory of the head it saw last."""
        folder = _folder(self.root, self.settings.ledger) if self.settings.ledger else self.store_folder / "ledger"
        return adapter("ledger_file", "FileLedger")(folder, seen=self.home / "ledger-seen")

    def as_of(self, today: dt.date) -> dt.date:
        """The day the project believes it is: the replayed one, else `today`."""
        if self.settings.as_of_file is None:
            return today
        path = self.root / self.settings.as_of_file
        try:
            return dt.date.fromisoformat(path.read_text().strip())
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
    """Read `lockgate.toml`. Unknown keys are errors with a did-you-mean.

    >>> read_settings('[project]\\nname = "demand"\\npipelines = ["demand.pipelines"]').name
    'demand'
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError("lockgate.toml is not valid TOML", value=str(error)) from error
    _check(tables)
    project = tables["project"]
    return Settings(
        name=project["name"],
        pipelines=tuple(project["pipelines"]),
        sources=tuple(_source(n, t) for n, t in tables.get("sources", {}).items()),
        params=tables.get("params", {}),
        as_of_file=project.get("as_of_file"),
        banner=project.get("banner", ""),
        credit=tuple(project.get("credit", ())),
        target=project.get("target", ""),
        store=tables.get("store", {}).get("url", ".lockgate"),
        ledger=tables.get("ledger", {}).get("url"),
        workers=tables.get("run", {}).get("workers", 2),
        ports={n: t["port"] for n, t in tables.get("environments", {}).items() if "port" in t},
        groups={n: _sentence(n, t) for n, t in tables.get("groups", {}).items()},
    )


def _check(tables: Mapping[str, Any]) -> None:
    for table, content in tables.items():
        if table not in KEYS:
            raise UsageError("unknown table in lockgate.toml", value=f"[{table}]", allowed=did_you_mean(table, KEYS))
        allowed = KEYS[table]
        for key in content:
            if allowed is not None and key not in allowed:
                raise UsageError(
                    "unknown key in lockgate.toml", value=f"{table}.{key}", allowed=did_you_mean(key, allowed)
                )
    for key in ("name", "pipelines"):
        if key not in tables.get("project", {}):
            raise UsageError(
                "lockgate.toml lacks a key", value=f"project.{key}", next="see docs/design.md, section 4.2"
            )


def _sentence(name: str, text: Json) -> str:
    if not isinstance(text, str):
        raise UsageError(
            "a group is explained in one sentence", value=f"groups.{name} = {text}", allowed=f'{name} = "…"'
        )
    return text


def _source(name: str, table: Mapping[str, Json]) -> SourceSettings:
    if table.get("kind") != "file":
        raise UsageError("a source of unknown kind", value=f"{name}: {table.get('kind')}", allowed="file")
    if unknown := set(table) - {"kind", "path"}:
        key = sorted(unknown)[0]
        raise UsageError(
            "unknown key in lockgate.toml", value=f"sources.{name}.{key}", allowed=did_you_mean(key, ("kind", "path"))
        )
    if "path" not in table:
        raise UsageError("a source has no path", value=name, allowed='path = "data/…"')
    return SourceSettings(name, "file", str(table["path"]))


def _folder(root: Path, url: str) -> Path:
    """`file://…` or a path, relative to the project. Other schemes come with their adapters."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return (root / url).resolve()
    if scheme != "file":
        raise UsageError("a store of unknown kind", value=url, allowed="file://…, or a folder")
    return (root / rest).resolve()


def adapter(module: str, name: str) -> Any:
    """Nobody imports an adapter: it resolves by its name."""
    return getattr(importlib.import_module(f"lockgate.adapters.{module}"), name)
