"""One HTTP connection that cannot be made to cost much: how large a head, how slow, how many at once, how long unread.

Uvicorn's protocol reads whatever comes for as long as it comes. This one ends a connection whose request has too
large a head or does not come in whole in time, whose client does not read, or which asks for too much before it
reads; and when nearly all places are taken, the one that has waited longest leaves for a newcomer.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lockgate.records.digest import canonical

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["KEEP_ALIVE_SECONDS", "MOST_CONNECTIONS", "GuardedProtocol"]

HEAD_LIMIT_BYTES = 64 << 10  # request line and headers
PER_BODY_BYTE = 8  # what sending a body in pieces may add: even one byte a piece adds less
PIECE_BYTES = 16 << 10  # parsed at once; what a head may be above its limit
SLOWEST_SECONDS = 20.0  # for a whole request to come in
UNREAD_SECONDS = 10.0  # in which a client reads at least:
LEAST_READ_BYTES = 8 << 10
LINGER_SECONDS = 2.0  # what still comes is read and dropped so long, or the refusal would be lost with it
MOST_WAITING = 64  # requests sent ahead on one connection
KEEP_ALIVE_SECONDS = 75
CROWDED_KEEP_ALIVE_SECONDS = 5  # from three quarters of the places on
MOST_CONNECTIONS = 512  # more are answered 503 and closed
FREE_CONNECTIONS = 16  # kept free for newcomers

REFUSALS = {
    400: {"error": "the request is not HTTP that this server reads"},
    431: {"error": "the request's headers are too large", "allowed": f"{HEAD_LIMIT_BYTES} bytes"},
}


class GuardedProtocol(HttpToolsProtocol):
    """A connection with limits in bytes, seconds and requests."""

    hurry: asyncio.TimerHandle | None = None  # until then the request has come in
    unread: asyncio.TimerHandle | None = None  # until then the client has read some
    farewell: asyncio.TimerHandle | None = None  # until then we go on reading what nobody wants
    running: RequestResponseCycle | None = None  # `cycle` is the newest; those between them are in `pipeline`
    since: float | None = 0.0  # when it began to wait for its client; None while we work for it
    spare = HEAD_LIMIT_BYTES
    partial = deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        self._hurry_up()
        if len(self.connections) > MOST_CONNECTIONS - FREE_CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        if len(data) <= PIECE_BYTES and not self.deaf:
            self._feed(data)
            return
        for start in range(0, len(data), PIECE_BYTES):
            if self.deaf or self.transport.is_closing():
                return
            self._feed(data[start : start + PIECE_BYTES])

    def _feed(self, piece: bytes) -> None:
        self.spare -= len(piece)
        self.partial = True
        super().data_received(piece)
        if self.partial and self.hurry is None and not self.deaf:
            self._hurry_up()
        if self.spare < 0:
            self._refuse(431)

    def on_message_begin(self) -> None:
        self.partial = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MOST_WAITING:
            raise ValueError("too many requests sent ahead")  # the parser stops and `send_400_response` is called
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.spare += PER_BODY_BYTE * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.spare, self.partial = HEAD_LIMIT_BYTES, False
        if self.hurry:
            self.hurry.cancel()
            self.hurry = None
        if not self.flow.write_paused:
            self.since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        crowded = len(self.connections) > MOST_CONNECTIONS * 3 // 4
        self.timeout_keep_alive = CROWDED_KEEP_ALIVE_SECONDS if crowded else self.config.timeout_keep_alive
        if not self.pipeline:
            self.since = self.loop.time()
        super().on_response_complete()
        if self.unread is None:
            self._watch()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        self.since = self.loop.time()
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        _cancel(self.unread)
        self.unread = None
        if self.running and not self.running.response_complete:
            self.since = None
        super().resume_writing()
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  the name is Uvicorn's
        """What the parser cannot go on with; its own words are no help to a client."""
        self._refuse(431 if self.spare < 0 else 400)

    def connection_lost(self, exc: Exception | None) -> None:
        self._silence()
        super().connection_lost(exc)
        for timer in (self.hurry, self.unread, self.farewell):
            _cancel(timer)

    def _silence(self) -> None:
        """Nothing is sent any more: Uvicorn tells only the newest request so, not the one that is answered now."""
        self.pipeline.clear()
        for cycle in (self.running, self.cycle):
            if cycle and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def _refuse(self, status: int) -> None:
        """Answer what was asked whole, then end; where nothing is left to answer, say why."""
        if self.deaf or self.transport.is_closing():
            return
        self.deaf = True
        newest = self.cycle
        if newest and not newest.response_complete and not newest.more_body:
            newest.keep_alive = False
            return
        alone = not newest or newest.response_complete or (newest is self.running and not newest.response_started)
        self._silence()
        _cancel(self.hurry)
        self._unset_keepalive_if_required()
        if alone:
            self.transport.write(_refusal(status))
        self.transport.write_eof()
        self.since = self.loop.time()
        self.farewell = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _hurry_up(self) -> None:
        if self.since is None:
            self.since = self.loop.time()
        self.hurry = self.loop.call_later(SLOWEST_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        self.transport.close()
        self._watch()

    def _watch(self, before: int | None = None) -> None:
        """What was sent must be read: look twice, and once more as long as something is left."""
        if self.unread is None:
            self.unread = self.loop.call_later(UNREAD_SECONDS, self._look_again, before)

    def _look_again(self, before: int | None) -> None:
        self.unread = None
        left = self.transport.get_write_buffer_size()
        if left and before is not None and left > before - LEAST_READ_BYTES:
            self.transport.abort()
        elif left:
            self._watch(left)

    def _make_room(self) -> None:
        """The connection that has waited longest for its client leaves; one that we work for never does."""
        others = (c for c in self.connections if isinstance(c, GuardedProtocol) and c is not self)
        waiting = [(c.since, id(c), c) for c in others if c.since is not None and not c.transport.is_closing()]
        if waiting:
            min(waiting)[2].transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer:
        timer.cancel()


def _refusal(status: int) -> bytes:
    body = canonical(REFUSALS[status]) + b"\n"
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json; charset=utf-8\r\n"
    return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
