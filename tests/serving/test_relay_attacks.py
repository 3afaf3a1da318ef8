"""What a relay passes on, and what becomes of clients and servers that behave badly. Raw sockets: no client library would send most of it."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from lockgate.serving import relay as relays
from lockgate.serving.child import listen
from lockgate.serving.relay import Full, Relay
from lockgate.serving.relayed import Misread, head_of

SAID = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
Behave = Callable[[socket.socket, bytes], None]


class App:
    """A server that hears one request on each connection, whole, and behaves as told."""

    def __init__(self, behave: Behave) -> None:
        self.heard: list[bytes] = []
        self._behave, self.listener = behave, listen()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            self.heard.append(data)
            self._behave(connection, data)


@contextlib.contextmanager
def relayed(behave: Behave) -> Iterator[tuple[App, int]]:
    app = App(behave)
    with app.listener, listen() as listener:
        place = app.listener.getsockname()[:2]
        Relay(
            listener, find=lambda n: place if n == "app" else None, names=lambda: ["app"], domain="review.test"
        ).start()
        yield app, listener.getsockname()[1]


def polite(connection: socket.socket, _: bytes) -> None:
    connection.sendall(SAID)


def all_of(connection: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            data += part
    return data


def told(port: int, *parts: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        for part in parts:
            client.sendall(part)
        return all_of(client)


GET = b"GET / HTTP/1.1\r\nHost: app.review.test\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
        (GET + b"Transfer-Encoding: chunked\r\n", 411),
        (GET + b"Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n", 400),
        (GET + b"Transfer-Encoding : chunked\r\nContent-Length: 3\r\n", 400),
        (GET + b"Content-Length: 3\r\nContent-Length: 4\r\n", 400),
        (GET + b"Content-Length: 3, 3\r\n", 400),
        (GET + b"Content-Length: +3\r\n", 400),
        (GET + b"Content-Length:\r\n", 400),
        (GET + b"X: a\r\n b\r\n", 400),
        (GET + b"X: a\nContent-Length: 3\r\n", 400),
        (GET + b"Host: app.review.test\r\n", 400),
        (b"GET http://app.review.test/ HTTP/1.1\r\nHost: app.review.test\r\n", 400),
        (b"CONNECT app.review.test:80 HTTP/1.1\r\nHost: app.review.test\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: app.review.test\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: production.example.org\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: app.review.test.evil.example\r\n", 421),
        (b"GET / HTTP/1.1\r\nX-Forwarded-Host: app.review.test\r\nHost: evil.example\r\n", 421),
    ],
)
def test_what_two_servers_could_read_in_two_ways_is_not_passed_on(head: bytes, status: int) -> None:
    with relayed(polite) as (app, port):
        answer = told(port, head + b"\r\nabc")
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
        assert not app.heard


def test_a_second_request_behind_the_first_is_not_passed_on() -> None:
    """On the old relay only the first Host of a connection was looked at."""
    with relayed(lambda c, _: (time.sleep(0.3), c.sendall(SAID))[1]) as (app, port):
        second = b"GET /second HTTP/1.1\r\nHost: production.example.org\r\n\r\n"
        assert told(port, GET + b"Content-Length: 2\r\n\r\nab" + second).endswith(b"done")
        assert b"second" not in b"".join(app.heard)


def test_what_says_who_asks_and_what_is_for_the_next_server_stays_here() -> None:
    given = (
        b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: evil\r\nForwarded: for=x\r\nX-Real-IP: 1\r\nProxy-Authorization: Basic x\r\n"
        b"Upgrade: websocket\r\nConnection: keep-alive, X-Secret\r\nX-Secret: s\r\nAccept: text/html\r\nCookie: a=b\r\n"
    )
    with relayed(polite) as (app, port):
        told(port, GET + given + b"\r\n")
        assert app.heard == [
            GET.lower().replace(b"get / http", b"GET / HTTP")
            + b"accept: text/html\r\ncookie: a=b\r\nconnection: close\r\n\r\n"
        ]


def test_a_header_that_the_body_depends_on_cannot_be_taken_away() -> None:
    head = head_of(GET + b"Content-Length: 3\r\nConnection: content-length, host\r\n\r\n", "review.test")
    assert b"content-length: 3\r\n" in head.data and b"host: app" in head.data
    with pytest.raises(Misread):
        head_of(b"\r\n\r\n", "review.test")


def test_a_client_that_has_said_all_still_gets_its_answer() -> None:
    def slow(connection: socket.socket, _: bytes) -> None:
        connection.settimeout(0.5)
        with contextlib.suppress(TimeoutError):  # a server as Uvicorn ends a connection whose client ended its side
            if not connection.recv(1):
                return
        connection.sendall(SAID)

    with relayed(slow) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(GET + b"\r\n")
        client.shutdown(socket.SHUT_WR)
        assert all_of(client).endswith(b"done")


def test_an_app_that_dies_before_it_answers_is_a_502() -> None:
    for behave in (lambda c, _: None, lambda c, _: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")):  # type: ignore[var-annotated]
        with relayed(behave) as (_, port):  # type: ignore[arg-type]
            answer = told(port, GET + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 502 "), answer
            assert b"Retry-After: " in answer


def test_an_app_that_is_gone_is_a_502() -> None:
    with relayed(polite) as (app, port):
        app.listener.shutdown(socket.SHUT_RDWR)
        app.listener.close()
        assert told(port, GET + b"\r\n").startswith(b"HTTP/1.1 502 ")


def test_an_app_that_dies_in_its_answer_is_seen_as_cut_not_waited_for() -> None:
    with relayed(lambda c, _: c.sendall(SAID[:-2])) as (_, port):
        started = time.monotonic()
        assert told(port, GET + b"\r\n") == SAID[:-2]
        assert time.monotonic() - started < 5


def test_an_app_that_says_nothing_is_a_504(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "QUIET_SECONDS", 0.5)
    with relayed(lambda c, _: time.sleep(5)) as (_, port):
        assert told(port, GET + b"\r\n").startswith(b"HTTP/1.1 504 ")


def test_an_app_may_answer_before_it_has_read_the_body() -> None:
    with relayed(lambda c, _: c.sendall(SAID)) as (_, port):
        assert told(port, GET + b"Content-Length: 500000\r\n\r\n" + b"x" * 1000) == SAID


def test_a_slow_reader_costs_no_memory_and_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app gets rid of no more than sockets hold while its client does not read."""
    monkeypatch.setattr(relays, "QUIET_SECONDS", 1.0)
    sent = [0]

    def endless(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)
            sent[0] += 65536

    with relayed(endless) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(GET + b"\r\n")
        time.sleep(3)
        before = sent[0]
        time.sleep(1)
        assert sent[0] == before < 64 << 20


