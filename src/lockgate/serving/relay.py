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
from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final

from lockgate.serving.child import asker_of
from lockgate.serving.relayed import END, Head, Misread, head_of, name_in

__all__ = ["Full", "Relay", "name_in"]

HEAD_BYTES: Final = 64 << 10
PIECE_BYTES: Final = 64 << 10
HEAD_SECONDS: Final = 10.0
"""For the whole head."""
QUIET_SECONDS: Final = 75.0
"""For each piece, both ways: a client takes at least so many bytes in this time, a server says something."""
BODY_SECONDS: Final = 60.0
"""For a whole request behind its head."""
ANSWER_SECONDS: Final = 120.0
"""From a request's head to the end of its answer."""
MOST_CONNECTIONS: Final = 256
MOST_OF_ONE: Final = 32
"""Of one client, by its address."""
RETRY_SECONDS: Final = 5

Find = Callable[[str], tuple[str, int] | None]


class Full(Exception):
    """There is no room for another server now."""


class Relay:
    """Accepts until its socket is closed.

    Args:
        find: name → where that server listens; None: there is none. Raises Full. It may take its time: each connection has a thread.
        names: what can be asked for now, for people who ask for the bare host.
        why_none: a sentence for people who find nothing: why, and what to do.
    """

    def __init__(
        self, listener: socket.socket, *, find: Find, names: Callable[[], Iterable[str]], domain: str,
        why_none: Callable[[], str] = str,
    ) -> None:  # fmt: skip
        self._listener, self._find, self._names, self._domain = listener, find, names, domain
        self._why_none = why_none
        self._held, self._counting = Counter[str](), threading.Lock()

    def start(self) -> None:
        """Accept in a thread of its own."""
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, address = self._listener.accept()
            except OSError:
                return
            asker = asker_of(address[0])
            if not self._enters(asker):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client, asker), daemon=True).start()

    def _enters(self, asker: str) -> bool:
        """Whether there is room for one more connection of this client; it is counted then."""
        with self._counting:
            room = self._held.total() < MOST_CONNECTIONS and self._held[asker] < MOST_OF_ONE
            self._held[asker] += room
        return room

    def _serve(self, client: socket.socket, asker: str) -> None:
        try:
            with client, contextlib.suppress(OSError):
                self._answer(client)
        finally:
            with self._counting:
                self._held -= Counter((asker,))  # names that hold nothing any more go

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
            none = f"<p>No branch <code>{shown}</code> proposes a release, and none whose digest begins so was proposed by hand.</p>"
            return _page(404, none + self._why())
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
        return f"<h1>Proposed releases</h1><ul>{items}</ul>" if items else NONE + self._why()

    def _why(self) -> str:
        text = self._why_none()
        return f"<p>Why: {html.escape(text)}.</p>" if text else ""


NONE: Final = "<p>No release is proposed.</p>"
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
    started, late = time.monotonic(), threading.Event()
    with client.dup() as reading, server.dup() as writing:  # each way waits by its own clock
        up = (reading, writing, head, rest, started + BODY_SECONDS, late)
        going = threading.Thread(target=_up, args=up, daemon=True)
        going.start()
        try:
            answer = _down(server, client, started + ANSWER_SECONDS)
        finally:
            _shut(server, socket.SHUT_RDWR)
            _shut(client, socket.SHUT_RD)  # whoever still sends is not listened to
            going.join()
    return _page(408, "<p>The request did not come in time.</p>") if answer and late.is_set() else answer


def _wait(side: socket.socket, deadline: float) -> socket.socket:
    """A socket that takes or gives its next piece in time. Raises TimeoutError (an OSError) behind the deadline."""
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    side.settimeout(min(QUIET_SECONDS, left))
    return side


def _shut(side: socket.socket, way: int) -> None:
    with contextlib.suppress(OSError):
        side.shutdown(way)


def _up(
    client: socket.socket, server: socket.socket, head: Head, rest: bytes, deadline: float, late: threading.Event
) -> None:
    """The request, as long as it said that it is. What comes behind it is another request, or nothing."""
    part, left = rest[: head.length], head.length
    try:
        _wait(server, deadline).sendall(head.data)
        while left:
            if not part and not (part := _wait(client, deadline).recv(min(PIECE_BYTES, left))):
                _shut(server, socket.SHUT_RDWR)  # half a request is none
                return
            _wait(server, deadline).sendall(part)
            left -= len(part)
            part = b""
    except TimeoutError:
        late.set()
        _shut(server, socket.SHUT_RDWR)
    except OSError:
        return


def _down(server: socket.socket, client: socket.socket, deadline: float) -> bytes:
    """The answer. Its head is passed on whole, so a server that dies before can still be spoken for; behind it, the client sees the cut."""
    head = b""
    try:
        while END not in head and len(head) < HEAD_BYTES:
            if not (part := _wait(server, deadline).recv(PIECE_BYTES)):
                return _page(502, GONE)
            head += part
    except TimeoutError:
        return _page(504, "<p>The app of this branch does not answer.</p>")
    except OSError:
        return _page(502, GONE)
    if END not in head:
        return _page(502, "<p>The app of this branch answers no HTTP.</p>")
    with contextlib.suppress(OSError):
        _wait(client, deadline).sendall(head)
        while part := _wait(server, deadline).recv(PIECE_BYTES):
            _wait(client, deadline).sendall(part)
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
