"""Folders in which files arrive: each is taken once it is whole, and kept; the list of what was taken is the cursor.

A file that was taken stays part of the source when it is deleted here. One that changes is taken again, under its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.put import keep_copy
from lockgate.records.digest import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.project import Project, SourceSettings
    from lockgate.records.listing import Listing

__all__ = ["arrived", "recorded"]

Files = tuple[tuple[str, str], ...]


def arrived(project: Project, settings: SourceSettings, listing: Listing, digests: Mapping[str, str]) -> Files:
    """Take what has arrived; answer (name, digest) of everything taken so far, sorted.

    Args:
        listing: the files that are whole.
        digests: of those files, by name.
    """
    places = listing.places()
    key, known = _key(project, settings), recorded(project, settings)
    taken = known | {n: d for n, d in digests.items() if _is_taken(project, Path(places[n]), d)}
    if taken != known:
        record = {"files": [[n, taken[n]] for n in sorted(taken)]}
        project.results("sources").put(key, record)
        if project.store_folder != project.home:
            project.local_results("sources").put(key, record)
    return tuple(sorted(taken.items()))


def _is_taken(project: Project, path: Path, digest: str) -> bool:
    """Whether a file is in the store now; one that was changed or taken away while we looked is not."""
    try:
        return project.store.has(digest) or keep_copy(project, path) == digest
    except FileNotFoundError:
        return False


def recorded(project: Project, settings: SourceSettings) -> dict[str, str]:
    """What was taken so far, here or by whoever shared it last; the folder is not asked."""
    key = _key(project, settings)
    record = project.local_results("sources").get(key) or project.results("sources").get(key) or {"files": []}
    return dict(record["files"])


def _key(project: Project, settings: SourceSettings) -> str:
    return digest("folder-key", [project.settings.name, settings.name, settings.path])
