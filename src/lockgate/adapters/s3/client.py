"""From a store's URL to a client that may use it.

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
    from collections.abc import Callable

__all__ = ["Place", "client_of", "parse"]

ALLOWED: Final = "s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION"
TIMES: Final = {"timeout": "60s", "connect_timeout": "5s"}
FROM_OUTSIDE: Final = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
CLIENTS: Final = dict[object, Any]()
OPENING: Final = threading.Lock()


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


def client_of(place: Place, *, look: Callable[[Any], None]) -> Any:
    """One client per place and process, so that objects, records, leases and ledger share its connections.

    `look` asks it the first question, which says whether the bucket is there and lets us in.
    """
    environment = sorted((n, v) for n, v in os.environ.items() if n.startswith("AWS_"))
    known = (str(place), tuple(sorted(place.options.items())), tuple(environment))
    with OPENING:
        if known not in CLIENTS:
            look(client := _client(place))
            CLIENTS[known] = client
        return CLIENTS[known]


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
