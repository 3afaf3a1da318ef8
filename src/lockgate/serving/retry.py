"""What keeps failing is tried ever more slowly, and said once."""

from __future__ import annotations

from lockgate.errors import LockgateError

__all__ = ["Retry"]

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
MOST_TEXTS = 100  # remembered; a text that holds a time is another one each time


class Retry:
    """One thing that is tried again and again.

    >>> retry = Retry()
    >>> retry.failed(OSError("no disk")), retry.failed(OSError("no disk")), retry.pause_s
    ('OSError: no disk', None, 1.0)
    >>> retry.worked(); retry.failed(OSError("no disk")), retry.pause_s
    ('OSError: no disk', 0.5)
    """

    def __init__(self) -> None:
        self.failures = 0
        self._said = set[str]()

    @property
    def pause_s(self) -> float:
        """How long to wait now: 0.5 s after the first failure, twice as long after each one, 10 s at most."""
        return min(FIRST_PAUSE_SECONDS * 2 ** min(self.failures - 1, 10), LONGEST_PAUSE_SECONDS) if self.failures else 0

    def failed(self, error: Exception) -> str | None:
        """What to tell the operator: the whole error; None when that was said since it last worked."""
        self.failures += 1
        text = str(error) if isinstance(error, LockgateError) else f"{type(error).__name__}: {error}".removesuffix(": ")
        if text in self._said or len(self._said) >= MOST_TEXTS:
            return None
        self._said.add(text)
        return text

    def worked(self) -> None:
        self.failures = 0
        self._said.clear()
