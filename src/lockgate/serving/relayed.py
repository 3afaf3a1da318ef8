"""The head of a request that a relay may pass on: who it is for, how long its body is, and what the server behind may read.

What two servers could read in two ways is refused here (RFC 9112, 3.2, 5.1, 6.1 and 11.2), so no request hides in another one's body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["END", "Head", "Misread", "head_of", "name_in"]

END: Final = b"\r\n\r\n"
LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/[!-~]*) HTTP/1\.([01])")
FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
LENGTH: Final = re.compile(rb"[0-9]{1,10}")

HOP: Final = frozenset((b"connection", b"keep-alive", b"te", b"trailer", b"upgrade"))
"""What is said to the next server only (RFC 9110, 7.6.1), beside all that begins with `proxy-`."""
CLAIMS: Final = frozenset((b"forwarded", b"via", b"x-real-ip"))
"""What says who asks, beside all that begins with `x-forwarded-`: here anybody may have written it."""


class Misread(Exception):
    """A request that is not passed on. `status`: of the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


@dataclass(frozen=True, slots=True)
class Head:
    """What is passed on: `data`, then `length` bytes of body. `name`: whom it is for, None for nobody here."""

    data: bytes
    length: int
    name: str | None


def head_of(data: bytes, domain: str) -> Head:
    """The head that ends with `END`, as the server behind gets it: one request for each connection. Raises Misread."""
    first, *lines = data.removesuffix(END).split(b"\r\n")
    asked = LINE.fullmatch(first)
    if asked is None:
        raise Misread(400, "The first line is no METHOD /PATH HTTP/1.1.")
    fields = [_field(line) for line in lines]
    if len([1 for name, _ in fields if name == b"host"]) > 1:
        raise Misread(400, "There is more than one Host.")
    length = _length(fields)
    named = {n.strip().lower() for name, value in fields if name == b"connection" for n in value.split(b",")}
    kept = [(n, v) for n, v in fields if not (_is_ours(n) or n in named - {b"host", b"content-length"})]
    passed = b"".join(b"%s: %s\r\n" % pair for pair in (*kept, (b"connection", b"close")))
    return Head(first + b"\r\n" + passed + b"\r\n", length, name_in(data, domain))


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = FIELD.fullmatch(line)
    if found is None:
        raise Misread(400, "A header line cannot be read in one way only.")
    return found[1].lower(), found[2].rstrip(b" \t")


def _is_ours(name: bytes) -> bool:
    return name in HOP or name in CLAIMS or name.startswith((b"proxy-", b"x-forwarded-"))


def _length(fields: list[tuple[bytes, bytes]]) -> int:
    """Bytes of the body, which a client must say before: then nothing has to be understood of the body itself."""
    lengths = [value for name, value in fields if name == b"content-length"]
    if any(name == b"transfer-encoding" for name, _ in fields):
        raise (
            Misread(400, "Content-Length and Transfer-Encoding exclude each other.")
            if lengths
            else Misread(411, "Say Content-Length: a body in chunks is not passed on.")
        )
    if len(lengths) > 1 or not all(LENGTH.fullmatch(value) for value in lengths):
        raise Misread(400, "Content-Length is no number, or there are several.")
    return int(lengths[0]) if lengths else 0


def name_in(head: bytes, domain: str) -> str | None:
    """Who a request is addressed to: the label before the domain, empty for the domain itself or an address, None for others.

    >>> name_in(b"GET / HTTP/1.1\\r\\nHost: My-Branch.review.example.org:80\\r\\n\\r\\n", "review.example.org")
    'my-branch'
    >>> name_in(b"GET / HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n", "review.example.org") is None
    True
    """
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    hosts = [value.strip().decode("ascii", "replace").lower() for name, _, value in lines if name.lower() == b"host"]
    if len(hosts) != 1:
        return None
    host = re.sub(r":[0-9]{1,5}$", "", hosts[0])
    if host == domain or re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", host):
        return ""
    label = host.removesuffix(f".{domain}")
    return label if label != host and LABEL.fullmatch(label) else None
