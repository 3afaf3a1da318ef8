"""Which waiver somebody seconds: the one that they read, named by the digest of its ledger entry, and no other.

A newer waiver of the same gate may be in the ledger by the time the second person signs. Their command says which words
they mean, so that nobody can put other words under their hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.errors import NotFound, PermissionRefused, UsageError
from lockgate.records.digest import short
from lockgate.records.waivers import Waived

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.gates.waivers import Waiver
    from lockgate.records.trust import Said, Trusted

__all__ = ["check_waits", "how_to_second", "waiver_named"]

SHORTEST: Final = 12
"""Hex digits of a digest that people are shown; fewer would be too easily made again for other words."""


def waiver_named(trusted: Trusted, start: str, *, release: str, gate: str) -> Said:
    """The signature under a waiver of this gate whose entry's digest begins so.

    Raises NotFound when there is none, UsageError when the start is too short or several begin so.
    """
    digits = start.removeprefix("sha256:")
    if len(digits) < SHORTEST:
        raise UsageError(
            "too short to name what you read", value=f"--second {start}", next="lockgate waivers",
            allowed=f"{SHORTEST} digits at least of the digest of a waiver's ledger entry",
        )  # fmt: skip
    about = [
        s for s in trusted.said if isinstance(s.claim, Waived) and (s.claim.release, s.claim.gate) == (release, gate)
    ]
    found = [s for s in about if s.entry.digest.removeprefix("sha256:").startswith(digits)]
    if not found:
        raise NotFound(
            "no such entry waives this gate", value=f"--second {start}: {gate} of {short(release)}", next="lockgate waivers",
            allowed=", ".join(short(s.entry.digest) for s in about) or "none: nobody wrote a waiver of it yet",
        )  # fmt: skip
    if len(found) > 1:
        raise UsageError(
            "several entries begin so", value=f"--second {start}", allowed=", ".join(s.entry.digest for s in found)
        )
    return found[0]


def check_waits(said: Said, found: Iterable[Waiver]) -> Waiver:
    """The waiver that these words are, if it waits for another signature and for nothing else; else PermissionRefused.

    Args:
        said: what was named. found: every waiver of the release, as it stands where the words say.
    """
    named = next(w for w in found if _are(w, said.claim))
    if said.entry.digest in named.entries and named.field == "signers":
        return named
    raise PermissionRefused(
        "the waiver that you name does not wait for another signature", value=f"--second {short(said.entry.digest)}",
        allowed=named.why or (said.why if said.person is None else "it stands already"), next="lockgate waivers",
    )  # fmt: skip


def how_to_second(waiver: Waiver, role: str = "ROLE") -> str:
    """The command by which another person signs exactly these words; empty when they wait for nobody."""
    if waiver.field != "signers" or not waiver.entries:
        return ""
    entry = short(waiver.entries[0])
    return f"lockgate waive {waiver.gate} {short(waiver.release)} --role {role} --second {entry}"


def _are(waiver: Waiver, claim: object) -> bool:
    return isinstance(claim, Waived) and all(
        getattr(waiver, field) == getattr(claim, field)
        for field in ("gate", "environment", "result", "reason", "control", "owner", "not_after")
    )
