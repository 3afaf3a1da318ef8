"""One socket for many servers: a request goes to the server whose name it is addressed to.

    my-branch.review.example.org → the server of my-branch;   review.example.org → a list of them

One request for each connection, so each is looked at. A server still checks by itself which names it may be called by.
"""

from __future__ import annotations

import contextlib
import html
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final

from lockgate.serving.relayed import END, Head, Misread, head_of, name_in

__all__ = ["Full", "Relay", "name_in"]

HEAD_BYTES: Final = 64 << 10
PIECE_BYTES: Final = 64 << 10
HEAD_SECONDS: Final = 10.0
"""For the whole head."""
QUIET_SECONDS: Final = 75.0
"""For each piece, both ways: a client takes at least so many bytes in this time, a server says something."""
MOST_CONNECTIONS: Final = 256
RETRY_SECONDS: Final = 5

Find = Callable[[str], tuple[str, int] | None]


class Full(Exception):
    """There is no room for another server now."""


class Relay:
    """Accepts until its socket is closed.

    Args:
        find: name → where that server listens; None: there is none. Raises Full. It may take its time: each connection has a thread.
        names: what can be asked for now, for people who ask for the bare host.
    """

    def __init__(self, listener: socket.socket, *, find: Find, names: Callable[[], Iterable[str]], domain: str) -> None:
        self._listener, self._find, self._names, self._domain = listener, find, names, domain
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def start(self) -> None:
        """Accept in a thread of its own."""
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._room.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError):
                self._answer(client)
        finally:
            self._room.release()

    def _answer(self, client: socket.socket) -> None:
        try:
            data, rest = _until_end(client, time.monotonic() + HEAD_SECONDS)
            head = head_of(data, self._domain)
            answer = self._pass_on(client, head, rest)
        except Misread as error:
            answer = _page(error.status, f"<p>{html.escape(error.why)}</p>")
        except Full:
            answer = _page(503, "<p>As many apps run as this host has room for. Ask again in a moment.</p>")
        client.settimeout(HEAD_SECONDS)
        client.sendall(answer)
        _leave(client)

    def _pass_on(self, client: socket.socket, head: Head, rest: bytes) -> bytes:
        """What to answer by ourselves; empty when the server did."""
        if head.name is None:
            return _page(421, f"<p>Ask for <code>NAME.{html.escape(self._domain)}</code>.</p>")
        if head.name == "":
            return _page(200, self._listed(_port(head.data)))
        if (place := self._find(head.name)) is None:
            shown = html.escape(head.name)
            return _page(404, f"<p>No branch <code>{shown}</code> proposes a release that can be shown.</p>")
        try:
            server = socket.create_connection(place, timeout=HEAD_SECONDS)
        except OSError:
            return _page(502, GONE)
        with server:
            return _exchanged(client, server, head, rest)

    def _listed(self, port: str) -> str:
        """What can be asked for, as links; by the port that this request came to, which a proxy may have changed."""
        hosts = [f"{html.escape(n)}.{html.escape(self._domain)}" for n in sorted(self._names())]
        items = "".join(f'<li><a href="//{host}{port}/">{host}</a></li>' for host in hosts)
        return f"<h1>Proposed releases</h1><ul>{items}</ul>" if items else "<p>No branch proposes a release.</p>"


GONE: Final = "<p>The app of this branch ended before it answered. Ask again in a moment.</p>"


def _port(head: bytes) -> str:
    """With its colon; empty where the address has none."""
    found = re.search(rb"\r\nhost:[^\r\n]*?(:[0-9]{1,5})\r\n", head)
    return found[1].decode() if found else ""


def _until_end(client: socket.socket, deadline: float) -> tuple[bytes, bytes]:
    """A head, and what came along behind it. Raises Misread when it is too large, too slow or cut off."""
    data = b""
    while END not in data:
        if len(data) >= HEAD_BYTES:
            raise Misread(431, "The head of the request is too large.")
        client.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = client.recv(HEAD_BYTES)
        except TimeoutError as error:
            raise Misread(408, "The request did not come in time.") from error
        if not part:
            raise Misread(400, "The request is not whole.")
        data += part
    head, _, rest = data.partition(END)
    return head + END, rest


def _exchanged(client: socket.socket, server: socket.socket, head: Head, rest: bytes) -> bytes:
    """Pass a request there and its answer back, at most a piece of either in memory. Answers what to say when the server does not.

    The body goes up beside the answer that comes down: a server may answer, and end, before it has read all.
    """
    for side in (client, server):
        side.settimeout(QUIET_SECONDS)
    going = threading.Thread(target=_up, args=(client, server, head, rest), daemon=True)
    going.start()
    try:
        return _down(server, client)
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RD)  # whoever still sends is not listened to
        going.join()


def _up(client: socket.socket, server: socket.socket, head: Head, rest: bytes) -> None:
    """The request, as long as it said that it is. What comes behind it is another request, or nothing."""
    with contextlib.suppress(OSError):
        server.sendall(head.data)
        part, left = rest[: head.length], head.length
        while left:
            if not part and not (part := client.recv(min(PIECE_BYTES, left))):
                server.shutdown(socket.SHUT_RDWR)  # half a request is none
                return
            server.sendall(part)
            left -= len(part)
            part = b""


def _down(server: socket.socket, client: socket.socket) -> bytes:
    """The answer. Its head is passed on whole, so a server that dies before can still be spoken for; behind it, the client sees the cut."""
    head = b""
    try:
        while END not in head and len(head) < HEAD_BYTES:
            if not (part := server.recv(PIECE_BYTES)):
                return _page(502, GONE)
            head += part
    except TimeoutError:
        return _page(504, "<p>The app of this branch does not answer.</p>")
    except OSError:
        return _page(502, GONE)
    if END not in head:
        return _page(502, "<p>The app of this branch answers no HTTP.</p>")
    client.sendall(head)
    with contextlib.suppress(OSError):
        while part := server.recv(PIECE_BYTES):
            client.sendall(part)
    return b""


def _leave(client: socket.socket) -> None:
    """Let the client read what was said: closing while it still sends would take that from it."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        client.settimeout(1.0)
        for _ in range(16):
            if not client.recv(PIECE_BYTES):
                return


def _page(status: int, content: str) -> bytes:
    body = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Proposed releases</title>{content}'.encode()
    again = f"Retry-After: {RETRY_SECONDS}\r\n" if status in (502, 503, 504) else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n{again}Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
