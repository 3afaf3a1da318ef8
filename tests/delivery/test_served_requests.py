"""Asking a server over HTTP just after it switched: the release before may still take a connection, and is not believed."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lockgate.delivery.judging import served_requests
from lockgate.delivery.judging.served_requests import _exchanges  # pyright: ignore[reportPrivateUsage]
from lockgate.gates.served import Contract, Exchange

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64
PLANNER = Contract(
    consumer="planner", requests=({"product": "p1"},), response={"units": {"type": "number", "maximum": 10}}
)


@contextmanager
def answering(*said: tuple[int, dict[str, object]]) -> Iterator[str]:
    """A server that gives these answers one after the other, and the last one from then on."""
    left = list(said)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, body = left.pop(0) if len(left) > 1 else left[0]
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def exchange(address: str) -> Exchange:
    return _exchanges(address, PLANNER, dt.date(2026, 1, 1), NEW)[0]


@pytest.mark.parametrize(("status", "body"), [(200, {"output": {"units": 99}}), (422, {"errors": ["no such field"]})])
def test_a_consumer_is_not_judged_by_what_the_release_before_answers(status: int, body: dict[str, object]) -> None:
    with answering((status, {**body, "release": OLD}), (200, {"output": {"units": 3}, "release": NEW})) as address:
        found = exchange(address)
    assert (found.status, found.answer, found.problems) == (200, {"units": 3, "note": None}, ())


def test_a_refusal_by_the_release_itself_is_no_switch() -> None:
    with answering((422, {"errors": ["no such field"], "release": NEW})) as address:
        assert exchange(address).problems == ("status 422",)


def test_a_server_that_goes_on_answering_with_another_release_breaks_the_contract(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(served_requests, "SWITCH_SECONDS", 0.0)
    with answering((200, {"output": {"units": 3}, "release": OLD})) as address:
        assert exchange(address).problems == ("release 000000000000 answered",)
