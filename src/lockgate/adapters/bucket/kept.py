"""What a store and its results need of the place that keeps their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Bucket"]


class Bucket(Protocol):
    """Bytes by name, such as `objects/ab/…`.

    Laws: what was written is whole or absent, and there for good when the call returns; the last one written counts; a place that does
    not answer, or does not let us in, raises ServiceUnavailable, and is never taken for one that holds nothing.
    """

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Small bytes, with what tells this state of them from another; None when there are none."""
        ...

    def fetch(self, name: str, to: Path) -> str | None:
        """Write the bytes into a file; answers their digest, None when there are none."""
        ...

    def digest(self, name: str) -> str | None:
        """The digest of the bytes, kept nowhere; None when there are none."""
        ...

    def has(self, name: str, *, sha256: str = "", size_bytes: int | None = None) -> bool:
        """Say whether there are any; with sha256 and size: and whether what the place tells of them agrees."""
        ...

    def since(self, name: str, path: Path) -> float | None:
        """When the very bytes of a file were put there (POSIX seconds by the place's clock).

        None when there are others, or none, or the place does not tell which bytes it has without giving them out.
        """
        ...

    def send(self, name: str, path: Path) -> None:
        """Write a file."""
        ...

    def write(self, name: str, data: bytes) -> object:
        """Write small bytes."""
        ...

    def delete(self, *names: str) -> None:
        """Forget them; forgetting twice is no error."""
        ...

    def list(self, under: str) -> Iterator[tuple[str, int, float]]:
        """Name, size and last change of everything below a folder."""
        ...
