"""One bucket and prefix: the few calls that the ports need, and every failure in words.

Credentials come from the environment or the shared credentials file and go nowhere but to the client.
"""

from __future__ import annotations

import configparser
import contextlib
import datetime as dt
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lockgate.errors import ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["Bucket", "Changed", "Place", "parse"]

ALLOWED: Final = "s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION"
PART_BYTES: Final = 32 << 20
TIMES: Final = {"timeout": "60s", "connect_timeout": "5s"}
FROM_OUTSIDE: Final = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


class Changed(Exception):
    """A conditional write met something else than it expected."""


class Place:
    """What a URL says: nothing in it is secret."""

    def __init__(self, bucket: str, prefix: str, options: dict[str, str]) -> None:
        self.bucket, self.prefix, self.options = bucket, prefix, options

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def parse(url: str) -> Place:
    """Take a URL apart; UsageError for a part that is unknown, missing or secret.

    >>> str(parse("s3://models/team/?endpoint=http://127.0.0.1:8333"))
    's3://models/team'
    """
    from urllib.parse import parse_qsl, urlsplit

    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "@" in parts.netloc or any("key" in name or "secret" in name or "token" in name for name in options):
        raise UsageError(
            "a store's URL must not hold credentials", value=f"s3://…{parts.path}", allowed=ALLOWED,
            next="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
        )  # fmt: skip
    unknown = sorted(set(options) - {"endpoint", "region", "credentials"})
    if parts.scheme != "s3" or not parts.netloc or unknown or parts.fragment:
        raise UsageError("not a store's URL", value=url, allowed=ALLOWED, next="edit lockgate.toml")
    if options.get("credentials", "instance") != "instance":
        raise UsageError(
            "unknown credentials", value=options["credentials"], allowed="instance", next="edit lockgate.toml"
        )
    return Place(parts.netloc, parts.path.strip("/"), options)


class Bucket:
    """Objects by name below a prefix. Nothing is asked before the first call; that one says if the bucket is there."""

    def __init__(self, url: str) -> None:
        self.place = parse(url)
        self._lock = threading.Lock()
        self._client: Any = None

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A small object's bytes and its tag, or None."""
        import obstore

        with self._translated():
            found = obstore.get(self._open(), name)
            return bytes(found.bytes()), str(found.meta["e_tag"])
        return None

    def fetch(self, name: str, to: Path) -> bool:
        """Write an object into a file, part by part: a slow line is none that hangs. False: there is none."""
        import obstore

        with self._translated():
            client = self._open()
            size_bytes = obstore.head(client, name)["size"]
            with to.open("wb") as file:
                for start in range(0, size_bytes, PART_BYTES):
                    end = min(start + PART_BYTES, size_bytes)
                    file.write(obstore.get_range(client, name, start=start, end=end))
            return True
        return False

    def stat(self, name: str) -> tuple[int, float] | None:
        """Size in bytes and time of the last change (POSIX seconds by the store's clock), or None."""
        import obstore

        with self._translated():
            meta = obstore.head(self._open(), name)
            return meta["size"], meta["last_modified"].timestamp()
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

    def delete(self, name: str) -> None:
        """Forget an object."""
        import obstore

        with self._translated():
            obstore.delete(self._open(), name)

    def list(self, under: str, *, after: str | None = None) -> Iterator[tuple[str, int, float]]:
        """Name, size and last change of everything below a folder; `after`: of names behind this one."""
        import obstore

        client = self._open()
        with self._translated():
            for chunk in obstore.list(client, prefix=under, offset=after):
                for meta in chunk:
                    yield meta["path"], meta["size"], meta["last_modified"].timestamp()

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                import obstore

                client = _client(self.place)
                with self._translated():
                    next(iter(obstore.list(client, prefix="@", chunk_size=1)), None)
                self._client = client
            return self._client

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

        said, code = str(error), _code(error)
        if "NoSuchBucket" in said or "InvalidBucketName" in said:
            return self._unavailable("there is no such bucket", "create the bucket, or correct lockgate.toml")
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError)
        if refused or any(f"status code: {number} " in said for number in (401, 403)):
            return self._unavailable("the store refuses our credentials", f"check the key and its rights{code}")
        return self._unavailable("the store does not answer", f"check the endpoint, then try again{code}")

    def _unavailable(self, what: str, next: str) -> ServiceUnavailable:
        endpoint = self.place.options.get("endpoint", "")
        return ServiceUnavailable(what, value=f"{self.place}" + (f" at {endpoint}" if endpoint else ""), next=next)


def _code(error: Exception) -> str:
    """The store's own word for it; the rest of its answer may quote a request, and is left out."""
    text = str(error)
    code = text.partition("<Code>")[2].partition("</Code>")[0]
    return f" ({code})" if code.isalnum() else ""


def _client(place: Place) -> Any:
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise UsageError(
            "a store in S3 needs a library that is not installed", value=str(place), allowed="obstore",
            next="pip install 'lockgate[s3]'",
        ) from error  # fmt: skip
    endpoint = (
        place.options.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    config: Any = {"region": _region(place), **_credentials(place), **({"endpoint": endpoint} if endpoint else {})}
    client: Any = {**TIMES, "allow_http": bool(endpoint and endpoint.startswith("http://"))}
    retries: Any = {"max_retries": 3, "retry_timeout": dt.timedelta(seconds=30)}
    return S3Store(
        place.bucket, prefix=place.prefix or None, config=config, client_options=client, retry_config=retries
    )


def _region(place: Place) -> str:
    given = place.options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return given or "us-east-1"


def _credentials(place: Place) -> dict[str, str]:
    """What the client does not find itself. A machine's own role is asked for only when the URL says so: asking takes long."""
    if place.options.get("credentials") == "instance" or any(os.environ.get(n) for n in FROM_OUTSIDE):
        return {}
    if os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"):
        return {}
    path = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    profile = os.environ.get("AWS_PROFILE", "default")
    parser = configparser.ConfigParser(interpolation=None)
    with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
        parser.read(path, encoding="utf-8")
    if parser.has_option(profile, "aws_access_key_id") and parser.has_option(profile, "aws_secret_access_key"):
        names = ("access_key_id", "secret_access_key", "session_token")
        return {n: parser.get(profile, f"aws_{n}") for n in names if parser.has_option(profile, f"aws_{n}")}
    raise ServiceUnavailable(
        "there are no credentials for the store", value=str(place),
        allowed=f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile {profile} in {path}",
        next="export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…",
    )  # fmt: skip
