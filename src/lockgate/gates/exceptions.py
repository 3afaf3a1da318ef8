"""The policy's tables on what is exceptional: waivers, breaking glass, revocation. What is not declared is not allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from lockgate.errors import UsageError, did_you_mean
from lockgate.records.people import ATTESTER, DELIVERER, OPERATOR, TRUSTEE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.records.tables import Table

__all__ = ["BreakGlassRules", "Exceptions", "WaiverRules", "check_exceptions", "duration", "read_exceptions"]

FEWEST_SIGNERS: Final = 2
LONGEST_GLASS: Final = timedelta(hours=24)
LONGEST_WAIVER: Final = "30d"
SHOW: Final = "lockgate deliver --plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverRules:
    """`[waivers]`: who signs (role → how many people; empty: nobody may waive), for how long, and which gates never."""

    need: Mapping[str, int] = field(default_factory=dict[str, int])
    longest: str = LONGEST_WAIVER
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlassRules:
    """`[break_glass]`: who may (empty: nobody), for how long a deployment may cite it, and who reviews it afterwards."""

    roles: tuple[str, ...] = ()
    lasts: str = "24h"
    review: tuple[str, ...] = (TRUSTEE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptions:
    """All three tables. `revokers`: roles that may revoke what others signed; everybody may revoke their own word."""

    waivers: WaiverRules = field(default_factory=WaiverRules)
    break_glass: BreakGlassRules = field(default_factory=BreakGlassRules)
    revokers: tuple[str, ...] = (TRUSTEE,)


def read_exceptions(file: Table) -> Exceptions:
    """Read the tables of a policy file; every unknown key is an error."""
    waivers, glass, revocation = (file.table(name) for name in ("waivers", "break_glass", "revocation"))
    waivers.only("max", "need", "never")
    glass.only("lasts", "review", "roles")
    revocation.only("roles")
    return Exceptions(
        waivers=WaiverRules(
            need=_need(waivers), longest=_duration(waivers, "max", LONGEST_WAIVER), never=waivers.texts("never", ())
        ),
        break_glass=BreakGlassRules(
            roles=_roles(glass, "roles", ()), lasts=_glass_lasts(glass), review=_roles(glass, "review", (TRUSTEE,))
        ),
        revokers=_roles(revocation, "roles", (TRUSTEE,)),
    )


def _need(waivers: Table) -> Mapping[str, int]:
    """A waiver has two signers at least: one person's exception is break-glass, which flags itself."""
    need = waivers.table("need")
    found = {role: need.number(role, 1, least=1) for role in need.content}
    _refuse_machine_roles(waivers, "need", found)
    if waivers.content and sum(found.values()) < FEWEST_SIGNERS:
        raise waivers.wrong("need", found, "two signers or more, such as { risk = 1, product-owner = 1 }")
    return found


def _roles(table: Table, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    roles = table.texts(key, default)
    _refuse_machine_roles(table, key, roles)
    return roles


def _refuse_machine_roles(table: Table, key: str, roles: Iterable[str]) -> None:
    for role in roles:
        if role in (ATTESTER, DELIVERER, OPERATOR):
            raise table.wrong(key, role, "roles of people; a pipeline's roles decide nothing")


def _duration(table: Table, key: str, default: str) -> str:
    text = table.text(key, default)
    try:
        duration(text)
    except UsageError as error:
        raise table.wrong(key, text, error.allowed) from error
    return text


def _glass_lasts(glass: Table) -> str:
    text = _duration(glass, "lasts", "24h")
    if duration(text) > LONGEST_GLASS:
        raise glass.wrong("lasts", text, "24h at most")
    return text


def check_exceptions(rules: Exceptions, gates: Iterable[str]) -> None:
    """Hold the tables against the declaration: a gate that may never be waived must exist, or the line protects nothing."""
    known = list(gates)
    for name in rules.waivers.never:
        if name not in known:
            raise UsageError(
                "policy.toml: [waivers] never names a gate that is in no stage of the delivery pipeline",
                value=name, allowed=did_you_mean(name, known), next=SHOW,
            )  # fmt: skip


def duration(text: str) -> timedelta:
    """How long something counts: a whole number of minutes, hours, days or weeks.

    >>> duration("7d"), duration("12h")
    (datetime.timedelta(days=7), datetime.timedelta(seconds=43200))
    """
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhdw])", text)
    if not found:
        raise UsageError("not a duration", value=repr(text), allowed="30m, 12h, 7d, 2w", next=SHOW)
    unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2]]
    return timedelta(**{unit: int(found[1])})
