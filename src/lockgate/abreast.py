"""Some calls under way at the same time, their answers in order: for places that answer slowly and can be asked abreast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["at_once"]

Given = TypeVar("Given")
Found = TypeVar("Found")

AT_ONCE: Final = 8


def at_once(act: Callable[[Given], Found], items: Iterable[Given]) -> Iterator[Found]:
    """What `act` answers for each item, in their order; some are under way while the first is waited for, never all.

    >>> list(at_once(abs, range(-3, 1)))
    [3, 2, 1, 0]
    """
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor

    under_way: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for item in items:
            under_way.append(pool.submit(act, item))
            if len(under_way) > AT_ONCE:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
