"""One entry of the ledger, by the number that `ledger log` shows or by the start of its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.errors import NotFound, UsageError
from lockgate.records.digest import short

if TYPE_CHECKING:
    from lockgate.records.trust import Said, Trusted

__all__ = ["entry_named"]

SHORTEST = 6
"""Digits of a digest; what is shorter and a number is the entry's number."""


def entry_named(trust: Trusted, ref: str) -> Said:
    """The entry that counts; NotFound, or UsageError when several digests begin so."""
    digits = ref.removeprefix("sha256:")
    number = int(digits) if digits.isdecimal() and len(digits) < SHORTEST else None
    found = [s for s in trust.said if s.entry.seq == number or _begins(s, digits, number)]
    if len(found) > 1:
        raise UsageError(
            "several entries begin so",
            value=ref,
            allowed=", ".join(short(s.entry.digest) for s in found),
            next="lockgate ledger log",
        )
    if not found:
        raise NotFound(
            "the ledger has no such entry", value=ref, allowed="a number of `lockgate ledger log`, or the start of a digest",
            next="lockgate ledger log",
        )  # fmt: skip
    if found[0].person is None:
        raise UsageError(
            "this entry counts for nothing already", value=f"{ref}: {found[0].why}", next="lockgate ledger log"
        )
    return found[0]


def _begins(said: Said, digits: str, number: int | None) -> bool:
    return number is None and len(digits) >= SHORTEST and said.entry.digest.removeprefix("sha256:").startswith(digits)
