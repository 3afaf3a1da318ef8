"""What steps made is stored a few at a time: the disk is waited for once for many, and no step waits for it.

A step that reads what is not stored yet may run: its result counts by what it was made from, whether that is stored or not. But nobody is told
that a step is done before its result and what that names will survive a power cut (law 5).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lockgate.errors import LockgateError, StepFailed

if TYPE_CHECKING:
    from lockgate.records.plan import Result

__all__ = ["Saving", "Unsaved"]

APART_S = 0.1
"""How far apart groups are, unless somebody is in a hurry: a result alone is stored at once, many in quick succession together."""
MOST = 64


class Unsaved(NamedTuple):
    """A result that is not stored yet.

    Attributes:
        text: the artifact itself if that is not stored either; else empty.
        release: to be called when all is stored: others may look then.
    """

    node: str
    key: str
    result: Result
    text: str
    release: Callable[[], None]


class Saving:
    """A thread that stores groups.

    Args:
        keep: stores a group; all of it lasts when it returns.
        tell: hears of each group, and with which error it could not be stored.
    """

    def __init__(
        self, keep: Callable[[Sequence[Unsaved]], None],
        tell: Callable[[Sequence[Unsaved], LockgateError | None], None],
    ) -> None:  # fmt: skip
        self._keep, self._tell = keep, tell
        self._group: list[Unsaved] = []
        self._hurried = self._closed = False
        self._next_s = 0.0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, unsaved: Unsaved) -> None:
        """Store it, soon."""
        with self._changed:
            self._group.append(unsaved)
            if len(self._group) in (1, MOST):
                self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def hurry(self) -> None:
        """Nothing else happens until what there is now is stored."""
        with self._changed:
            self._hurried = True
            self._changed.notify()

    def close(self) -> None:
        """Store what there is, then end."""
        with self._changed:
            self._hurried = self._closed = True
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._group or self._closed)
                soon_s = self._next_s - time.monotonic()
                self._changed.wait_for(lambda: self._hurried or len(self._group) >= MOST, soon_s)
                group, self._group = self._group[:MOST], self._group[MOST:]  # each result is an open file or two
                self._hurried = self._closed
            if not group:
                return
            error = self._stored(group)
            self._next_s = time.monotonic() + APART_S
            for unsaved in group:
                with contextlib.suppress(Exception):  # a lease that is not given back runs out
                    unsaved.release()
            self._tell(group, error)

    def _stored(self, group: Sequence[Unsaved]) -> LockgateError | None:
        try:
            self._keep(group)
        except LockgateError as error:
            return error
        except Exception as error:  # a fault must end the run, not hang it
            return StepFailed("a result cannot be stored", value=f"{type(error).__name__}: {error}")
        return None
