"""Pages and figures: UTF-8 text files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.digest import digest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["identity", "load", "save"]


def save(value: object, path: Path) -> None:
    """Write the text."""
    path.write_bytes(str(value).encode())  # bytes, so that no line end is translated on the way


def load(path: Path, kind: type) -> object:
    """Read it as the consumer's text type."""
    return kind(path.read_bytes().decode())


def identity(value: object) -> str:
    """Digest the text."""
    return digest("text", str(value))
