"""How far each release came towards an environment, and which one a rollback goes to: folds over the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.deploy.stopped import Stop, stops
from lockgate.errors import NotFound, PermissionRefused, UsageError, did_you_mean
from lockgate.records.decisions import Decision, GateResult, Proposed
from lockgate.records.digest import short
from lockgate.records.in_force import rejects
from lockgate.records.trust import Said, Trusted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from lockgate.deploy.environments import Deployments, Environment, Served

__all__ = ["ReleaseState", "release_states", "rollback_target"]

State = Literal["proposed", "approved", "live", "retired", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseState:
    """Where one release stands towards one environment, and in words why.

    Attributes:
        stopped: of a rejected one, every failed gate and every reject; of a live one what would stop it now.
    """

    release: str
    name: str
    state: State
    why: str
    proposed: datetime
    stopped: tuple[Stop, ...] = ()


def rollback_target(
    trusted: Trusted, environment: Environment, *, to: str | None = None, gone: Collection[str] = ()
) -> Served:
    """Which release a rollback goes to: `to`, or the newest one served here before that may still be served.

    What a rollback took away is gone back to only by name. `to` is a digest or the start of its hex, and must mean one
    release. Expiry of the old approval does not matter; a reject since then does, and so does revocation: `gone` holds the
    wishes (entries) whose approvals no longer suffice. Raises UsageError, NotFound or PermissionRefused.
    """
    served = [s for s in reversed(environment.history) if _is_meant(environment, s.release, to)]
    if not served:
        raise _no_target(environment, to)
    if to is not None and len({s.release for s in served}) > 1:
        raise _several(environment, to, served)
    for candidate in served:
        stopped = rejects(trusted.said, release=candidate.release, environment=environment.name)
        if not stopped and candidate.want.entry not in gone:
            return candidate
    raise PermissionRefused(
        f"every release to roll {environment.name} back to was rejected or revoked by a person",
        value=", ".join(sorted({short(s.release) for s in served})),
        allowed="a release that this environment has served and nobody stopped since",
        next="lockgate releases",
    )


def _is_meant(there: Environment, release: str, to: str | None) -> bool:
    if to is not None:
        return _is_called(release, to) and not (there.wanted and there.wanted.release == release)
    return release not in there.withdrawn and not (there.live and there.live.release == release)


def _is_called(release: str, to: str) -> bool:
    digits = to.removeprefix("sha256:")
    return bool(digits) and release.removeprefix("sha256:").startswith(digits)


def _several(environment: Environment, to: str, served: Sequence[Served]) -> UsageError:
    return UsageError(
        f"{environment.name} has served several releases whose digest starts so",
        value=to,
        allowed=", ".join(sorted({s.release.removeprefix("sha256:") for s in served})),
        next="give more of its digits",
    )


def _no_target(environment: Environment, to: str | None) -> UsageError:
    names = sorted({short(s.release) for s in environment.history})
    if to is None and environment.withdrawn:
        return UsageError(
            f"{environment.name} has served no other release that was not rolled back",
            value=", ".join(names), next=f"lockgate rollback {environment.name} --to RELEASE",
        )  # fmt: skip
    if to is None and not names:
        return UsageError(f"{environment.name} has served no release yet", next="lockgate deliver")
    if to is None:
        return UsageError(
            f"{environment.name} has served no other release", value=", ".join(names), next="lockgate status"
        )
    return NotFound(
        f"{environment.name} has not served this release, or is asked for it now",
        value=to,
        allowed=did_you_mean(to, names),
        next="lockgate releases",
    )


def release_states(
    trusted: Trusted, deployments: Deployments, *, environment: str,
    passed: Callable[[str], Collection[str]] = lambda _: (), gone: Collection[str] = (),
) -> tuple[ReleaseState, ...]:  # fmt: skip
    """Every registered release and its state towards an environment, oldest first.

    `passed`: release → failed gates that do not stop it, being waived. `gone`: entries that were revoked.
    """
    proposed: dict[str, tuple[Said, Proposed]] = {}
    for said in trusted.said:
        if said.person and isinstance(said.claim, Proposed):
            proposed.setdefault(said.claim.release, (said, said.claim))
    there = deployments.of(environment)
    counts = [s for s in trusted.said if s.entry.digest not in gone]
    return tuple(_release_state(trusted, counts, there, said, claim, passed) for said, claim in proposed.values())


def _release_state(
    trusted: Trusted, counts: Sequence[Said], there: Environment, said: Said, claim: Proposed,
    passed: Callable[[str], Collection[str]],
) -> ReleaseState:  # fmt: skip
    state, why = _state(trusted, counts, there, claim.release, passed)
    against = stops(trusted, release=claim.release, environment=there.name) if state in ("rejected", "live") else ()
    if state == "live":
        waived = passed(claim.release)
        against = tuple(stop for stop in against if stop.what != "gate" or stop.name not in waived)
    return ReleaseState(
        release=claim.release, name=claim.name, state=state, why=why, proposed=said.entry.time, stopped=against
    )


def _state(
    trusted: Trusted, counts: Sequence[Said], there: Environment, release: str,
    passed: Callable[[str], Collection[str]],
) -> tuple[State, str]:  # fmt: skip
    if there.live and there.live.release == release:
        return "live", f"{there.name} serves it since {there.live.since:%F %T %Z}"
    if against := rejects(trusted.said, release=release, environment=there.name):
        return "rejected", "by " + ", ".join(s.person.name for s in against if s.person)
    if back := there.withdrawn.get(release):
        return "retired", f"{back.by} rolled {there.name} back from it at {back.time:%F %T %Z}"
    if any(s.release == release for s in there.history):
        return "retired", f"{there.name} served it before"
    failed = _failed_gates(trusted.said, release)
    if failed and (stopping := [g for g in failed if g not in passed(release)]):
        return "rejected", "failed " + ", ".join(stopping)
    approvers = _approvers(counts, release, there.name)
    return ("approved", "by " + ", ".join(approvers)) if approvers else ("proposed", "no approval yet")


def _failed_gates(said: Sequence[Said], release: str) -> list[str]:
    newest: dict[str, str] = {}
    for each in said:
        if each.person and isinstance(each.claim, GateResult) and each.claim.release == release:
            newest[each.claim.verdict.gate] = each.claim.verdict.outcome
    return sorted(gate for gate, outcome in newest.items() if outcome == "fail")


def _approvers(said: Sequence[Said], release: str, environment: str) -> list[str]:
    """People who approved; whether that is enough, and still counts, is `gates.approvals.standing`'s to say."""
    names: set[str] = set()
    for each in said:
        claim, person = each.claim, each.person
        if not (isinstance(claim, Decision) and person and person.kind == "person" and claim.role in person.roles):
            continue
        if (claim.decision, claim.release, claim.environment) == ("approve", release, environment):
            names.add(person.name)
    return sorted(names)
