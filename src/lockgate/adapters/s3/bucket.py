"""One bucket and prefix: the few calls that the ports need, and every failure in words."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

from lockgate.adapters.s3.client import client_of, parse
from lockgate.adapters.s3.tag import tag_of
from lockgate.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

__all__ = ["Bucket", "Changed"]

PART_BYTES: Final = 32 << 20
PIECE_BYTES: Final = 1 << 20
CODE: Final = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
"""In the answer to a request, or for one of many that were to be deleted."""
DENIED: Final = "AccessDenied"


class Changed(Exception):
    """A conditional write met something else than it expected."""


class Bucket:
    """Objects by name below a prefix. Nothing is asked before the first call; that one says if the bucket is there."""

    def __init__(self, url: str, root: Path | None = None) -> None:
        del root  # a bucket is where it is, whoever asks
        self.place = parse(url)
        self._client: Any = None

    def __str__(self) -> str:
        return str(self.place)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A small object's bytes and its tag, or None."""
        import obstore

        with self._translated():
            found = obstore.get(self._open(), name)
            return bytes(found.bytes()), str(found.meta["e_tag"])
        return None

    def fetch(self, name: str, to: Path) -> str | None:
        """Write an object into a file; answers the digest of its bytes, None when there is none."""
        with to.open("wb") as file:
            return self._hashed(name, file.write)

    def digest(self, name: str) -> str | None:
        """The digest of an object's bytes, kept nowhere; None when there is none."""
        return self._hashed(name, len)

    def _hashed(self, name: str, keep: Callable[[memoryview], object]) -> str | None:
        from blake3 import blake3

        hasher = blake3()
        with self._translated():
            for piece in self._pieces(name):
                hasher.update(piece)
                keep(piece)
            return f"blake3:{hasher.hexdigest()}"
        return None

    def _pieces(self, name: str) -> Iterator[memoryview]:
        """One request for a small object. Of a large one the first answer says how many more: a slow line is none that hangs."""
        import obstore

        client = self._open()
        found = obstore.get(client, name)
        size_bytes = found.meta["size"]
        if size_bytes <= PART_BYTES:
            yield from map(memoryview, found.stream(min_chunk_size=PIECE_BYTES))
            return
        del found  # unread: its connection ends here
        for start in range(0, size_bytes, PART_BYTES):
            end = min(start + PART_BYTES, size_bytes)
            part = obstore.get(client, name, options={"range": (start, end)})
            yield from map(memoryview, part.stream(min_chunk_size=PIECE_BYTES))

    def has(self, name: str, *, sha256: str = "", size_bytes: int | None = None) -> bool:
        """Say whether there is one, of this size."""
        del sha256  # a bucket tells a tag, for which the bytes are needed
        found = self._head(name)
        return found is not None and size_bytes in (None, found["size"])

    def since(self, name: str, path: Path) -> float | None:
        """One request. A bucket tells its bytes by their tag, where it takes MD5 for that as S3 does; else nobody knows."""
        found = self._head(name)
        if found is None or found["size"] != path.stat().st_size or found["e_tag"] != tag_of(path, PART_BYTES):
            return None
        return found["last_modified"].timestamp()

    def _head(self, name: str) -> Any:
        """What the store says of an object, or None."""
        import obstore

        with self._translated():
            return obstore.head(self._open(), name)
        return None

    def write(self, name: str, data: bytes, *, new: bool = False, tag: str | None = None) -> str:
        """Write a small object and answer its tag. Raises Changed unless it is `new`, or has the `tag`, as asked."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if new else {"e_tag": tag} if tag else "overwrite"
        with self._translated(writing=True):
            try:
                return str(obstore.put(self._open(), name, data, mode=mode, use_multipart=False)["e_tag"])
            except (AlreadyExistsError, PreconditionError) as error:
                raise Changed(name) from error
        raise AssertionError

    def send(self, name: str, path: Path) -> None:
        """Write a file; a large one goes in parts, and is visible whole or not at all."""
        import obstore

        with self._translated(writing=True):
            obstore.put(self._open(), name, path, chunk_size=PART_BYTES)

    def delete(self, *names: str) -> None:
        """Forget objects, a thousand per request."""
        import obstore

        if names:
            with self._translated():
                obstore.delete(self._open(), names)

    def list(self, under: str, *, after: str | None = None) -> Iterator[tuple[str, int, float]]:
        """Name, size and last change of everything below a folder; `after`: of names behind this one."""
        import obstore

        client = self._open()
        with self._translated():
            for chunk in obstore.list(client, prefix=under, offset=after):
                for meta in chunk:
                    yield meta["path"], meta["size"], meta["last_modified"].timestamp()

    def _open(self) -> Any:
        if self._client is None:
            self._client = client_of(self.place, look=self._look)
        return self._client

    def _look(self, client: Any) -> None:
        """One request that says whether the bucket is there and lets us in."""
        import obstore

        with self._translated():
            next(iter(obstore.list(client, prefix="@", chunk_size=1)), None)

    @contextlib.contextmanager
    def _translated(self, *, writing: bool = False) -> Generator[None]:
        """Absent is not an error unless something is written: then it is the bucket that is absent."""
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if writing or "NoSuchBucket" in str(error):
                raise self._unavailable(
                    "there is no such bucket", "create the bucket, or correct lockgate.toml"
                ) from error
        except (BaseError, PermissionError) as error:
            raise self._in_words(error) from error

    def _in_words(self, error: Exception) -> ServiceUnavailable:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        said, code = str(error), _code(str(error))
        if "NoSuchBucket" in said or "InvalidBucketName" in said:
            return self._unavailable("there is no such bucket", "create the bucket, or correct lockgate.toml")
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError)
        word = f" ({code})" if code else ""
        if refused or code == DENIED or any(f"status code: {number} " in said for number in (401, 403)):
            return self._unavailable("the store refuses our credentials", f"check the key and its rights{word}")
        return self._unavailable("the store does not answer", f"check the endpoint, then try again{word}")

    def _unavailable(self, what: str, next: str) -> ServiceUnavailable:
        endpoint = self.place.options.get("endpoint", "")
        return ServiceUnavailable(what, value=f"{self.place}" + (f" at {endpoint}" if endpoint else ""), next=next)


def _code(said: str) -> str:
    """The store's own word for it; the rest of its answer may quote a request, and is left out."""
    found = CODE.search(said)
    return (found[1] or found[2]) if found else ""
