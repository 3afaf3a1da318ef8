"""Where the policy wants gates measured again before an environment: who must still do it, and by which command (ADR 38)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.declare import Gate
from lockgate.errors import WaitingForHuman
from lockgate.gates.remeasured import Unconfirmed, unconfirmed, validators
from lockgate.records.digest import short
from lockgate.records.people import DELIVERER, VALIDATOR

if TYPE_CHECKING:
    from lockgate.delivery.walk import Walk
    from lockgate.records.trust import Trusted

__all__ = ["check_remeasured", "lacking", "not_remeasured"]


def lacking(walk: Walk, trust: Trusted, release: str, environment: str) -> tuple[Unconfirmed, ...]:
    """The gates before an environment that too few measured again."""
    gates = [s.name for s in walk.stages_before(environment) if isinstance(s, Gate)]
    need = walk.policy.environment(environment).remeasured
    return unconfirmed(trust, release=release, policy=walk.digest, gates=gates, need=need)


def check_remeasured(walk: Walk, trust: Trusted, release: str, environment: str) -> None:
    """Raises WaitingForHuman naming the gates, who may measure them, and how."""
    if error := not_remeasured(walk, trust, release, environment):
        raise error


def not_remeasured(walk: Walk, trust: Trusted, release: str, environment: str) -> WaitingForHuman | None:
    """The same, for whoever tells more before it stops."""
    found = lacking(walk, trust, release, environment)
    if not found:
        return None
    need = walk.policy.environment(environment).remeasured
    may = [p.name for p in validators(trust, release) if DELIVERER in p.roles]
    who = ", ".join(may) or f"nobody yet: lockgate people add NAME --role {DELIVERER} --role {VALIDATOR}"
    return WaitingForHuman(
        f"release {short(release)} waits for {need} {VALIDATOR}{'s' * (need > 1)} before {environment}",
        value="; ".join(f"{', '.join(u.gate for u in found if u.why == why)} {why}" for why in dict.fromkeys(u.why for u in found)),
        allowed=who,
        next="\n           ".join(f"lockgate gate judge {u.gate} {short(release)}   (with a {VALIDATOR}'s key)" for u in found),
    )  # fmt: skip
