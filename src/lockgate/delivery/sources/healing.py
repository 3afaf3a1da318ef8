"""What the store lost of a source's versions, made again from the source's files as they lie here now."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from lockgate.delivery.put import scratch_file
from lockgate.delivery.sources import packs, pieces
from lockgate.delivery.sources.arrivals import recorded
from lockgate.delivery.sources.seeing import places, see
from lockgate.delivery.sources.versions import list_of, version_in
from lockgate.errors import LockgateError
from lockgate.records.digest import digest_bytes, digest_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from lockgate.delivery.sources.pieces import Pieces
    from lockgate.project import Project
    from lockgate.records.digest import Json

__all__ = ["made_again"]


def made_again(project: Project, records: Mapping[str, Mapping[str, Json]], wanted: str) -> Path | None:
    """A draft with exactly the bytes of a lost object, or None when the source's files have changed since.

    Args:
        records: identity → record, of the versions that need the object.
    """
    if wanted in records:
        found = next((text for text in _lists(project) if digest_bytes(text) == wanted), None)
        return _draft(project, [found], wanted) if found else None
    versions = [v for identity, record in records.items() if (v := version_in(project, identity, record))]
    for version in versions:
        if (draft := packs.again(project, version, places(project), wanted)) is not None:
            return draft
    using = {d: p for v in versions for d, p in v.pieces.items() if wanted in pieces.objects_of([p])}
    drafts = (_draft(project, parts, wanted) for parts in _of_pieces(using, places(project), wanted))
    return next((d for d in drafts if d is not None), None)


def _lists(project: Project) -> Iterator[bytes]:
    """Of the files that the sources hold now."""
    with contextlib.suppress(LockgateError):
        for seen in see(project, now_ns=0, wanted=()).values():
            yield list_of(seen.files)
    for source in project.settings.sources:
        if source.kind == "folder":
            yield list_of(tuple(sorted(recorded(project, source).items())))


def _of_pieces(using: Mapping[str, Pieces], here: Iterable[Path], wanted: str) -> Iterator[Iterator[bytes]]:
    """The object's bytes by each file that has them; each file is read once, however many versions there are."""
    for place in here if using else ():
        with contextlib.suppress(OSError):
            if (made_of := using.get(digest_file(place))) is not None:
                yield pieces.again(made_of, place, wanted)


def _draft(project: Project, parts: Iterable[bytes], wanted: str) -> Path | None:
    draft = scratch_file(project)
    with draft.open("wb") as file:
        file.writelines(parts)
    if digest_file(draft) == wanted:
        return draft
    draft.unlink()
    return None
