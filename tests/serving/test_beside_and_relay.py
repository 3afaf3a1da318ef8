"""Another server's answer beside our own, whatever that server says; and one socket for many servers."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from lockgate.records.release import FieldSchema
from lockgate.serving.beside import Beside, compared
from lockgate.serving.child import listen
from lockgate.serving.relay import Relay, name_in


class _Other(http.server.BaseHTTPRequestHandler):
    status, body = 200, b"{}"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        return


@contextlib.contextmanager
def other(status: int, body: bytes) -> Iterator[tuple[str, int]]:
    """A server that always says one thing."""
    kind = type("Other", (_Other,), {"status": status, "body": body})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "127.0.0.1", server.server_address[1]
        server.shutdown()


FIELDS = tuple(
    FieldSchema(name=n, label=n.title(), type="number", unit=u)
    for n, u in (("units", "pieces"), ("score", ""), ("note", ""))
)
DESK: Any = SimpleNamespace(release=SimpleNamespace(response=FIELDS))
REPLY = {"inputs": {"product": "p1"}, "output": {"units": 12.0, "score": 0.5}}


def said(status: int, body: Any, reply: Any = REPLY) -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with other(status, data) as (host, port):
        return compared(DESK, reply, Beside("production", f"http://{host}:{port}"))


def test_fields_are_compared_one_by_one() -> None:
    found = said(200, {"release": "sha256:" + "ab" * 32, "output": {"units": 10.0, "old": 1}})
    rows = [(r.label, r.here, r.there, r.change) for r in found["rows"]]
    assert rows == [
        ("Units", "12 pieces", "10 pieces", "+2 (+20%)"), ("Score", "0.5", "not answered", "new"), ("old", "not answered", "1", "gone"),
    ]  # fmt: skip
    assert (found["why"], found["short"]) == ("", "abababababab")


def test_a_note_is_shown_only_where_one_of_them_has_one() -> None:
    same = said(200, {"output": REPLY["output"]})
    assert [r.change for r in same["rows"]] == ["none", "none"]
    noted = said(200, {"output": REPLY["output"], "note": "closed that day"})
    assert [(r.label, r.here, r.there) for r in noted["rows"]][-1] == ("Note", "–", "closed that day")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (503, {"error": "no release"}, "Nothing answers for production"),
        (422, {"errors": [{"message": "No such product."}]}, "does not take this request: No such product."),
        (500, b"<html>", "it says no more"),
        (200, b"[1]", "no answer that can be read"),
        (200, b"not json", "Nothing answers for production"),
        (200, {"output": 3}, "no answer that can be read"),
    ],
)
def test_what_goes_wrong_there_is_a_sentence_here(status: int, body: Any, words: str) -> None:
    found = said(status, body)
    assert words in found["why"]
    assert not found["rows"]


def test_a_server_that_is_gone_is_a_sentence_too() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert "Nothing answers for production" in str(compared(DESK, REPLY, Beside("production", address))["why"])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a-b.review.example.org", "a-b"), ("A-B.review.example.org:8810", "a-b"), ("review.example.org:80", ""), ("127.0.0.1:80", ""),
        ("a.b.review.example.org", None), ("xreview.example.org", None), ("evil.example", None), ("review.example.org.evil.example", None),
    ],
)  # fmt: skip
def test_a_name_is_the_one_label_before_the_domain(host: str, name: str | None) -> None:
    assert name_in(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), "review.example.org") == name


def test_two_hosts_or_none_are_nobody() -> None:
    assert name_in(b"GET / HTTP/1.1\r\nHost: a.b\r\nhost: c.b\r\n\r\n", "b") is None
    assert name_in(b"GET / HTTP/1.0\r\n\r\n", "b") is None


@pytest.fixture
def relay() -> Iterator[int]:
    """Two servers behind one socket; what is not there is None."""
    with other(200, b'"one"') as one, other(200, b'"two"') as two, listen() as listener:
        places = {"one": one, "two": two}
        Relay(listener, find=places.get, names=lambda: places, domain="localhost").start()
        yield listener.getsockname()[1]


def asked(port: int, host: str) -> tuple[int, str]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_each_name_reaches_its_own_server(relay: int) -> None:
    assert asked(relay, "one.localhost") == (200, '"one"')
    assert asked(relay, "two.localhost") == (200, '"two"')
    assert asked(relay, "three.localhost")[0] == 404
    assert asked(relay, "evil.example")[0] == 421
    assert f'<a href="//one.localhost:{relay}/">' in asked(relay, f"localhost:{relay}")[1]


def test_what_a_stranger_names_is_escaped(relay: int) -> None:
    assert "<script>" not in asked(relay, "<script>.localhost")[1]


def test_a_client_that_says_nothing_or_leaves_blocks_nobody(relay: int) -> None:
    silent = socket.create_connection(("127.0.0.1", relay))
    gone = socket.create_connection(("127.0.0.1", relay))
    gone.close()
    assert asked(relay, "one.localhost") == (200, '"one"')
    silent.close()
