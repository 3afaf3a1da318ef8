"""Folders in which files arrive: each is taken once it is whole, and kept; the list of what was taken is the cursor.

A file that was taken stays part of the source when it is deleted here. One that changes is taken again, under its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.keep import keep_copy
from lockgate.project import adapter
from lockgate.records.digest import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lockgate.project import Project, SourceSettings

__all__ = ["arrived", "recorded"]

Files = tuple[tuple[str, str], ...]


def arrived(
    project: Project, settings: SourceSettings, digest_of: Callable[[Path], str], *, now_ns: int
) -> tuple[Files, Mapping[str, Path], int]:
    """(name, digest) of everything taken so far, sorted; where the files are; and how many wait to be whole."""
    folder = adapter("files", "ArrivingFiles")(project.root, settings.path, settle_s=settings.settle_s, now_ns=now_ns)
    here: dict[str, Path] = dict(folder.files())
    key, known = _key(project, settings), recorded(project, settings)
    taken = known | {n: d for n, p in here.items() if (d := _taken(project, p, digest_of)) is not None}
    if taken != known:
        record = {"files": [[n, taken[n]] for n in sorted(taken)]}
        project.results("sources").put(key, record)
        if project.store_folder != project.home:
            project.local_results("sources").put(key, record)
    return tuple(sorted(taken.items())), here, folder.waiting()


def _taken(project: Project, path: Path, digest_of: Callable[[Path], str]) -> str | None:
    """The digest of a file that is in the store now; None for one that was changed or taken away while we looked."""
    try:
        found = digest_of(path)
        if project.store.has(found) or keep_copy(project, path) == found:
            return found
    except FileNotFoundError:
        pass
    return None


def recorded(project: Project, settings: SourceSettings) -> dict[str, str]:
    """What was taken so far, here or by whoever shared it last; the folder is not asked."""
    key = _key(project, settings)
    record = project.local_results("sources").get(key) or project.results("sources").get(key) or {"files": []}
    return dict(record["files"])


def _key(project: Project, settings: SourceSettings) -> str:
    return digest("folder-key", [project.settings.name, settings.name, settings.path])
