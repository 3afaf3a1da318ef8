"""Making a thing once, whatever goes wrong on the way: look, make, and look again where nobody knows whether it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from lockgate.adapters.gitlab.api import GitlabRefuses
from lockgate.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    Pause = Callable[[float], None]

__all__ = ["once"]

T = TypeVar("T")
PAUSES_SECONDS: Final = (0.5, 2.0, 5.0)


def once(find: Callable[[], T | None], make: Callable[[], T | None], *, pause: Pause) -> tuple[T, bool]:
    """The thing, and whether it is new. `make` may answer it, or None: then it is looked for.

    A call that failed may have worked, and somebody else may have been faster (400, 409): both show when we look again.
    """
    found = find()
    if found is not None:
        return found, False
    failure: ServiceUnavailable | None = None
    taken = False
    for seconds in (*PAUSES_SECONDS, None):
        refused: GitlabRefuses | None = None
        try:
            made = None if taken else make()
            if made is not None:
                return made, True
            taken = True  # a read may be older than this write: it is not made again
        except ServiceUnavailable as error:
            failure = error
        except GitlabRefuses as error:
            refused = error
        found = find()
        if found is not None:
            return found, True
        if refused:
            raise refused
        if seconds is not None:
            pause(seconds)
    raise failure or ServiceUnavailable("GitLab took it and does not show it", next="try again later")
