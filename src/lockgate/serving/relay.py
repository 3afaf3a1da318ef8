"""One socket for many servers: a connection goes to the server whose name its first request was addressed to.

    my-branch.review.example.org → the server of my-branch;   review.example.org → a list of them

Bytes are passed on as they are. A server still checks by itself which names it may be called by.
"""

from __future__ import annotations

import contextlib
import html
import re
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Final

__all__ = ["Relay", "name_in"]

HEAD_BYTES: Final = 64 << 10
HEAD_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 75.0
MOST_CONNECTIONS: Final = 256

Find = Callable[[str], tuple[str, int] | None]


class Relay:
    """Accepts until its socket is closed.

    Args:
        find: name → where that server listens; None: there is none. It may take its time: each connection has a thread.
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
                self._pass_on(client)
        finally:
            self._room.release()

    def _pass_on(self, client: socket.socket) -> None:
        client.settimeout(HEAD_SECONDS)
        head = _head(client)
        name = name_in(head, self._domain)
        if name is None:
            client.sendall(_answer(421, f"<p>Ask for <code>NAME.{html.escape(self._domain)}</code>.</p>"))
        elif name == "":
            client.sendall(_answer(200, self._listed(_port(head))))
        elif (place := self._find(name)) is None:
            client.sendall(
                _answer(404, f"<p>No branch <code>{html.escape(name)}</code> proposes a release that can be shown.</p>")
            )
        else:
            with socket.create_connection(place, timeout=HEAD_SECONDS) as server:
                server.sendall(head)
                _both_ways(client, server)

    def _listed(self, port: str) -> str:
        """What can be asked for, as links; by the port that this request came to, which a proxy may have changed."""
        hosts = [f"{html.escape(n)}.{html.escape(self._domain)}" for n in sorted(self._names())]
        items = "".join(f'<li><a href="//{host}{port}/">{host}</a></li>' for host in hosts)
        return f"<h1>Proposed releases</h1><ul>{items}</ul>" if items else "<p>No branch proposes a release.</p>"


def name_in(head: bytes, domain: str) -> str | None:
    """Who a request is addressed to: the label before the domain, empty for the domain itself or an address, None for others.

    >>> name_in(b"GET / HTTP/1.1\\r\\nHost: My-Branch.review.example.org:80\\r\\n\\r\\n", "review.example.org")
    'my-branch'
    >>> name_in(b"GET / HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n", "review.example.org") is None
    True
    """
    hosts = _hosts(head)
    if len(hosts) != 1:
        return None
    host = hosts[0].removesuffix(_port(head))
    if host == domain or host.replace(".", "").isdigit():
        return ""
    label = host.removesuffix(f".{domain}")
    return label if label != host and "." not in label else None


def _hosts(head: bytes) -> list[str]:
    parts = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return [value.strip().decode("ascii", "replace").lower() for name, _, value in parts if name.lower() == b"host"]


def _port(head: bytes) -> str:
    """With its colon; empty where the address has none."""
    found = re.search(r":[0-9]{1,5}$", next(iter(_hosts(head)), ""))
    return found.group() if found else ""


def _head(client: socket.socket) -> bytes:
    """Up to the end of the first request's head, with whatever came along."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < HEAD_BYTES:
        part = client.recv(HEAD_BYTES)
        if not part:
            break
        data += part
    return data


def _both_ways(client: socket.socket, server: socket.socket) -> None:
    """Pass bytes on until one side has ended or both are quiet."""
    for side in (client, server):
        side.settimeout(QUIET_SECONDS)
    there = threading.Thread(target=_one_way, args=(client, server), daemon=True)
    there.start()
    _one_way(server, client)
    there.join()


def _one_way(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    for side in (source, target):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


def _answer(status: int, content: str) -> bytes:
    body = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Proposed releases</title>{content}'.encode()
    reason = {200: "OK", 404: "Not Found", 421: "Misdirected Request"}[status]
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
