"""What a route of the double sees and answers: a call, an answer, a row of the route table. No state of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import parse_qs, quote

if TYPE_CHECKING:
    from lockgate.testing.gitlab.people import Token
    from lockgate.testing.gitlab.project import Project

__all__ = ["ANY", "Answer", "Call", "Refusal", "Route", "Seen", "asked", "created", "pages"]

Seen: TypeAlias = Literal["live", "source", "guessed"]
"""How we know what a route does: seen on a GitLab server; read in GitLab's own source or documentation; guessed."""

ANY: Final = ("job", "project", "personal")
"""Kinds of token."""

LARGEST_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. `body` is JSON, or bytes as they are, or None for nothing."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def encoded(self) -> bytes:
        """The bytes of the body."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Refusal(Exception):
    """An answer that is no success, in the shape that this part of the API gives it."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.answer = Answer(status, body)

    @classmethod
    def of(cls, status: int, words: str) -> Refusal:
        """The shape of most of the API: `{"message": "404 Package Not Found"}`."""
        return cls(status, {"message": words})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that found its route. `named` holds the variable parts of its path, decoded."""

    method: str
    path: str
    named: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    project: Project
    token: Token | None
    base: str

    def fields(self) -> dict[str, Any]:
        """Everything that was said: query, form or JSON body; the parts of the path win."""
        said: dict[str, Any] = {k.removesuffix("[]"): v[-1] for k, v in self.query.items()}
        said |= {k.removesuffix("[]"): list(v) for k, v in self.query.items() if k.endswith("[]")}
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/json") and self.body:
            told = json.loads(self.body)
            said |= told if isinstance(told, dict) else {}
        elif kind.startswith("application/x-www-form-urlencoded"):
            said |= {k: v[-1] for k, v in parse_qs(self.body.decode(), keep_blank_values=True).items()}
        return said | dict(self.named)

    def need(self, *names: str) -> tuple[Any, ...]:
        """The values of fields that must be there; 400 as Grape says it."""
        said = self.fields()
        lacking = [name for name in names if name not in said]
        if lacking:
            raise Refusal(400, {"error": ", ".join(f"{name} is missing" for name in lacking)})
        return tuple(said[name] for name in names)

    def number(self, name: str) -> int:
        """A part of the path or a field that must be a number."""
        (value,) = self.need(name)
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Refusal(400, {"error": f"{name} is invalid"}) from None

    def file(self) -> tuple[str, bytes]:
        """Name and bytes of the field `file` of a multipart form."""
        kind = self.headers.get("content-type", "")
        form = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + self.body)
        for part in form.iter_parts() if form.is_multipart() else ():
            if part.get_param("name", header="content-disposition") == "file":
                return part.get_filename() or "file", part.get_payload(decode=True)  # type: ignore[return-value]
        raise Refusal(400, {"error": "file is missing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A row of the table: which call, what it needs, how we know.

    Attributes:
        path: below `/api/v4`; `:name` is one part, `*name` is the rest. A path that starts with `//` is no API path.
        tokens: kinds of token that the route knows; others are as if there were none.
        role: the least role (10 guest, 20 reporter, 30 developer, 40 maintainer, 50 owner).
        open: whether it answers without any token.
        any_scope: whether a token's scopes do not matter.
        bearer_job: a job token may come as `Authorization: Bearer`, which only the model files allow.
        hides: who may not read gets 404 and who may not write 401, as the MLflow-compatible API has it.
        note: what is worth knowing, for the page.
    """

    method: str
    path: str
    does: Callable[[Call], Answer]
    tokens: Sequence[str] = ANY
    role: int = 20
    open: bool = False
    any_scope: bool = False
    bearer_job: bool = False
    hides: bool = False
    seen: Seen = "source"
    note: str = ""


def created(body: Any) -> Answer:
    """201 with the thing made."""
    return Answer(201, body)


def pages(call: Call, things: Sequence[Any]) -> Answer:
    """One page of a list with GitLab's headers; 20 to a page unless told, never more than 100."""
    said = call.fields()
    page, per = max(1, int(said.get("page", 1))), min(LARGEST_PAGE, max(1, int(said.get("per_page", 20))))
    last = max(1, -(-len(things) // per))
    following = str(page + 1) if page < last else ""
    headers = {
        "X-Page": str(page), "X-Per-Page": str(per), "X-Next-Page": following,
        "X-Prev-Page": str(page - 1) if page > 1 else "", "X-Total": str(len(things)), "X-Total-Pages": str(last),
    }  # fmt: skip
    if following:
        kept = "&".join(
            f"{quote(k, safe='[]')}={quote(v, safe='')}"
            for k, vs in call.query.items()
            for v in vs
            if k not in {"page", "per_page"}
        )
        headers["Link"] = f'<{call.base}{call.path}?{kept and kept + "&"}page={following}&per_page={per}>; rel="next"'
    return Answer(200, list(things[(page - 1) * per : page * per]), headers)


def asked(call: Call, things: Sequence[Mapping[str, Any]], *names: str) -> list[Mapping[str, Any]]:
    """The things whose fields are as the call asks, for the names it gives."""
    said = call.fields()
    return [t for t in things if all(str(t[n]) == str(said[n]) for n in names if n in said)]
