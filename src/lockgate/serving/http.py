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

import datetime as dt
import json
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from lockgate.errors import (
    LockgateError,
    NotFound,
    ServiceUnavailable,
    StepFailed,
    UsageError,
)
from lockgate.records.digest import Json
from lockgate.records.wire import to_json
from lockgate.serving import app as pages
from lockgate.serving.answer import Desk, Invalid

__all__ = ["Http", "Page", "Settings"]

BODY_LIMIT_BYTES = 1 << 20
QUERY_LIMIT_BYTES = 8 << 10

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
# The evidence page is one self-contained file: its own styles and pictures, no script.
EVIDENCE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator said at the start: a banner on every page, and the evidence page to link to.

    `names`: the only hosts that a request may be addressed to; empty: any.
    """

    banner: str = ""
    evidence: Path | None = None
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A finished response."""

    body: bytes
    status: int = 200
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as a route sees it."""

    query: Mapping[str, str]
    body: bytes
    wants_html: bool


class Http:
    """The ASGI application. While `draining`, every response closes its connection."""

    def __init__(self, desk: Desk, settings: Settings) -> None:
        self.desk = desk
        self.settings = settings
        self.draining = False
        self._routes: dict[str, dict[str, Callable[[Asked], Page]]] = {
            "/": {"GET": self._page},
            "/predict": {"GET": self._predict_query, "POST": self._predict_body},
            "/schema": {"GET": self._schema},
            "/choices": {"GET": self._choices},
            "/explain": {"GET": self._explain},
            "/health": {"GET": self._health},
            "/release": {"GET": self._release},
            "/evidence": {"GET": self._evidence},
            **{f"/static/{name}": {"GET": _static(name)} for name in pages.STATIC},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        page = await self._respond(scope, receive)
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

    async def _respond(self, scope: Scope, receive: Receive) -> Page:
        wants_html = b"text/html" in dict(scope["headers"]).get(b"accept", b"")
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        if not _is_meant(host, self.settings.names):
            allowed, then = ", ".join(sorted(self.settings.names)), "lockgate serve ENV --name HOST"
            error = UsageError("this server has another name", value=host, allowed=allowed, next=then)
            return self._failed(error, 421, wants_html)
        methods = self._routes.get(scope["path"])
        if methods is None:
            return self._failed(
                NotFound("no such page", value=scope["path"], allowed=", ".join(self._routes)), 404, wants_html
            )
        route = methods.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if route is None:
            error = UsageError("method not allowed", value=scope["method"], allowed=", ".join(methods))
            return self._failed(error, 405, wants_html, {"allow": ", ".join(methods)})
        body = await _body(receive)
        if body is None or len(scope["query_string"]) > QUERY_LIMIT_BYTES:
            limit = f"{BODY_LIMIT_BYTES} bytes of body, {QUERY_LIMIT_BYTES} of query"
            # What is left of the body is not read, so the connection cannot be used again.
            return self._failed(
                UsageError("the request is too large", allowed=limit), 413, wants_html, {"connection": "close"}
            )
        return self._run(route, scope["query_string"], body, wants_html)

    def _run(self, route: Callable[[Asked], Page], query: bytes, body: bytes, wants_html: bool) -> Page:
        try:
            pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict")
            return route(Asked(query=dict(pairs), body=body, wants_html=wants_html))
        except Invalid as error:
            return _json(
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
        return _json(known, status, headers)

    def _page(self, asked: Asked) -> Page:
        given = {n: v for n, v in asked.query.items() if n in {f.name for f in self.desk.fields}}
        links = {"evidence": "/evidence"} if self._has_evidence() else {}
        html, status = pages.page(self.desk, given, banner=self.settings.banner, links=links)
        return Page(body=html, status=status, type="text/html")

    def _predict_query(self, asked: Asked) -> Page:
        return _json(self.desk.answer([self.desk.read_text(asked.query)])[0])

    def _predict_body(self, asked: Asked) -> Page:
        raw = _decoded(asked.body)
        if isinstance(raw, dict) and "requests" in raw:
            requests = cast("dict[str, Json]", raw)["requests"]
            if not isinstance(requests, list):
                raise UsageError("`requests` is not a list", value=type(requests).__name__, allowed="a list of objects")
            as_of = _day(cast("dict[str, Json]", raw).get("as_of"))
            answers = self.desk.answer(cast("list[Json]", requests), as_of=as_of)
            return _json({"release": self.desk.release.digest, "answers": answers})
        return _json(self.desk.answer([raw])[0])

    def _schema(self, asked: Asked) -> Page:
        return _json(pages.schema(self.desk))

    def _choices(self, asked: Asked) -> Page:
        name = asked.query.get("field", "")
        index = self.desk.allowed.choices.get(name)
        if index is None:
            raise NotFound(
                "no such field with choices", value=name, allowed=", ".join(self.desk.allowed.choices) or "none"
            )
        limit = asked.query.get("limit", "20")
        if not re.fullmatch("[0-9]{1,9}", limit):
            raise UsageError("`limit` is not a whole number", value=limit, allowed="0 to 999999999")
        found = index.search(asked.query.get("q", ""), int(limit))
        return _json(
            {"field": name, "total": len(index), "choices": [{"value": c.value, "label": c.label} for c in found]}
        )

    def _explain(self, asked: Asked) -> Page:
        if "request_id" in asked.query:
            day, reasons = self.desk.explain_answer(asked.query["request_id"])
        else:
            day, reasons = self.desk.as_of, self.desk.explain(self.desk.read_text(asked.query))
        return _json({"release": self.desk.release.digest, "as_of": day.isoformat(), "reasons": reasons})

    def _health(self, asked: Asked) -> Page:
        health = {
            "release": self.desk.release.digest,
            "environment": self.desk.environment,
            "as_of": self.desk.as_of.isoformat(),
            "ready": not self.draining,
        }
        return _json(health, 503 if self.draining else 200)

    def _release(self, asked: Asked) -> Page:
        summary = pages.release_summary(self.desk)
        if asked.wants_html:
            has = {"evidence": "/evidence"} if self._has_evidence() else {}
            return Page(body=pages.release_page(self.desk, self.settings.banner, summary, has), type="text/html")
        return _json(summary)

    def _evidence(self, asked: Asked) -> Page:
        path = self.settings.evidence
        if path is None or not path.is_file():
            raise NotFound("no evidence page was given to this server", next="lockgate evidence REF")
        return Page(body=path.read_bytes(), type="text/html", headers={"content-security-policy": EVIDENCE_POLICY})

    def _has_evidence(self) -> bool:
        return self.settings.evidence is not None and self.settings.evidence.is_file()


def _is_meant(host: str, names: frozenset[str]) -> bool:
    """Whether a request is addressed to this server; HTTP/1.0 may leave out to whom.

    A web page that points its own name at this machine (DNS rebinding) cannot hide that name in `Host`.
    """
    if not host or not names:
        return True
    try:
        return urlsplit(f"//{host}").hostname in names
    except ValueError:
        return False


def _static(name: str) -> Callable[[Asked], Page]:
    body, kind = pages.STATIC[name]
    return lambda _: Page(body=body, type=kind, headers={"cache-control": "no-cache"})


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is larger than the limit."""
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _decoded(body: bytes) -> Json:
    try:
        raw = json.loads(body)
        # What Python's reader lets in but no JSON can say again: NaN, 1e999, half a surrogate pair.
        json.dumps(raw, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise UsageError(
            "the body is not JSON", value=str(error), allowed="an object, or {“requests”: [...]}"
        ) from error
    return raw


def _day(text: Json) -> dt.date | None:
    """`as_of` of a batch: answer as on that day; absent means now."""
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError as error:
        raise UsageError("`as_of` is not a day", value=str(text), allowed="YYYY-MM-DD") from error


def _json(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Page:
    body = json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    return Page(body=body, status=status, headers=headers or {})
