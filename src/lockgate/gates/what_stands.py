"""What stands beside the rule for one release in one environment: for pages, cards and `status`, and for what decides.

`what_stands` is what people are shown; `passed_over` is what lets a failed gate pass; `page_marks` is what makes a page
another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lockgate.gates.binding import results
from lockgate.gates.conditions import ConditionSet, conditions
from lockgate.gates.glass import Glass, broken_glass, glass_in_force
from lockgate.gates.since import never_otherwise
from lockgate.gates.waivers import Waiver, standing_waivers, waivers
from lockgate.records.decisions import result_digest
from lockgate.records.waivers import BrokeGlass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.gates.binding import Ask
    from lockgate.records.trust import Trusted

__all__ = ["WhatStands", "page_marks", "passed_over", "what_stands"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatStands:
    """Everything exceptional about one release in one environment, for whoever shows it.

    Attributes:
        waivers: those that stand. pending: those that do not (yet), each with its `why`.
        glass: every time the glass was broken for this release here, reviewed or not.
        reviews: reviews that are open now, of any release.
        conditions: of the approvals of this release here, met or not.
    """

    waivers: tuple[Waiver, ...] = ()
    pending: tuple[Waiver, ...] = ()
    glass: tuple[Glass, ...] = ()
    reviews: tuple[Glass, ...] = ()
    conditions: tuple[ConditionSet, ...] = ()


def what_stands(trusted: Trusted, *, release: str, policy: str, ask: Ask, now: datetime) -> WhatStands:
    """Collect it. `ask` is that of the environment, `policy` the policy digest that gates were judged under."""
    found = waivers(trusted, release=release, policy=policy, ask=ask, now=now)
    every = broken_glass(trusted, ask=ask)
    return WhatStands(
        waivers=tuple(w for w in found if w.stands),
        pending=tuple(w for w in found if not w.stands),
        glass=tuple(g for g in every if (g.release, g.environment) == (release, ask.environment)),
        reviews=tuple(g for g in every if g.open),
        conditions=conditions(trusted, release=release, ask=ask),
    )


def passed_over(
    trusted: Trusted, *, release: str, policy: str, ask: Ask, now: datetime, gone: frozenset[str] | None = None
) -> Mapping[str, str]:
    """Gate → in words why its failed result does not stop this release here. `gone`: as of `waivers`."""
    waived = standing_waivers(trusted, release=release, policy=policy, ask=ask, now=now, gone=gone)
    found: dict[str, str] = {
        gate: f"waived by {_names(w.signers)} until {w.not_after:%F %H:%M} UTC: {w.reason}"
        for gate, w in waived.items()
    }
    present = results(trusted.said, release=release, policy=policy)
    said = glass_in_force(trusted, release=release, policy=policy, ask=ask, now=now)
    if said and said.person and isinstance(claim := said.claim, BrokeGlass) and said.entry.digest not in (gone or ()):
        never = ask.exceptions.waivers.never
        covered = never_otherwise(trusted, release, claim.log, claim.results)
        same = {g for g, r in covered.items() if g in present and result_digest(present[g]) == r}
        found.update(dict.fromkeys(same - {*never, *found}, f"{said.person.name} broke the glass: {claim.reason}"))
    return found


def page_marks(trusted: Trusted, *, release: str, policy: str, ask: Ask) -> list[str]:
    """Digests of the ledger entries that a page before `ask.environment` must show; it is another page when they change.

    Conditions are not among them: they are set by who has seen the page.
    """
    waived = standing_waivers(trusted, release=release, policy=policy, ask=ask, now=None)
    here = (release, ask.environment)
    shown = [g.entry for g in broken_glass(trusted, ask=ask) if g.open or (g.release, g.environment) == here]
    closed = [
        f"closed {g.entry}" for g in broken_glass(trusted, ask=ask) if not g.open and (g.release, g.environment) == here
    ]
    return sorted([*(e for w in waived.values() for e in w.entries), *shown, *closed])


def _names(signers: Iterable[tuple[str, str]]) -> str:
    return " and ".join(f"{name} ({role})" for role, name in signers)
