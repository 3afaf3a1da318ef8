"""Rows on their way: a batch as a source hands it out, and the versions that are kept of a source of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockgate.records.digest import Json, digest

__all__ = ["PAGE_ROWS", "Batch", "Mark", "Page", "Version", "identity_of"]

PAGE_ROWS = 1 << 16
"""Rows of every page but the last. Where a page ends depends on nothing else, above all not on how rows arrived."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows, each with one value per column: None, bool, int, float, str, bytes, date or datetime."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A stretch of rows in the store. `digest` is the identity of its values, `object` that of its bytes."""

    object: str
    digest: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What was read of a source, and how far: one record, so that data and cursor cannot disagree.

    Attributes:
        cursor: where the next reading begins; only the source understands it.
        columns: (name, type) in order; types as the codec calls them.
        parent: identity of the version before, None for the first.
    """

    identity: str
    cursor: Json
    columns: tuple[tuple[str, str], ...]
    rows: int
    pages: tuple[Page, ...]
    parent: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Mark:
    """What a sink holds: the artifact that was written last, and how many rows it has."""

    artifact: str
    rows: int


def identity_of(columns: Sequence[tuple[str, str]], pages: Sequence[Page]) -> str:
    """The same rows in the same order have one identity, however many readings brought them."""
    return digest("rows", {"columns": [list(c) for c in columns], "pages": [[p.digest, p.rows] for p in pages]})
