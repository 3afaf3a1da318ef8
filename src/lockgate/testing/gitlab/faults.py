"""What goes wrong, chosen by a test: the next calls of a route are refused, lost, cut, doubled or answered from the past."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

__all__ = ["Fault", "Faults", "Wrong"]

Wrong: TypeAlias = Literal["status", "timeout", "cut", "twice", "stale"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, `times` times after `skip` calls it would have fitted.

    Attributes:
        wrong: `status`: answer that status; `timeout`: never answer; `cut`: half of the body, then the line goes
            dead; `twice`: do it twice, answer once; `stale`: a read sees the state before the last write.
        status: of `status`.
        retry_after: seconds in the header of that name, or the header's text; None: no header.
        done: whether the call takes effect before `status` or `timeout` hides it.
        method, path: which calls, as shell patterns; the path is below `/api/v4`.
    """

    wrong: Wrong = "status"
    status: int = 500
    retry_after: int | str | None = None
    done: bool = False
    method: str = "*"
    path: str = "*"
    times: int = 1
    skip: int = 0


class Faults:
    """The list of faults, used up in order."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let something go wrong."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """What goes wrong with this call, counted down."""
        path = re.sub(r"^/api/v4", "", path)
        for fault in self._waiting:
            if fault.times <= 0 or not (fnmatchcase(method, fault.method) and fnmatchcase(path, fault.path)):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
        return None
