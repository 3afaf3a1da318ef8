"""Sources of rows: read what is new, keep it as pages, and keep pages and cursor in one record.

The pages are cut every 65,536 rows, wherever a reading began or ended: the last page is written anew when it grows.
So the same rows have the same identity however many readings brought them, and a stream of many small batches does
not leave many small pieces.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable
from lockgate.project import adapter
from lockgate.records.digest import digest
from lockgate.records.rows import PAGE_ROWS, Page, Version, identity_of
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from lockgate.codecs.rows import Columns
    from lockgate.ports import Source
    from lockgate.project import Project, SourceSettings

__all__ = ["open_source", "recorded", "version_of"]


def version_of(project: Project, settings: SourceSettings) -> Version:
    """The source's version now. Asks it one question, and reads only when there is something new.

    Where the database is missing, the version that somebody shared is as good as the rows. Raises NotFound when there
    is neither, and ServiceUnavailable when there are no rows yet.
    """
    key = _key(project, settings)
    known = recorded(project, settings)
    source = open_source(project, settings)
    try:
        newest = source.newest(known.cursor if known else None)
    except NotFound:
        shared = known or _whole(project, _known(project, key, shared=True))
        if shared is None:
            raise
        return shared
    full = settings.refresh == "full"
    if known and not full and newest == known.cursor:
        return known
    version = _Reading(project, settings.name, None if full else known).read(source, newest)
    if known and (version.identity, version.cursor) == (known.identity, known.cursor):
        return known
    version = replace(version, parent=known.identity if known else None)
    _keep(project, key, version)
    return version


def recorded(project: Project, settings: SourceSettings) -> Version | None:
    """What this working copy has read so far; the source is not asked."""
    return _whole(project, _known(project, _key(project, settings), shared=False))


def open_source(project: Project, settings: SourceSettings) -> Source:
    """The adapter of a source of rows."""
    watermark = "" if settings.refresh == "full" else settings.watermark
    return adapter("sqlite", "SqliteSource")(
        settings.name, project.root / settings.path, query=settings.query, watermark=watermark
    )


class _Reading:
    """One reading: pages kept so far, the rows that do not fill one yet, and the types that hold everything."""

    def __init__(self, project: Project, name: str, known: Version | None) -> None:
        from lockgate.codecs import rows

        self._codec, self._project, self._name, self._known = rows, project, name, known
        self._columns: Columns | None = known.columns if known else None
        self._pages: list[tuple[Page, Columns]] = [(p, known.columns) for p in known.pages] if known else []
        self._pending: Any = None
        if self._pages and self._pages[-1][0].rows < PAGE_ROWS:
            self._pending = rows.load_page(project.store.get(self._pages.pop()[0].object))

    def read(self, source: Source, upto: Any) -> Version:
        """Everything behind the known version up to a cursor, as a version."""
        known = self._known
        for batch in source.read(known.cursor if known else None, upto):
            self._add(self._codec.frame_of(batch, source=self._name))
        if self._pending is not None:
            self._save(self._pending)
        if self._columns is None:
            raise ServiceUnavailable(
                "a source has no rows yet", value=self._name,
                next=f"fill its table, or correct the query in [sources.{self._name}]; `lockgate stream` waits for rows",
            )  # fmt: skip
        columns = self._columns
        pages = tuple(p if c == columns else self._recast(p) for p, c in self._pages)
        return Version(
            identity=identity_of(columns, pages),
            cursor=upto,
            columns=columns,
            rows=sum(p.rows for p in pages),
            pages=pages,
        )

    def _add(self, frame: Any) -> None:
        self._columns = self._codec.widen(self._columns, self._codec.columns_of(frame), source=self._name)
        pending = None if self._pending is None else self._cast(self._pending)
        pages, self._pending = self._codec.cut(self._codec.join(pending, self._cast(frame)))
        for page in pages:
            self._save(page)

    def _cast(self, frame: Any) -> Any:
        assert self._columns is not None
        return self._codec.cast_to(frame, self._columns, source=self._name)

    def _save(self, frame: Any) -> None:
        assert self._columns is not None
        self._pages.append((self._stored(frame), self._columns))

    def _recast(self, page: Page) -> Page:
        """A page from before a column's type grew."""
        return self._stored(self._cast(self._codec.load_page(self._project.store.get(page.object))))

    def _stored(self, frame: Any) -> Page:
        folder = self._project.store_folder / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{os.urandom(4).hex()}"
        value = self._codec.save_page(frame, path)
        return Page(object=self._project.store.put(path), digest=value, rows=len(frame))


def _keep(project: Project, key: str, version: Version) -> None:
    """The version under its identity for ever, and as the newest one: shared, then here. The last write commits it."""
    record = to_json(version)
    shared = project.results("sources")
    shared.put(digest("source-version", [key, version.identity]), record)
    shared.put(key, record)
    if project.store_folder != project.home:
        project.local_results("sources").put(key, record)


def _known(project: Project, key: str, *, shared: bool) -> Version | None:
    """The newest version recorded; another working copy's cursor belongs to another database, so it is not ours."""
    record = (project.results if shared else project.local_results)("sources").get(key)
    try:
        return from_json(Version, record) if record else None
    except IntegrityError:
        return None


def _whole(project: Project, version: Version | None) -> Version | None:
    """A version whose pages are all here; otherwise it is read anew."""
    return version if version and all(project.store.has(p.object) for p in version.pages) else None


def _key(project: Project, settings: SourceSettings) -> str:
    """Another query, database or watermark is another source."""
    spec = [settings.kind, settings.path, settings.query, settings.watermark, settings.refresh, settings.version]
    return digest("rows-key", [project.settings.name, settings.name, spec])
