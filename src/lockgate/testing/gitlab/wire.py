"""HTTP itself: a request is read, answered by whoever is asked, and sent back whole, cut or never."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TypeAlias

from lockgate.testing.gitlab.faults import Fault
from lockgate.testing.gitlab.http import Answer

__all__ = ["Respond", "handler"]

Respond: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], tuple[Answer, Fault | None]]
"""Method, target, headers in lower case, body → answer, and what goes wrong with it on the wire."""


def handler(respond: Respond, closed: threading.Event) -> type[BaseHTTPRequestHandler]:
    """A request handler that asks `respond`; what is never answered waits for `closed`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer on a kept connection comes 40 ms late

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def handle_one_request(self) -> None:
            # A client that gave up is no news.
            with suppress(ConnectionError):
                super().handle_one_request()

        def answer(self) -> None:
            """Any method."""
            body = self.received()
            answer, fault = respond(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            if fault and fault.wrong == "timeout":
                closed.wait()
                self.close_connection = True
                return
            self.send(answer, cut=bool(fault and fault.wrong == "cut"))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server calls

        def received(self) -> bytes:
            """The body, of known length or in chunks."""
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                length = int(self.headers.get("Content-Length") or 0)
                whole = self.rfile.read(length)
                if len(whole) < length:
                    raise ConnectionResetError  # half a body is none: GitLab takes nothing of it
                return whole
            read = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                read += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return read

        def send(self, answer: Answer, *, cut: bool) -> None:
            """Send it, or half of it and hang up."""
            data = answer.encoded()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            data = b"" if self.command == "HEAD" else data
            self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.wfile.flush()
                self.close_connection = True

    return Handler
