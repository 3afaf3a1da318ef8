"""Breaking the glass during `deliver`, closing its review, and what lets a failed gate pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.declare import Gate
from lockgate.delivery.entries import entry_named
from lockgate.delivery.identity import append, holder, read_ledger
from lockgate.delivery.walk import walk_now
from lockgate.errors import NotFound, PermissionRefused, UsageError, did_you_mean
from lockgate.gates.binding import ask_for, results
from lockgate.gates.exceptions import duration
from lockgate.gates.glass import broken_glass
from lockgate.records.decisions import result_digest
from lockgate.records.digest import short
from lockgate.records.waivers import BrokeGlass, Reviewed

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.delivery.walk import Walk
    from lockgate.gates.glass import Glass
    from lockgate.project import Project
    from lockgate.records.ledger import Entry
    from lockgate.records.trust import Trusted

__all__ = ["Hammer", "break_glass", "may_break", "review"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hammer:
    """Who breaks the glass, as far as which environment, and why. `key`: their private key, by default this copy's."""

    environment: str
    role: str
    reason: str
    key: Path | None = None


def may_break(project: Project, walk: Walk, hammer: Hammer) -> None:
    """Refuse before anything runs. Raises PermissionRefused, NotFound or UsageError naming what is missing."""
    walk.check(hammer.environment)
    allowed = walk.policy.exceptions.break_glass.roles
    if not allowed:
        raise PermissionRefused(
            "the policy lets nobody break the glass", value=hammer.role,
            allowed='policy.toml:  [break_glass]  roles = ["…"]', next="lockgate deliver",
        )  # fmt: skip
    if hammer.role not in allowed:
        raise PermissionRefused(
            "this role may not break the glass", value=hammer.role, allowed=did_you_mean(hammer.role, allowed)
        )
    if not hammer.reason.strip():
        raise UsageError(
            "breaking the glass needs a reason", value="an empty one", next="lockgate deliver … --reason TEXT"
        )
    holder(project, read_ledger(project), hammer.role, hammer.key)


def break_glass(
    project: Project, walk: Walk, release: str, environment: str, hammer: Hammer, *, now: dt.datetime
) -> str:
    """Sign it for one environment, naming every result on the way there that is passed over. Answers who signed."""
    names: list[str] = []

    def claim(trust: Trusted) -> BrokeGlass:
        names[:] = [holder(project, trust, hammer.role, hammer.key).name]
        found = results(trust.said, release=release, policy=walk.digest)
        gates = [s.name for s in walk.stages_before(environment) if isinstance(s, Gate) and s.name in found]
        over = {g: result_digest(found[g]) for g in gates if found[g].verdict.outcome in ("fail", "uncertain")}
        return BrokeGlass(
            release=release, environment=environment, role=hammer.role, reason=hammer.reason.strip(), results=over,
            policy=walk.digest, people=trust.people.digest, log=trust.head,
            not_after=now + duration(walk.policy.exceptions.break_glass.lasts),
        )  # fmt: skip

    append(project, claim, now=now, key=hammer.key)
    return names[0]


def review(
    project: Project, ref: str, *, role: str, finding: str, key: Path | None = None, now: dt.datetime
) -> tuple[Glass, Entry]:
    """Close the review of the broken glass in ledger entry `ref` (its number, or the start of its digest)."""
    walk = walk_now(project, now=now)
    if not finding.strip():
        raise UsageError("a review needs a finding", value="an empty one", next="lockgate review … --finding TEXT")
    found: list[Glass] = []

    def claim(trust: Trusted) -> Reviewed:
        glass = _open_glass(walk, trust, ref)
        found[:] = [glass]
        me = holder(project, trust, role, key)
        rules = walk.policy.exceptions.break_glass
        if role not in rules.review:
            raise PermissionRefused(
                "this role does not review broken glass", value=role, allowed=", ".join(rules.review),
                next="policy.toml: [break_glass] review",
            )  # fmt: skip
        if me.name == glass.by and walk.policy.self_approval == "refused":
            raise PermissionRefused(
                f"{me.name} broke this glass",
                value=short(glass.entry),
                allowed=f"somebody else as {', '.join(rules.review)}",
            )
        return Reviewed(
            release=glass.release, environment=glass.environment, entry=glass.entry, role=role, finding=finding.strip(),
            log=trust.head,
        )  # fmt: skip

    entry = append(project, claim, now=now, key=key)
    assert entry is not None
    return found[0], entry


def _open_glass(walk: Walk, trust: Trusted, ref: str) -> Glass:
    ask = ask_for(walk.stages, walk.environments[-1], policy=walk.policy)
    every = {g.entry: g for g in broken_glass(trust, ask=ask)}
    glass = every.get(entry_named(trust, ref).entry.digest)
    still = ", ".join(str(s.entry.seq) for s in trust.said if s.entry.digest in every and every[s.entry.digest].open)
    if glass is None:
        raise NotFound(
            "this entry breaks no glass", value=ref, allowed=still or "no review is open", next="lockgate status"
        )
    if not glass.open:
        raise UsageError(
            "this review is closed",
            value=f"by {glass.reviewed_by}: {glass.finding}",
            allowed=still or "no review is open",
        )
    return glass
