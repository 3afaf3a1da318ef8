"""`store`: how large it is, and what takes the room."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.store.contents import named_records
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockgate.project import Project

__all__ = ["Part", "sizes"]

ORDER = ("releases", "pages", "feedback", "sources", "results", "measured", "material")
"""An object that several kinds need counts for the first of them."""

WORDS = {
    "releases": "files of releases",
    "pages": "evidence pages and cards",
    "feedback": "feedback",
    "sources": "files of sources",
    "results": "results of steps",
    "measured": "evidence of gates",
    "material": "what releases are judged on",
    "": "what nothing names",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One kind of content: how many, how large; `here`: on this machine only, and can be made or fetched again."""

    kind: str
    count: int
    size_bytes: int
    here: bool = False


def sizes(project: Project) -> tuple[Part, ...]:
    """Every kind of content, largest first within the store; then what lies on this machine only."""
    from lockgate.delivery.identity import read_ledger

    try:
        trust = read_ledger(project)
    except LockgateError:
        trust = None
    records = tuple(named_records(project, trust))
    owner = {d: kind for kind in reversed(ORDER) for r in records if r.kind == kind for d in r.objects}
    found: dict[str, list[int]] = {}
    for held in project.store.held():
        found.setdefault(owner.get(held.key, ""), []).append(held.size_bytes)
    parts = [_part(WORDS[kind], each) for kind, each in found.items()]
    parts.append(_part("records", [r.size_bytes for r in records]))
    near = [("unpacked releases", project.home / "releases"), ("scratch", project.store_folder / "tmp")]
    if project.cache is not None:
        near.append(("copies of objects", project.store_folder / "objects"))
    here = [_part(name, _files(folder), here=True) for name, folder in near]
    return (*sorted(parts, key=lambda p: -p.size_bytes), *(p for p in here if p.count))


def _part(kind: str, each: list[int], *, here: bool = False) -> Part:
    return Part(kind=kind, count=len(each), size_bytes=sum(each), here=here)


def _files(folder: Path) -> list[int]:
    places: Iterable[str] = (os.path.join(top, n) for top, _, names in os.walk(folder) for n in names)
    return [os.lstat(p).st_size for p in places]
