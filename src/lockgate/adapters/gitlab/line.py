"""Connections to one server, kept between calls: a handshake for each of many small requests would cost more than the requests."""

from __future__ import annotations

import contextlib
import threading
import weakref
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

__all__ = ["NEAR", "Line", "allowed_address", "pieces"]

NEAR: Final = ("127.0.0.1", "::1", "localhost")
PIECE_BYTES: Final = 1 << 20


class Line:
    """Requests to the server of an address; what is kept is used by one thread at a time. Through the environment's proxy, if it names one."""

    def __init__(self, address: str, *, patience: float) -> None:
        parts = urlsplit(address)
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname or "", parts.port
        self._patience = patience
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._idle)

    @contextlib.contextmanager
    def asked(
        self, method: str, target: str, *, body: bytes | Path | None, headers: Mapping[str, str], kept: bool
    ) -> Generator[HTTPResponse]:
        """The answer, to be read inside. `kept`: a kept connection may be used, and the call made again when that one is dead.

        Raises OSError or HTTPException.
        """
        with self._lock:
            connection = self._idle.pop() if kept and self._idle else None
        answer, broken = None, False
        if connection is not None:
            with contextlib.suppress(OSError, HTTPException):
                answer = _answer(connection, method, target, body, headers)
            if answer is None:
                connection.close()
        if connection is None or answer is None:
            connection = self._new()
        try:
            answer = answer or _answer(connection, method, target, body, headers)
            yield answer
        except (OSError, HTTPException):
            broken = True
            raise
        finally:
            if kept and answer and answer.isclosed() and not (broken or answer.will_close or answer.length):
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()

    def _new(self) -> HTTPConnection:
        kind = HTTPSConnection if self._secure else HTTPConnection
        proxy = self._proxy()
        if proxy is None:
            return kind(self._host, self._port, timeout=self._patience)
        host, port, headers = proxy
        connection = kind(host, port, timeout=self._patience)
        connection.set_tunnel(self._host, self._port, headers=headers)
        return connection

    def _proxy(self) -> tuple[str, int | None, dict[str, str]] | None:
        import base64
        from urllib.request import getproxies, proxy_bypass

        said = getproxies().get("https" if self._secure else "http")
        if not said or self._host in NEAR or proxy_bypass(self._host):
            return None
        parts = urlsplit(said if "://" in said else f"http://{said}")
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        known = {"Proxy-Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if parts.username else {}
        return parts.hostname or "", parts.port, known


def allowed_address(address: str) -> bool:
    """Whether something may be asked there: by https, or on this machine itself."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in NEAR)


def pieces(answer: HTTPResponse) -> Iterator[bytes]:
    """The body; ConnectionError when it ends too early."""
    while piece := answer.read(PIECE_BYTES):
        yield piece
    if answer.length:
        raise ConnectionError(f"{answer.length} bytes are missing at the end")


def _answer(
    connection: HTTPConnection, method: str, target: str, body: bytes | Path | None, headers: Mapping[str, str]
) -> HTTPResponse:
    """Ask, and wait for the head of the answer. A server that hangs up in the middle of a body may have said why."""
    with contextlib.ExitStack() as opened:
        told = dict(headers)
        if isinstance(body, Path):
            told["Content-Length"] = str(body.stat().st_size)
            data = opened.enter_context(body.open("rb"))
        else:
            data = body
        try:
            connection.request(method, target, body=data, headers=told)
        except (BrokenPipeError, ConnectionResetError) as error:
            with contextlib.suppress(OSError, HTTPException):
                return connection.getresponse()
            raise error from None
        return connection.getresponse()


def _close(idle: list[HTTPConnection]) -> None:
    while idle:
        idle.pop().close()
