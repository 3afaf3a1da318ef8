"""What lies in a store, and who is at work in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.records.digest import Json

__all__ = ["GRACE_S", "Held", "Lease", "is_over"]

GRACE_S = 3600.0
"""How far two machines' clocks may lie apart before a lease counts as over by its time alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One object or record.

    Attributes:
        modified_s: POSIX seconds by the store's clock.
        whole: its bytes hold together, as far as they were read.
        record: what a whole record says; None of an object.
    """

    key: str
    size_bytes: int
    modified_s: float
    whole: bool = True
    record: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who works on something, and until when if nothing more is heard.

    Attributes:
        owner: opaque and unique: a new one for each process.
        until_s: POSIX seconds by the owner's clock.
        lasts_s: how long after its last change a lease counts.
        beat: counts the renewals, so that no two states of a lease are the same bytes.
        host, pid, started: the process, so that a neighbour on its machine sees at once that it is gone.
        pins: digests of objects that its owner is going to read.
    """

    owner: str
    until_s: float
    lasts_s: float
    beat: int = 0
    host: str = ""
    pid: int = 0
    started: str = ""
    pins: tuple[str, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


def is_over(lease: Lease, *, unchanged_s: float, now_s: float, gone: bool) -> bool:
    """Whether its owner is dead as far as anybody can tell.

    Clocks are not compared, unless they lie hours apart: what counts is how long an observer saw no renewal.

    Args:
        unchanged_s: how long the asker has seen the lease as it is, by its own steady clock.
        now_s: the asker's clock.
        gone: the asker is on the owner's machine, and the process is not there any more.

    >>> lease = Lease(owner="a", until_s=1000.0, lasts_s=20.0)
    >>> [is_over(lease, unchanged_s=u, now_s=n, gone=g) for u, n, g in ((5, 999, False), (21, 0, False), (0, 0, True))]
    [False, True, True]
    """
    return gone or unchanged_s > lease.lasts_s or now_s > lease.until_s + GRACE_S
