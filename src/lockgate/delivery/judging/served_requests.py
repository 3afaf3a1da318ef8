"""Ask a deployed release over HTTP, as its consumers do."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import time
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.inspecting import contract_texts
from lockgate.delivery.releases import fetch, manifest_of
from lockgate.errors import ServiceUnavailable
from lockgate.gates.served import Contract, Exchange, Served, read_contract
from lockgate.records.decisions import Healthy
from lockgate.records.digest import Json, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.project import Project

__all__ = ["address_of", "answers", "ask_environment", "post"]

TIMEOUT_SECONDS = 30.0
SHORT_SECONDS = 0.5
SWITCH_SECONDS = 10.0
POLL_SECONDS = 0.2


def ask_environment(
    project: Project, environment: str, release: str, *, consumers: str | None, wait_seconds: float
) -> Served:
    """The release's own holdout rows, each at its own as-of, and every consumer's example requests.

    Raises ServiceUnavailable when no server answers for this release within `wait_seconds`: that is no failed gate.
    """
    address = _ready(project, environment, release, wait_seconds)
    manifest = manifest_of(project, release)
    recorded: list[Mapping[str, Json]] = json.loads((fetch(project, release) / manifest.holdout).read_bytes())
    answered = _replay(address, recorded, release)
    as_of = dt.date.fromisoformat(manifest.as_of)
    return Served(
        requests=tuple({**r["request"], **({"as_of": r["as_of"]} if r["as_of"] else {})} for r in recorded),
        evaluated=tuple(_without_empty(r["answer"]) for r in recorded),
        answered=tuple(answered),
        exchanges=tuple(e for c in _contracts(project, consumers) for e in _exchanges(address, c, as_of, release)),
    )


def address_of(project: Project, environment: str, release: str) -> str:
    """Where the server that said `healthy` about this release listens."""
    said = [s.claim for s in read_ledger(project).said if s.person and isinstance(s.claim, Healthy)]
    found = [c for c in said if c.environment == environment and c.release == release and "address" in c.extra]
    if not found:
        raise ServiceUnavailable(
            f"nobody serves {short(release)} in {environment}", next=f"lockgate serve {environment}"
        )
    return str(found[-1].extra["address"])


def answers(project: Project, environment: str, release: str, *, elsewhere: bool = False) -> bool | None:
    """Whether the server that the ledger names answers with this release, asked once and briefly.

    `elsewhere`: this may be another machine, from which a server on loopback cannot be asked: None.
    """
    try:
        address = address_of(project, environment, release)
        status, health = _request(address, "GET", "/health", None, seconds=SHORT_SECONDS)
    except ServiceUnavailable:
        return None if elsewhere and _on_loopback(project, environment, release) else False
    return status == 200 and isinstance(health, dict) and health.get("release") == release


def _on_loopback(project: Project, environment: str, release: str) -> bool:
    try:
        host = urlsplit(address_of(project, environment, release)).hostname or ""
    except ServiceUnavailable:
        return False
    return host in ("localhost", "::1") or host.startswith("127.")


def post(address: str, path: str, body: Json) -> tuple[int, Json]:
    """POST JSON; status and decoded body. Raises ServiceUnavailable when nobody answers."""
    return _request(address, "POST", path, json.dumps(body))


def _ready(project: Project, environment: str, release: str, wait_seconds: float) -> str:
    """The address of a server that answers with this release now; one that was restarted may still be warming."""
    ends = time.monotonic() + wait_seconds
    while True:
        address = address_of(project, environment, release)
        try:
            status, health = _request(address, "GET", "/health", None)
            if status == 200 and health["release"] == release:
                return address
        except ServiceUnavailable:
            status = 0
        if time.monotonic() > ends:
            raise ServiceUnavailable(
                f"{environment} does not answer with release {short(release)}", value=f"{address}: status {status or 'none'}",
                next=f"lockgate serve {environment}",
            )  # fmt: skip
        time.sleep(POLL_SECONDS)


def _request(
    address: str, method: str, path: str, body: str | None, *, seconds: float = TIMEOUT_SECONDS
) -> tuple[int, Json]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=seconds)
    try:
        connection.request(method, path, body=body, headers={"content-type": "application/json"})
        response = connection.getresponse()
        data = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServiceUnavailable(
            "a server did not answer", value=f"{address}{path}: {error}", next="lockgate status"
        ) from error
    finally:
        connection.close()
    try:
        return response.status, json.loads(data)
    except ValueError:
        return response.status, None


def _replay(address: str, recorded: Sequence[Mapping[str, Json]], release: str) -> list[Mapping[str, Json] | None]:
    """Recorded rows in their order, asked in one request per as-of day; in one request, if they have no days."""
    answered: list[Mapping[str, Json] | None] = []
    for as_of, group in groupby(recorded, key=lambda r: r["as_of"]):
        rows = list(group)
        status, body = _predict(address, {"as_of": as_of, "requests": [r["request"] for r in rows]}, release)
        if status != 200 or body["release"] != release or len(body["answers"]) != len(rows):
            answered += [None] * len(rows)
            continue
        answered += [_without_empty({**a["output"], "note": a.get("note")}) for a in body["answers"]]
    return answered


def _predict(address: str, asked: Json, release: str) -> tuple[int, Json]:
    """Ask; a moment after a switch the release before may still take a connection, and is asked no more then.

    Every answer of a server names its release, a refusal too; what names none is passed on as it is.
    """
    ends = time.monotonic() + SWITCH_SECONDS
    while True:
        status, body = post(address, "/predict", asked)
        if not isinstance(body, dict) or body.get("release", release) == release or time.monotonic() > ends:
            return status, body
        time.sleep(POLL_SECONDS)


def _without_empty(answer: Mapping[str, Json]) -> dict[str, Json]:
    """An absent note, an empty one and null are one thing."""
    return {n: v for n, v in answer.items() if not (n == "note" and not v)}


def _contracts(project: Project, folder: str | None) -> list[Contract]:
    if folder is None:
        return []
    texts = contract_texts(project, folder)
    return [read_contract(str(text), where=f"{folder}/{name}") for name, text in texts.items()]


def _exchanges(address: str, contract: Contract, as_of: dt.date, release: str) -> list[Exchange]:
    """Each example request of a contract and what came back."""
    found: list[Exchange] = []
    for request in contract.requests_at(as_of):
        status, body = _predict(address, request, release)
        answer = {**body["output"], "note": body.get("note")} if status == 200 else body
        problems = contract.problems(answer) if status == 200 else (f"status {status}",)
        if isinstance(body, dict) and (other := body.get("release", release)) != release:
            problems = (*problems, f"release {short(str(other))} answered")
        found.append(
            Exchange(consumer=contract.consumer, request=request, status=status, answer=answer, problems=problems)
        )
    return found
