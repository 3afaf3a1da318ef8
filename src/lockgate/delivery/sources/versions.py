"""Which files a source had under an identity. Others may write a shared store's records, so the identity is taken again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.errors import LockgateError
from lockgate.records.digest import Json, digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.project import Project

__all__ = ["recorded_under"]


def recorded_under(project: Project, identity: str) -> Mapping[str, Json] | None:
    """The record of a source's version; None where there is none, and where what it names has another identity."""
    record: Mapping[str, Json] = project.results("sources").get(identity) or {}
    files = record.get("files")
    if not isinstance(files, list) or not all(_is_file(f) for f in files):
        return None
    if digest("source", files) != identity and _rows_identity(project, [d for _, d in files]) != identity:
        return None
    return {**record, "single": bool(record.get("single")) and len(files) == 1}


def _is_file(entry: object) -> bool:
    return isinstance(entry, list) and [type(p) for p in entry] == [str, str]


def _rows_identity(project: Project, pages: Sequence[str]) -> str | None:
    """Of a source of rows, by the values of its pages; None when they are none, or not here."""
    if not pages or not all(project.store.has(p) for p in pages):
        return None
    from lockgate.codecs import rows

    try:
        return rows.identity_of_pages([project.store.get(p) for p in pages])
    except (LockgateError, OSError):
        return None
