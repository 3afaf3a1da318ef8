"""The digests of a source's files as they were read last: what looks the same is not read again. A shortcut, no more."""

from __future__ import annotations

import binascii
import contextlib
import json
from typing import TYPE_CHECKING

from lockgate.build.trace import RACY_NS
from lockgate.durable import write_atomic
from lockgate.records.digest import Json, digest_file
from lockgate.records.listing import STATE_BYTES, Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Read = Callable[[str, str], str]
    """(name, place) of a file → its digest."""

__all__ = ["read_digests"]

UNSETTLED = bytes(STATE_BYTES)
"""Stands for a file that changed so shortly before it was read that its next change may not show: it is read again."""

Known = tuple[tuple[str, ...], bytes, tuple[str, ...]]  # names, states, digests
NOTHING: Known = ((), b"", ())


def read_digests(listing: Listing, memory: Path, *, now_ns: int, read: Read | None = None) -> tuple[str | None, ...]:
    """The digest of each file of a listing, in its order; reads those that `memory` has not seen as they are now.

    None for a file that was taken away since it was listed.

    Where the memory cannot be read or written, every file is read: it changes how long this takes, never the answer.

    Args:
        now_ns: before the files were listed.
        read: what reads a file, where that does more than take its digest.

    Raises OSError for a file that cannot be read.
    """
    names, states, digests = known = _read(memory)
    if (names, states) == (listing.names, listing.states):
        return digests
    by_state = dict(zip(zip(names, Listing(states=states).each_state(), strict=True), digests, strict=True))
    wanted = list(zip(listing.names, listing.each_state(), strict=True))
    found = tuple(by_state.get(key) or _unless_gone(read, key[0], listing.top) for key in wanted)
    settled = b"".join(
        state if now_ns - changed_ns > RACY_NS else UNSETTLED
        for (_, state), changed_ns in zip(wanted, listing.changed_ns(), strict=True)
    )
    if None not in found and known != (listing.names, settled, found):
        _write(memory, listing.names, settled, found)
    return found


def _unless_gone(read: Read | None, name: str, top: str) -> str | None:
    place = f"{top}/{name}"
    try:
        return read(name, place) if read else digest_file(place)
    except FileNotFoundError:
        return None


def _read(memory: Path) -> Known:
    """What was written; nothing when it is not there, or not what was written."""
    try:
        record = json.loads(memory.read_bytes())
        names, digests = tuple(record["names"]), tuple(record["digests"])
        states = binascii.a2b_base64(record["states"], strict_mode=True)
    except (OSError, ValueError, KeyError, TypeError):
        return NOTHING
    whole = len(names) * STATE_BYTES == len(states) and len(names) == len(digests)
    return (names, states, digests) if whole and set(map(type, names + digests)) <= {str} else NOTHING


def _write(memory: Path, names: Sequence[str], states: bytes, digests: Sequence[str | None]) -> None:
    record: Json = {"names": names, "states": binascii.b2a_base64(states, newline=False).decode(), "digests": digests}
    with contextlib.suppress(OSError):
        write_atomic(memory, json.dumps(record).encode(), sync=False)
