"""What each address answers: a page made from a desk. No network here; `http` carries it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from lockgate.errors import NotFound, UsageError
from lockgate.records.day import read_day
from lockgate.records.digest import Json
from lockgate.serving import app as pages
from lockgate.serving.answer import Desk
from lockgate.serving.beside import Beside

__all__ = ["JSON_TYPE", "Asked", "Page", "Route", "Settings", "json_page", "routes"]

# The evidence page is one self-contained file: its own styles and pictures, no script.
EVIDENCE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator said at the start: a banner on every page, the evidence page, and who approved.

    `names`: the only hosts that a request may be addressed to, besides this machine's addresses; empty: any.
    `beside`: whose answer to the same request the app shows, too.
    """

    banner: str = ""
    evidence: bytes | None = None
    decided: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    beside: Beside | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A finished response."""

    body: bytes
    status: int = 200
    type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as a route sees it. `draining`: the server ends, and says so on `/health`."""

    query: Mapping[str, str]
    body: bytes
    wants_html: bool
    draining: bool = False


Route = Callable[[Asked], Page]


def routes(desk: Desk, settings: Settings) -> Mapping[str, Mapping[str, Route]]:
    """Path → method → what answers. `HEAD` is a `GET` whose body is left out."""
    api = _Routes(desk, settings)
    return {
        "/": {"GET": api.page},
        "/predict": {"GET": api.predict_query, "POST": api.predict_body},
        "/schema": {"GET": api.schema},
        "/choices": {"GET": api.choices},
        "/explain": {"GET": api.explain},
        "/health": {"GET": api.health},
        "/release": {"GET": api.release},
        "/evidence": {"GET": api.evidence},
        **{f"/static/{name}": {"GET": _static(name)} for name in pages.STATIC},
    }


class _Routes:
    def __init__(self, desk: Desk, settings: Settings) -> None:
        self.desk, self.settings = desk, settings

    def page(self, asked: Asked) -> Page:
        given = {n: v for n, v in asked.query.items() if n in {f.name for f in self.desk.fields}}
        banner, beside = self.settings.banner, self.settings.beside
        html, status = pages.page(self.desk, given, banner=banner, links=self._links(), beside=beside)
        return Page(body=html, status=status, type="text/html")

    def predict_query(self, asked: Asked) -> Page:
        return json_page(self.desk.answer([self.desk.read_text(asked.query)])[0])

    def predict_body(self, asked: Asked) -> Page:
        raw = _decoded(asked.body)
        if isinstance(raw, dict) and "requests" in raw:
            requests = cast("dict[str, Json]", raw)["requests"]
            if not isinstance(requests, list):
                raise UsageError("`requests` is not a list", value=type(requests).__name__, allowed="a list of objects")
            as_of = _day(cast("dict[str, Json]", raw).get("as_of"))
            answers = self.desk.answer(cast("list[Json]", requests), as_of=as_of)
            return json_page({"release": self.desk.release.digest, "answers": answers})
        return json_page(self.desk.answer([raw])[0])

    def schema(self, _: Asked) -> Page:
        return json_page(pages.schema(self.desk))

    def choices(self, asked: Asked) -> Page:
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
        return json_page(
            {"field": name, "total": len(index), "choices": [{"value": c.value, "label": c.label} for c in found]}
        )

    def explain(self, asked: Asked) -> Page:
        if "request_id" in asked.query:
            day, reasons = self.desk.explain_answer(asked.query["request_id"])
        else:
            day, reasons = self.desk.as_of, self.desk.explain(self.desk.read_text(asked.query))
        return json_page({"release": self.desk.release.digest, "as_of": day.isoformat(), "reasons": reasons})

    def health(self, asked: Asked) -> Page:
        health = {
            "release": self.desk.release.digest,
            "environment": self.desk.environment,
            "as_of": self.desk.as_of.isoformat(),
            "ready": not asked.draining,
        }
        return json_page(health, 503 if asked.draining else 200)

    def release(self, asked: Asked) -> Page:
        summary = {**pages.release_summary(self.desk), "decided": list(self.settings.decided)}
        if asked.wants_html:
            html = pages.release_page(self.desk, self.settings.banner, summary, self._links())
            return Page(body=html, type="text/html")
        return json_page(summary)

    def evidence(self, _: Asked) -> Page:
        page = self.settings.evidence
        if page is None:
            raise NotFound("no evidence page was given to this server", next="lockgate evidence REF")
        return Page(body=page, type="text/html", headers={"content-security-policy": EVIDENCE_POLICY})

    def _links(self) -> Mapping[str, str]:
        return {"evidence": "/evidence"} if self.settings.evidence is not None else {}


def _static(name: str) -> Callable[[Asked], Page]:
    body, kind = pages.STATIC[name]
    return lambda _: Page(body=body, type=kind, headers={"cache-control": "no-cache"})


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
        return read_day(text)
    except ValueError as error:
        raise UsageError("`as_of` is not a day", value=str(text), allowed="YYYY-MM-DD") from error


def json_page(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Page:
    body = json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    return Page(body=body, status=status, headers=headers or {})