def test_a_head_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old relay waited anew for each byte."""
    monkeypatch.setattr(relays, "HEAD_SECONDS", 0.6)
    with relayed(polite) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in GET:
                client.sendall(bytes([byte]))
                time.sleep(0.1)
        assert all_of(client)[:12] in (b"HTTP/1.1 408", b"")
        assert time.monotonic() - started < 6


def test_no_room_is_a_503_that_says_when_to_come_again() -> None:
    def find(_: str) -> None:
        raise Full

    with listen() as listener:
        Relay(listener, find=find, names=list, domain="review.test").start()
        answer = told(listener.getsockname()[1], GET + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 5\r\n" in answer


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one loopback address is set up, not a network of them")
def test_one_client_leaves_room_for_others() -> None:
    """Silent connections of one address; on the old relay they took every place there was."""
    with relayed(polite) as (_, port), contextlib.ExitStack() as held:
        for _ in range(relays.MOST_CONNECTIONS):
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        time.sleep(0.5)
        with socket.create_connection(("127.0.0.1", port), timeout=20, source_address=("127.0.0.2", 0)) as other:
            other.sendall(GET + b"\r\n")
            assert all_of(other).endswith(b"done")


def test_a_place_is_free_again_when_its_connection_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "MOST_OF_ONE", 2)
    with relayed(polite) as (_, port):
        for _ in range(6):
            assert told(port, GET + b"\r\n").endswith(b"done")
            time.sleep(0.1)


def test_a_body_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old relay waited anew for each byte."""
    monkeypatch.setattr(relays, "BODY_SECONDS", 0.6)

    def hearing(connection: socket.socket, _: bytes) -> None:
        while connection.recv(65536):
            pass

    with relayed(hearing) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        started = time.monotonic()
        client.sendall(GET + b"Content-Length: 9999999\r\n\r\n")
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 4:
                client.sendall(b"x")
                time.sleep(0.1)
                if select.select([client], [], [], 0)[0]:
                    break
        assert time.monotonic() - started < 3
        assert all_of(client)[:12] in (b"HTTP/1.1 408", b"")


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_an_answer_that_trickles_out_is_cut(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "ANSWER_SECONDS", 0.6)

    def trickling(connection: socket.socket, _: bytes) -> None:
        connection.sendall(first)
        for _ in range(60):
            connection.sendall(b"x")
            time.sleep(0.1)

    with relayed(trickling) as (_, port):
        started = time.monotonic()
        answer = told(port, GET + b"\r\n")
        assert time.monotonic() - started < 4
        assert answer.startswith(b"HTTP/1.1 200" if first.endswith(b"\r\n\r\n") else b"HTTP/1.1 504")
