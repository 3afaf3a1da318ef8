"""`waive`: let one failed result of one gate pass for a while; the gate stays failed. Several people sign the same words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from lockgate.delivery.approval.decide import check_seen
from lockgate.delivery.evidence.page import page_of
from lockgate.delivery.identity import append, holder, read_ledger
from lockgate.delivery.onward import onward
from lockgate.delivery.refs import live_of
from lockgate.delivery.releases import named
from lockgate.delivery.walk import walk_now
from lockgate.errors import NotFound, PermissionRefused, UsageError, did_you_mean
from lockgate.gates.authors import authors
from lockgate.gates.binding import results
from lockgate.gates.exceptions import duration
from lockgate.gates.seconding import check_waits, how_to_second, waiver_named
from lockgate.gates.waivers import waivers
from lockgate.gates.what_stands import what_stands
from lockgate.records.decisions import result_digest
from lockgate.records.digest import short
from lockgate.records.waivers import Waived

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.delivery.walk import Walk
    from lockgate.gates.binding import Ask
    from lockgate.gates.waivers import Waiver
    from lockgate.gates.what_stands import WhatStands
    from lockgate.project import Project
    from lockgate.records.decisions import GateResult
    from lockgate.records.ledger import Entry
    from lockgate.records.trust import Trusted

__all__ = ["WaiverWords", "exceptional", "waive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverWords:
    """What a person wants to be waived, in words of their own; or `second`: the start of the digest of the entry that they read.

    `environment`: how far, by default the last one. Who seconds signs the words of that entry, and says none beside them.
    """

    role: str
    reason: str = ""
    control: str = ""
    owner: str = ""
    until: dt.datetime | None = None
    environment: str | None = None
    second: str = ""


def waive(
    project: Project, gate: str, ref: str, wish: WaiverWords, *, key: Path | None = None, now: dt.datetime
) -> tuple[Waiver, Entry]:
    """Sign a waiver, or second one. Answers it as it stands then, and the ledger entry.

    Raises:
        PermissionRefused: the policy does not let this person, or anybody, waive this gate; what is seconded does not wait.
        NotFound, UsageError: no such gate or result; a part of a waiver is missing or too long.
    """
    walk = walk_now(project, now=now)
    environment = wish.environment or walk.environments[-1]
    walk.check(environment)

    def claim(trust: Trusted) -> Waived:
        release = named(trust, ref, live_of(walk, trust))
        ask = walk.ask(trust, release, environment)
        _may(project, walk, trust, release, gate, wish, key)
        _check_words(walk, trust, release, gate, wish, now)
        read = _read(walk, trust, release, gate, wish, now) if wish.second else None
        failed = _failed(walk, trust, release, gate)
        page = _page_seen(project, walk, trust, release, gate)
        if read:
            return replace(read, role=wish.role, page=page, log=trust.head)
        return _first(trust, release, environment, failed, wish, ask, page, now)

    entry = append(project, claim, now=now, key=key)
    assert entry is not None
    trust = read_ledger(project)
    said = trust.at(entry.digest)
    assert said is not None
    assert isinstance(said.claim, Waived)
    every = _every(walk, trust, said.claim.release, said.claim.environment, now)
    return next(w for w in every if entry.digest in w.entries), entry


def exceptional(
    project: Project, ref: str, *, environment: str | None = None, now: dt.datetime
) -> tuple[str, str, WhatStands]:
    """Release, environment, and everything that stands beside the rule there."""
    walk, trust = walk_now(project, now=now), read_ledger(project)
    release, place = named(trust, ref, live_of(walk, trust)), environment or walk.environments[-1]
    walk.check(place)
    ask = walk.ask(trust, release, place)
    return release, place, what_stands(trust, release=release, policy=walk.digest, ask=ask, now=now)


def _may(
    project: Project, walk: Walk, trust: Trusted, release: str, gate: str, wish: WaiverWords, key: Path | None
) -> None:
    rules = walk.policy.exceptions.waivers
    if gate not in walk.gates:
        raise NotFound("no such gate in the delivery pipeline", value=gate, allowed=did_you_mean(gate, walk.gates))
    if not rules.need:
        raise PermissionRefused(
            "the policy lets nobody waive a gate", value=gate,
            allowed="policy.toml:  [waivers]  need = { risk = 1, product-owner = 1 }", next="lockgate evidence",
        )  # fmt: skip
    if gate in rules.never:
        raise PermissionRefused(
            "the policy lets nobody waive this gate", value=gate, allowed="policy.toml: [waivers] never does not name it",
            next="mend what failed, and lockgate deliver",
        )  # fmt: skip
    if wish.role not in rules.need:
        raise PermissionRefused(
            "nobody signs waivers in this role", value=wish.role, allowed=did_you_mean(wish.role, rules.need)
        )
    me = holder(project, trust, wish.role, key)
    if walk.policy.self_approval == "refused" and me.name in authors(trust, release):
        raise PermissionRefused(
            f"{me.name} cannot waive for own work", value=f"author or run starter of {short(release)}",
            allowed="somebody else who holds the role", next="lockgate people",
        )  # fmt: skip


def _failed(walk: Walk, trust: Trusted, release: str, gate: str) -> GateResult:
    found = results(trust.said, release=release, policy=walk.digest).get(gate)
    if found is None:
        raise NotFound(
            "this gate was not run on this release", value=f"{gate} on {short(release)}",
            next=onward(trust, release, f"gate:{gate}"),
        )  # fmt: skip
    if found.verdict.outcome != "fail":
        raise UsageError(
            "only a failed gate is waived", value=f"{gate}: {found.verdict.outcome}",
            allowed="an uncertain gate is accepted by name: lockgate approve … --accept GATE",
        )  # fmt: skip
    return found


def _page_seen(project: Project, walk: Walk, trust: Trusted, release: str, gate: str) -> str:
    """The page on which this copy showed the failure; what nobody has seen nobody waives."""
    for place in walk.environments:
        if place in _behind(walk, gate) and (page := page_of(project, walk, trust, release=release, environment=place)):
            check_seen(project, release, place, page.sha256)
            return page.sha256
    raise NotFound(
        "no evidence page of this release is kept", value=short(release), next=onward(trust, release, f"gate:{gate}")
    )


def _behind(walk: Walk, gate: str) -> tuple[str, ...]:
    """The environments that lie behind a gate."""
    return tuple(e for e in walk.environments if any(getattr(s, "name", "") == gate for s in walk.stages_before(e)))


def _first(
    trust: Trusted,
    release: str,
    environment: str,
    failed: GateResult,
    wish: WaiverWords,
    ask: Ask,
    page: str,
    now: dt.datetime,
) -> Waived:
    """The waiver in the words of who writes it; every part must be there."""
    longest = ask.exceptions.waivers.longest
    known = [p.name for p in trust.people.people if p.kind == "person"]
    for name, value in (("--control", wish.control), ("--owner", wish.owner), ("--until", wish.until)):
        if not value:
            raise UsageError(
                f"a waiver needs {name}", value="nothing", next=f"lockgate waive … {name} …",
                allowed="--reason, --control (what is done instead), --owner (who answers for it), --until (a day, or 14d)",
            )  # fmt: skip
    assert wish.until is not None
    if wish.owner not in known:
        raise NotFound(
            "nobody is called so who could answer for it", value=wish.owner, allowed=did_you_mean(wish.owner, known)
        )
    if not now < wish.until <= now + duration(longest):
        raise UsageError(
            "a waiver stands for a while",
            value=f"until {wish.until:%F %T} UTC",
            allowed=f"in the future, and {longest} at most",
        )
    return Waived(
        release=release, gate=failed.verdict.gate, environment=environment, result=result_digest(failed), role=wish.role,
        reason=wish.reason.strip(), control=wish.control.strip(), owner=wish.owner, not_after=wish.until, page=page,
        log=trust.head,
    )  # fmt: skip


def _check_words(walk: Walk, trust: Trusted, release: str, gate: str, wish: WaiverWords, now: dt.datetime) -> None:
    """Words of one's own, or those of the entry that is named; never a mixture, and never whichever came last."""
    own = {"--reason": wish.reason, "--control": wish.control, "--owner": wish.owner,
           "--until": wish.until, "--env": wish.environment}  # fmt: skip
    given = [name for name, value in own.items() if value]
    if wish.second and given:
        raise UsageError(
            "who seconds a waiver signs its words and no others", value=", ".join(given),
            allowed=f"--second {wish.second} with --role and --key; or a waiver of your own, without --second",
        )  # fmt: skip
    if wish.second or wish.reason.strip():
        return
    if given:
        raise UsageError(
            "a waiver needs --reason", value="nothing", next="lockgate waive … --reason …",
            allowed="--reason, --control, --owner, --until; or --second ENTRY alone, to sign what somebody else wrote",
        )  # fmt: skip
    _say_what_waits(walk, trust, release, gate, wish, now)


