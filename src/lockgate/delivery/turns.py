"""Runs that share a store take turns: each fingerprint is executed once, and a run that died holds nobody up.

A lease per fingerprint says who is at it. It is renewed while the step runs; whoever waits for it watches it change,
and takes over when it has not changed for as long as it lasts. A lease is advice: two that run the same step after
all (a machine that slept) put the same result under the same fingerprint.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from lockgate.errors import LockgateError, ServiceUnavailable
from lockgate.records.held import Lease, is_over

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from lockgate.ports import Leases
    from lockgate.records.artifact import Artifact

__all__ = ["COLLECTING", "Collected", "Turns", "Watch", "is_gone"]

COLLECTING: Final = "gc"
"""The lease of a garbage collection; each run has one called `run-…`."""

ASK_S: Final = 0.5
FRESH: Final = 0.9


class Collected(ServiceUnavailable):
    """Garbage was collected between planning and saying what will be read; plan again."""


class Turns:
    """The leases of one run; use as a context manager.

    Args:
        result: what is stored under a fingerprint.
        lasts_s: how long a lease counts after its last renewal.
    """

    def __init__(self, leases: Leases, *, result: Callable[[str], Artifact | None], lasts_s: float) -> None:
        self._leases, self._result, self._lasts_s = leases, result, lasts_s
        self._owner = f"{os.getpid()}-{os.urandom(8).hex()}"
        self._new = self._lease()
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._heart.join()
        for name in tuple(self._held):
            with contextlib.suppress(LockgateError):
                self._drop(name)

    @contextlib.contextmanager
    def alone(self, key: str, *, made: Callable[[], object] = lambda: None) -> Generator[Artifact | None]:
        """Wait until nobody else runs this fingerprint; answer what another run made of it, else None: run it.

        `made` is called when another run made it.
        """
        found = self._wait(key)
        if found is not None:
            made()
            yield found
            return
        try:
            yield None
        finally:
            self._drop(key)

    def pin(self, digests: Sequence[str], *, still_there: Callable[[], bool]) -> None:
        """Say which objects this run will read, and by which fingerprints, so that no garbage collection removes them.

        A collection that is under way is waited for: it may not have seen what we say. Raises Collected when
        something is gone already.
        """
        name = f"run-{self._owner}"
        if not self._take(name, self._lease(pins=tuple(digests))):
            raise ServiceUnavailable("a lease was not given", value=name, next="lockgate run")
        watch = Watch()
        while (holder := self._leases.holder(COLLECTING)) is not None:
            if watch.is_over(holder):
                self._leases.drop(
                    COLLECTING, holder
                )  # so that one which only slept stops, and nobody waits for it again
                break
            self._stop.wait(min(ASK_S, self._lasts_s / 10))
        if not still_there():
            raise Collected("garbage was collected while this run was planned", next="lockgate run")

    @contextlib.contextmanager
    def collecting(self) -> Generator[None]:
        """Be the one that collects garbage; runs that begin meanwhile wait.

        One that holds the turn is watched for as long as its lease lasts: it is dead, or ServiceUnavailable is raised.
        """
        if not self._take(COLLECTING, self._lease()) and not self._take_over():
            raise ServiceUnavailable("somebody else collects garbage", next="wait, then lockgate store gc")
        try:
            yield
        finally:
            self._drop(COLLECTING)

    def _take_over(self) -> bool:
        """Collect in the place of one that says nothing any more."""
        watch, seen = Watch(), self._leases.holder(COLLECTING)
        while seen is not None and self._leases.holder(COLLECTING) == seen:
            if watch.is_over(seen):
                return self._take(COLLECTING, self._lease(), over=seen)
            self._stop.wait(min(ASK_S, self._lasts_s / 10))
        return False

    def still_collecting(self) -> None:
        """Stop when the lease was taken from us (the machine slept): runs wait for us no more. Asks the store."""
        holder = self._leases.holder(COLLECTING)
        if holder is None or holder.owner != self._owner:
            raise ServiceUnavailable("the collection took too long between two steps", next="lockgate store gc")

    def _wait(self, key: str) -> Artifact | None:
        watch = Watch()
        while not self._take(key, self._lease_of_step()):
            if (found := self._result(key)) is not None:
                return found
            holder = self._leases.holder(key)
            if holder is not None and watch.is_over(holder) and self._take(key, self._lease_of_step(), over=holder):
                break
            self._stop.wait(min(ASK_S, self._lasts_s / 10))
        found = self._result(key)  # it may have been finished between our planning and our turn
        if found is not None:
            self._drop(key)
        return found

    def _take(self, name: str, lease: Lease, *, over: Lease | None = None) -> bool:
        if not self._leases.take(name, lease, over=over):
            return False
        with self._lock:
            self._held[name] = lease
        return True

    def _drop(self, name: str) -> None:
        with self._lock:
            lease = self._held.pop(name, None)
        if lease is not None:
            self._leases.drop(name, lease)

    def _lease(self, *, pins: tuple[str, ...] = ()) -> Lease:
        return Lease(
            owner=self._owner, until_s=time.time() + self._lasts_s, lasts_s=self._lasts_s, host=_host(),
            pid=os.getpid(), started=_started(os.getpid()), pins=pins,
        )  # fmt: skip

    def _lease_of_step(self) -> Lease:
        """The same for all steps that begin within a moment: a lease that is a little old counts a little less long."""
        if self._new.until_s - time.time() < FRESH * self._lasts_s:
            self._new = self._lease()
        return self._new

    def _beat(self) -> None:
        """Renew what is held. A store that does not answer is asked again; a lease that was taken from us is let go."""
        while not self._stop.wait(self._lasts_s / 3):
            for name, lease in tuple(self._held.items()):
                after = replace(lease, beat=lease.beat + 1, until_s=time.time() + self._lasts_s)
                with contextlib.suppress(LockgateError):
                    kept = self._leases.renew(name, after, before=lease)
                    with self._lock:
                        if self._held.get(name) == lease:
                            self._held.update({name: after} if kept else {})
                            if not kept:
                                del self._held[name]


class Watch:
    """Looks at one lease again and again, and tells when its owner must be dead."""

    def __init__(self) -> None:
        self._seen: Lease | None = None
        self._since_s = 0.0

    def is_over(self, lease: Lease) -> bool:
        """Whether it has not changed for as long as it lasts, or its process is known to be gone."""
        if lease != self._seen:
            self._seen, self._since_s = lease, time.monotonic()
        unchanged_s = time.monotonic() - self._since_s
        return is_over(lease, unchanged_s=unchanged_s, now_s=time.time(), gone=is_gone(lease))


def is_gone(lease: Lease) -> bool:
    """Whether the owner was a process of this very machine, since its last start, and is there no more."""
    return bool(lease.host) and lease.host == _host() and _started(lease.pid) != lease.started


@functools.cache
def _host() -> str:
    """This boot and this set of process numbers (a container has its own); "" where nothing tells."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process started, as the kernel counts; "" for one that is gone or only waits to be buried."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
