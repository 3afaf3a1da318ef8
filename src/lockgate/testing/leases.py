"""Leases among threads, with a knob to fail, and the exam that all leases pass."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lockgate.errors import ServiceUnavailable
from lockgate.records.held import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lockgate.ports import Leases

__all__ = ["MemoryLeases", "lease_checks"]


class MemoryLeases:
    """`Leases` among the threads of one process; `fail_call` is the number of the call that raises ServiceUnavailable."""

    def __init__(self, *, fail_call: int = 0) -> None:
        self.leases: dict[str, Lease] = {}
        self._fail_call, self._calls = fail_call, 0
        self._lock = threading.Lock()

    def take(self, name: str, lease: Lease, *, over: Lease | None = None) -> bool:
        """Take what nobody holds, or what the holder of `over` held."""
        return self._replace(name, lease, over)

    def renew(self, name: str, lease: Lease, *, before: Lease) -> bool:
        """Replace our own."""
        return self._replace(name, lease, before)

    def drop(self, name: str, lease: Lease) -> None:
        """Give it back."""
        self._called()
        with self._lock:
            if name in self.leases and self.leases[name].owner == lease.owner:
                del self.leases[name]

    def holder(self, name: str) -> Lease | None:
        """Who holds it."""
        self._called()
        return self.leases.get(name)

    def names(self) -> Iterator[str]:
        """What is held."""
        self._called()
        return iter(tuple(self.leases))

    def _replace(self, name: str, lease: Lease, before: Lease | None) -> bool:
        self._called()
        with self._lock:
            if self.leases.get(name) != before:
                return False
            self.leases[name] = lease
        return True

    def _called(self) -> None:
        self._calls += 1
        if self._calls == self._fail_call:
            raise ServiceUnavailable("the store does not answer", value=f"call {self._calls}")


def lease_checks() -> Sequence[Callable[[Callable[[], Leases]], None]]:
    """What any leases must do; each check takes a function that makes new, empty ones."""
    return (_one_of_many_gets_it, _a_lease_comes_back, _only_what_was_seen_is_taken_over, _what_was_taken_is_not_ours)


def _lease(owner: str, beat: int = 0) -> Lease:
    return Lease(owner=owner, until_s=1e9, lasts_s=10.0, beat=beat, pins=("blake3:" + "1" * 64,))


def _one_of_many_gets_it(make: Callable[[], Leases]) -> None:
    leases = make()
    for name in ("blake3:" + "ab" * 32, "gc", "run-1"):
        got: list[str] = []

        def race(owner: str, name: str = name, got: list[str] = got) -> None:
            if leases.take(name, _lease(owner)):
                got.append(owner)

        threads = [threading.Thread(target=race, args=(f"owner-{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        holder = leases.holder(name)
        assert holder is not None
        assert got == [holder.owner]
    assert sorted(leases.names()) == sorted(["blake3:" + "ab" * 32, "gc", "run-1"])


def _a_lease_comes_back(make: Callable[[], Leases]) -> None:
    leases = make()
    assert leases.holder("one") is None
    assert leases.take("one", _lease("a"))
    assert leases.holder("one") == _lease("a")
    assert leases.renew("one", _lease("a", 1), before=_lease("a"))
    assert leases.holder("one") == _lease("a", 1)
    leases.drop("one", _lease("a", 1))
    assert leases.holder("one") is None
    assert list(leases.names()) == []
    leases.drop("one", _lease("a", 1))


def _only_what_was_seen_is_taken_over(make: Callable[[], Leases]) -> None:
    leases = make()
    assert leases.take("one", _lease("a", 1))
    assert not leases.take("one", _lease("b"))
    assert not leases.take("one", _lease("b"), over=_lease("a", 0))
    assert leases.take("one", _lease("b"), over=_lease("a", 1))
    assert not leases.take("one", _lease("c"), over=_lease("a", 1))
    assert leases.holder("one") == _lease("b")


def _what_was_taken_is_not_ours(make: Callable[[], Leases]) -> None:
    leases = make()
    assert leases.take("one", _lease("a"))
    assert leases.take("one", _lease("b"), over=_lease("a"))
    assert not leases.renew("one", _lease("a", 1), before=_lease("a"))
    leases.drop("one", _lease("a"))
    assert leases.holder("one") == _lease("b")