def _say_what_waits(
    walk: Walk, trust: Trusted, release: str, gate: str, wish: WaiverWords, now: dt.datetime
) -> NoReturn:
    """Nobody signs without having read: say what there is to sign, and how."""
    every = [
        w for place in walk.environments for w in _every(walk, trust, release, place, now) if w.environment == place
    ]
    waiting = [w for w in every if w.gate == gate and w.field == "signers"]
    if not waiting:
        raise NotFound(
            "no waiver of this gate waits for another signature", value=f"{gate} of {short(release)}",
            next=f"lockgate waive {gate} {short(release)} --role {wish.role} --reason … --control … --owner … --until …",
        )  # fmt: skip
    raise UsageError(
        "say whose words you sign: --second ENTRY", value=f"{gate} of {short(release)}",
        allowed="\n           ".join(f"{short(w.entries[0])}: {_words(w)}" for w in waiting),
        next="\n           ".join(how_to_second(w, wish.role) for w in waiting),
    )  # fmt: skip


def _words(waiver: Waiver) -> str:
    signers = ", ".join(f"{name} ({role})" for role, name in waiver.signers)
    return (
        f"as far as {waiver.environment}, until {waiver.not_after:%F %H:%M} UTC, signed by {signers}"
        f"\n             because {waiver.reason}\n             instead {waiver.control}; owner {waiver.owner}"
    )


def _every(walk: Walk, trust: Trusted, release: str, environment: str, now: dt.datetime) -> tuple[Waiver, ...]:
    """Every waiver of a release, as it stands before one environment."""
    ask = walk.ask(trust, release, environment)
    return waivers(trust, release=release, policy=walk.digest, ask=ask, now=now)


def _read(walk: Walk, trust: Trusted, release: str, gate: str, wish: WaiverWords, now: dt.datetime) -> Waived:
    """The words of the entry that is named, if they wait for another signature."""
    said = waiver_named(trust, wish.second, release=release, gate=gate)
    assert isinstance(said.claim, Waived)
    walk.check(said.claim.environment)
    check_waits(said, _every(walk, trust, release, said.claim.environment, now))
    return said.claim
