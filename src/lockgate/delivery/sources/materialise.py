"""Keep what was seen of a source in the store, and give the steps a read-only view of exactly that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.sources.keeping import keep
from lockgate.delivery.sources.views import show, view_of

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.delivery.sources.seeing import Seen
    from lockgate.project import Project

__all__ = ["materialise"]


def materialise(project: Project, seen: Seen) -> Path:
    """Put a source's files into the store and answer a read-only view of exactly what was seen.

    A folder source gives a folder, a single file the file itself, names kept: links to objects, and files out of packs.
    """
    kept = keep(project, seen)
    view = view_of(project, seen)
    show(project, seen, kept)
    return view / seen.files[0][0] if seen.single else view
