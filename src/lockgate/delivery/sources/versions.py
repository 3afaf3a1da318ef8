"""The versions of a source that are kept: which files, by name and digest, and where their bytes lie.

The list of a version's files is an object of the store, and its digest is the version's identity: so nobody can name
other files under it. Beside it lies a small record of what may change: in which packs and pieces files are found.
That a person keeps a version for a source is a record of its own: equal files of two sources are one version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from lockgate.delivery.put import keep_bytes
from lockgate.delivery.sources.packs import Pack, packs_in
from lockgate.delivery.sources.pieces import Pieces, pieces_in
from lockgate.errors import IntegrityError, LockgateError, NotFound, ServiceUnavailable
from lockgate.records.digest import Json, canonical, digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.project import Project

__all__ = [
    "SourceVersion",
    "files_in",
    "is_kept",
    "keep_version",
    "list_of",
    "mark",
    "newest_version",
    "recorded",
    "source_key",
    "version_in",
    "version_under",
]

TAG = "source"
Files = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class SourceVersion:
    """What a source held at one time.

    Attributes:
        identity: the digest of the list of its files; of a source of rows, that of their values.
        files: (name, digest), sorted; pages of rows are files, too.
        single: the source is one file, not a folder or a glob that may hold more.
        packs: where its small files lie.
        pieces: file digest → what a large file is made of; the others are objects of their own.
    """

    source: str
    identity: str
    files: Files
    single: bool = False
    packs: tuple[Pack, ...] = ()
    pieces: Mapping[str, Pieces] = field(default_factory=dict[str, Pieces])

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Name → digest."""
        return dict(self.files)


def list_of(files: Files) -> bytes:
    """The list of a version's files as it is kept; its digest is that of the version."""
    return canonical([TAG, files])


def source_key(project: Project, source: str) -> str:
    """Under which key it is recorded which version of a source is the newest."""
    return digest("source-key", [project.settings.name, source])


def keep_version(project: Project, version: SourceVersion) -> None:
    """Record a version; its files are in the store already. What was known of it before is replaced: its packs may be others."""
    results, record = project.results("sources"), recorded(version)
    if digest(TAG, version.files) == version.identity:
        del record["files"]
        if not project.store.has(version.identity):
            keep_bytes(project, list_of(version.files))
    if results.get(version.identity) != record:
        results.put(version.identity, record)


def mark(project: Project, source: str, identity: str, *, kept: bool) -> None:
    """Whether a person keeps a version for a source; `store gc` leaves what any mark names, and no run writes one."""
    key = digest("source-kept", [project.settings.name, source, identity])
    if kept:
        project.results("sources").put(key, {"keeps": identity})
    else:
        project.results("sources").delete(key)


def recorded(version: SourceVersion) -> dict[str, Json]:
    """A version as a JSON value: `version_in` reads it."""
    record: dict[str, Json] = {
        "name": version.source,
        "single": version.single,
        "files": [list(f) for f in version.files],
    }
    if version.packs:
        record["packs"] = [list(p.objects) for p in version.packs]
    if version.pieces:
        record["pieces"] = {f: [[p.object, p.start, p.size_bytes] for p in of] for f, of in version.pieces.items()}
    return record


def newest_version(project: Project, source: str) -> SourceVersion | None:
    """What was kept last of a source; None when that is nothing, or not here any more."""
    record: Mapping[str, Json] = project.results("sources").get(source_key(project, source)) or {}
    if isinstance(named := record.get("version"), str):
        return version_under(project, named)
    files = files_in(record.get("files"))  # before Lockgate 0.2 the files themselves stood there
    return version_in(project, digest(TAG, files), {**record, "name": source}) if files else None


def version_under(project: Project, identity: str) -> SourceVersion | None:
    """The version with an identity; None where there is none, and where what is recorded under it has another one."""
    record: Mapping[str, Json] | None = project.results("sources").get(identity)
    return version_in(project, identity, record) if record else None


def is_kept(project: Project, identity: str) -> bool:
    """Whether a version is recorded; its list is not read."""
    record = project.results("sources").get(identity)
    return record is not None and ("files" in record or project.store.has(identity))


def version_in(project: Project, identity: str, record: Mapping[str, Json]) -> SourceVersion | None:
    """The same, of a record that was read. Others may write a shared store's records, so the identity is taken again."""
    files = files_in(record["files"]) if "files" in record else _listed(project, identity)
    if not files:
        return None
    if "files" in record and identity not in (digest(TAG, files), _rows_identity(project, [d for _, d in files])):
        return None
    return SourceVersion(
        source=str(record.get("name", "")), identity=identity, files=files,
        single=bool(record.get("single")) and len(files) == 1, packs=packs_in(record), pieces=pieces_in(record),
    )  # fmt: skip


def _listed(project: Project, identity: str) -> Files:
    """The object with that digest, whose bytes are checked, if it is a list of files."""
    try:
        tag, files = json.loads(project.store.get(identity).read_bytes())
    except (NotFound, IntegrityError, OSError, ValueError, TypeError, RecursionError):
        return ()
    return files_in(files) if tag == TAG else ()


def files_in(value: Json) -> Files:
    """(name, digest) of each; others may write it, so what is not in that form counts as none."""
    is_list = isinstance(value, list) and {*map(type, value)} <= {list} and {*map(len, value)} <= {2}
    return tuple(map(tuple, value)) if is_list and {*map(type, chain.from_iterable(value))} <= {str} else ()


def _rows_identity(project: Project, pages: Sequence[str]) -> str | None:
    """Of a source of rows, by the values of its pages; None when they are none, or not here."""
    if not pages or not all(project.store.has(p) for p in pages):
        return None
    from lockgate.codecs import rows

    try:
        return rows.identity_of_pages([project.store.get(p) for p in pages])
    except ServiceUnavailable:
        raise
    except (LockgateError, OSError):
        return None
