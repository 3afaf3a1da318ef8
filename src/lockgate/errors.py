"""Every error a person can meet: what, the value, what is allowed, the next command.

LockgateError
├── StepFailed            1   a step raised, timed out or broke its contract
│   └── ContractBroken    1   a table is not what was promised
├── UsageError            2   wrong command, configuration or declaration
│   └── NotFound          2   a name that does not exist
├── WaitingForHuman       3   only a person can go on
├── IntegrityError        4   bytes or signatures are not what was recorded
├── PermissionRefused     4   this person, or this key, may not do this
└── ServiceUnavailable    5   something outside did not answer; a retry may help
    └── MovedOn           5   the ledger's head moved while we decided

An adapter may know better whether a retry helps: what GitLab hides (404) and a store that lets nobody in are 4; its 409 is 5 unless the thing is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ContractBroken",
    "IntegrityError",
    "LockgateError",
    "MovedOn",
    "NotFound",
    "PermissionRefused",
    "ServiceUnavailable",
    "StepFailed",
    "UsageError",
    "WaitingForHuman",
    "did_you_mean",
]


class LockgateError(Exception):
    """An error with four parts that a person can act on.

    >>> print(UsageError("unknown step", value="modle", allowed="model, clean", next="lockgate plan"))
    unknown step: modle
      allowed: model, clean
      next:    lockgate plan
    """

    exit_code = 1

    def __init__(self, what: str, *, value: str = "", allowed: str = "", next: str = "") -> None:
        super().__init__(what, value, allowed, next)
        self.what = what
        self.value = value
        self.allowed = allowed
        self.next = next

    def __str__(self) -> str:
        head = f"{self.what}: {self.value}" if self.value else self.what
        lines = [head]
        if self.allowed:
            lines.append(f"  allowed: {self.allowed}")
        if self.next:
            lines.append(f"  next:    {self.next}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.value, self.allowed, self.next))


def _rebuild(kind: type[LockgateError], what: str, value: str, allowed: str, next: str) -> LockgateError:
    return kind(what, value=value, allowed=allowed, next=next)


class StepFailed(LockgateError):
    """A step raised, timed out, died, or returned what it did not declare."""

    exit_code = 1


class ContractBroken(StepFailed):
    """A table does not keep what its contract promises."""


class UsageError(LockgateError):
    """The command, the configuration or the declaration is wrong."""

    exit_code = 2


class NotFound(UsageError):
    """A name, digest or reference that does not exist here."""


class WaitingForHuman(LockgateError):
    """Everything that a machine may do is done; a person decides now."""

    exit_code = 3


class IntegrityError(LockgateError):
    """Bytes, a chain or a signature are not what was recorded."""

    exit_code = 4


class PermissionRefused(LockgateError):
    """This person or key may not do this; the message names the field that forbids it."""

    exit_code = 4


class ServiceUnavailable(LockgateError):
    """Something outside did not answer; trying again may help."""

    exit_code = 5


class MovedOn(ServiceUnavailable):
    """Somebody else appended to the ledger first; read again and decide again."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say the allowed names, nearest first, for the `allowed` part of an error.

    >>> did_you_mean("modle", ["clean", "model"])
    'model? (known: clean, model)'
    """
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    listed = ", ".join(names) or "nothing yet"
    return f"{close[0]}? (known: {listed})" if close else listed
