"""The HTTP face of a desk: bare ASGI, every answer with its length, every error in the same four parts.

GET  /                the web app; with the request's fields in the query, its answer
GET  /predict?…       JSON        POST /predict   one JSON object, or {"requests": [...]}
                                          with "as_of": the answers of an earlier day
GET  /schema          the request and response schema with today's ranges
GET  /choices?field=&q=&limit=    what a field may be
GET  /explain?request_id= | ?…    reasons in words
GET  /health  /release  /evidence
"""

from __future__ import annotations

import ipaddress
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from enum import Enum
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from lockgate.errors import (
    LockgateError,
    NotFound,
    ServiceUnavailable,
    StepFailed,
    UsageError,
)
from lockgate.records.wire import to_json
from lockgate.serving import app as pages
from lockgate.serving.answer import Desk, Invalid
from lockgate.serving.routes import JSON_TYPE, Asked, Page, Route, Settings, json_page, routes

__all__ = ["Http"]

BODY_LIMIT_BYTES = 1 << 20
QUERY_LIMIT_BYTES = 8 << 10

FOR_PEOPLE = ("/", "/release", "/evidence")

CROSS_SITE = UsageError(
    "another web site may not ask this server",
    value="Sec-Fetch-Site: cross-site",
    allowed="this server's own pages, a bookmark, a program",
    next="open / and ask there",
)


class _No(Enum):
    """Why there is no body."""

    TOO_LARGE = "too large"
    DISCONNECTED = "the client left"


TOO_LARGE, DISCONNECTED = _No.TOO_LARGE, _No.DISCONNECTED

STATUS: tuple[tuple[type[LockgateError], int], ...] = (
    (NotFound, 404),
    (UsageError, 400),
    (ServiceUnavailable, 503),
    (LockgateError, 500),
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Http:
    """The ASGI application. While `draining`, every response closes its connection."""

    def __init__(self, desk: Desk, settings: Settings) -> None:
        self.desk = desk
        self.settings = settings
        self.draining = False
        self._routes = routes(desk, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        page = await self._respond(scope, receive)
        if page is None:  # nobody is there any more
            return
        headers = {
            "content-type": f"{page.type}; charset=utf-8",
            "content-length": str(len(page.body)),
            "content-security-policy": POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "cache-control": "no-store",
            "lockgate-release": self.desk.release.digest,
            **page.headers,
            **({"connection": "close"} if self.draining else {}),
        }
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": page.status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else page.body})

    async def _respond(self, scope: Scope, receive: Receive) -> Page | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        html = "text/html" in headers.get(b"accept", "")
        if len(hosts := [value for name, value in scope["headers"] if name == b"host"]) > 1:
            given = ", ".join(value.decode("latin-1") for value in hosts)
            return self._failed(UsageError("more than one Host header", value=given, allowed="one"), 400, html)
        if not _is_meant(headers.get(b"host", ""), self.settings.names):
            allowed, then = ", ".join(sorted(self.settings.names)), "lockgate serve ENV --name HOST"
            error = UsageError("this server has another name", value=headers[b"host"], allowed=allowed, next=then)
            return self._failed(error, 421, html)
        methods = self._routes.get(scope["path"])
        if methods is None:
            error = NotFound("no such page", value=scope["path"], allowed=", ".join(self._pages(html)))
            return self._failed(error, 404, html)
        route = methods.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if route is None:
            error = UsageError("method not allowed", value=scope["method"], allowed=", ".join(methods))
            return self._failed(error, 405, html, {"allow": ", ".join(methods)})
        if scope["method"] == "POST" and not _is_json(kind := headers.get(b"content-type", "")):
            error = UsageError("the body is not sent as JSON", value=kind or "no content type", allowed=JSON_TYPE)
            return self._failed(error, 415, html, {"connection": "close"})
        if headers.get(b"sec-fetch-site") == "cross-site" and self._is_asking(scope):
            return self._failed(CROSS_SITE, 403, html)
        body = await _body(receive)
        if body is DISCONNECTED:
            return None
        if body is TOO_LARGE or len(scope["query_string"]) > QUERY_LIMIT_BYTES:
            limit = f"{BODY_LIMIT_BYTES} bytes of body, {QUERY_LIMIT_BYTES} of query"
            # What is left of the body is not read, so the connection cannot be used again.
            return self._failed(
                UsageError("the request is too large", allowed=limit), 413, html, {"connection": "close"}
            )
        return self._run(route, scope["query_string"], body, html)

    def _pages(self, html: bool) -> list[str]:
        """What a person may open, or a program may ask."""
        own = [path for path in self._routes if not path.startswith("/static/")]
        if self.settings.evidence is None:
            own.remove("/evidence")
        return [path for path in own if path in FOR_PEOPLE] if html else own

    def _is_asking(self, scope: Scope) -> bool:
        """Whether this would be answered with a prediction, which is written down."""
        if scope["path"] != "/":
            return scope["path"] == "/predict"
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        return any(name == field.name for name, _ in given for field in self.desk.fields)

    def _run(self, route: Route, query: bytes, body: bytes, wants_html: bool) -> Page:
        try:
            pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict")
            asked = Asked(query=dict(pairs), body=body, wants_html=wants_html, draining=self.draining)
            return route(asked)
        except Invalid as error:
            return json_page(
                {
                    "error": "the request cannot be answered",
                    "errors": [to_json(e) for e in error.errors],
                    "release": self.desk.release.digest,
                },
                422,
            )
        except UnicodeDecodeError:
            return self._failed(UsageError("the request is not UTF-8"), 400, wants_html)
        except LockgateError as error:
            status = next(code for kind, code in STATUS if isinstance(error, kind))
            return self._failed(error, status, wants_html, {"retry-after": "5"} if status == 503 else None)
        except Exception as error:
            traceback.print_exception(error)
            return self._failed(StepFailed("the server failed", value=type(error).__name__), 500, wants_html)

    def _failed(
        self, error: LockgateError, status: int, wants_html: bool, headers: Mapping[str, str] | None = None
    ) -> Page:
        if wants_html:
            html = pages.error_page(self.desk, self.settings.banner, error, status)
            return Page(body=html, status=status, type="text/html", headers=headers or {})
        parts = {"error": error.what, "value": error.value, "allowed": error.allowed, "next": error.next}
        known = {**{n: v for n, v in parts.items() if v}, "release": self.desk.release.digest}
        return json_page(known, status, headers)


def _is_json(kind: str) -> bool:
    """A form on another web site cannot send this type without asking this server first, which says no."""
    return kind.partition(";")[0].strip().lower() == JSON_TYPE


def _is_meant(host: str, names: frozenset[str]) -> bool:
    """Whether a request is addressed to this server; HTTP/1.0 may leave out to whom.

    A web page that points its own name at this machine (DNS rebinding) cannot hide that name in `Host`. An address
    is no name: whoever wrote it meant this machine.
    """
    if not host or not names:
        return True
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name in names or _is_address(name)


def _is_address(name: str | None) -> bool:
    try:
        return bool(ipaddress.ip_address(name or ""))
    except ValueError:
        return False


async def _body(receive: Receive) -> bytes | Literal[_No.TOO_LARGE, _No.DISCONNECTED]:
    """The whole body; TOO_LARGE above the limit, DISCONNECTED when the client left before it was here."""
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return DISCONNECTED
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT_BYTES:
            return TOO_LARGE
        if not message.get("more_body"):
            return b"".join(parts)
