"""What the ledger must hold before a release may go on: a result of every gate on the way, by who may sign one, not stale.

Nothing is measured here. Whatever a pipeline's file says, a job that deploys asks this first, and every server asks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.declare import Gate
from lockgate.deploy.environments import fold
from lockgate.errors import PermissionRefused, StepFailed
from lockgate.gates.what_stands import passed_over
from lockgate.records.decisions import GateResult
from lockgate.records.digest import short

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from lockgate.delivery.walk import Walk
    from lockgate.records.trust import Said, Trusted

__all__ = ["check_recorded", "is_stale", "newest_results"]


def check_recorded(
    walk: Walk, trust: Trusted, release: str, environment: str, *, now: dt.datetime
) -> Mapping[str, tuple[GateResult, str]]:
    """Gate → its result, and in words what lets it pass although it failed; for every gate before this environment.

    Raises:
        StepFailed: a gate has no result under the present policy, or a stale one, or it failed and nothing lets it pass;
            or the release never served an environment on the way.
        PermissionRefused: the only result was signed by somebody who may not.
    """
    known = newest_results(walk, trust, release)
    ask = walk.ask(trust, release, environment)
    passed = passed_over(trust, release=release, policy=walk.digest, ask=ask, now=now)
    found: dict[str, tuple[GateResult, str]] = {}
    for gate in (s.name for s in walk.stages_before(environment) if isinstance(s, Gate)):
        if gate not in known:
            raise _missing(walk, trust, release, gate, environment)
        said, result = known[gate]
        if is_stale(walk, trust, said, result):
            raise StepFailed(
                f"gate {gate} compared release {short(release)} with one that is no longer live",
                value=f"{result.verdict.outcome}, at {said.entry.time:%F %T} UTC", next=_again(gate, release),
            )  # fmt: skip
        if result.verdict.outcome == "fail" and gate not in passed:
            raise _failed(walk, result, environment)
        found[gate] = (result, passed.get(gate, "") if result.verdict.outcome == "fail" else "")
    _check_way(walk, trust, release, environment)
    return found


def newest_results(walk: Walk, trust: Trusted, release: str) -> Mapping[str, tuple[Said, GateResult]]:
    """Gate → its newest result on a release under the present policy, and where it was said."""
    return {result.verdict.gate: (said, result) for said, result in _results(trust, release) if _counts(walk, said)}


def is_stale(walk: Walk, trust: Trusted, said: Said, result: GateResult) -> bool:
    """Whether a gate that looks at the live release looked at another one than it would now."""
    takes = walk.gates.get(result.verdict.gate, {}).get("takes", ())
    if not {"champion", "live"} & {*takes} or not walk.environments:
        return False
    then, now = (
        fold(t, approved_only=walk.approved_only).of(walk.environments[-1]).opponent(result.release)
        for t in (trust.before(said.entry.seq), trust)
    )
    return then != now


def _results(trust: Trusted, release: str) -> Iterator[tuple[Said, GateResult]]:
    for said in trust.said:
        if isinstance(said.claim, GateResult) and said.claim.release == release:
            yield said, said.claim


def _counts(walk: Walk, said: Said) -> bool:
    return said.person is not None and isinstance(said.claim, GateResult) and said.claim.policy == walk.digest


def _missing(walk: Walk, trust: Trusted, release: str, gate: str, environment: str) -> StepFailed | PermissionRefused:
    """A gate without a result that counts: nobody judged it, or only under another policy, or who did may not."""
    others = [(s, r) for s, r in _results(trust, release) if r.verdict.gate == gate]
    aside = [s for s, r in others if s.person is None and r.policy == walk.digest]
    if aside:
        return PermissionRefused(
            f"the result of gate {gate} does not count", value=aside[-1].why, next=_again(gate, release)
        )
    if others:
        value = f"only under policy {short(others[-1][1].policy)}; the present one is {short(walk.digest)}"
    else:
        value = f"no result of it on release {short(release)} is in the ledger"
    return StepFailed(
        f"gate {gate} was not judged, and stands before {environment}", value=value, next=_again(gate, release)
    )


def _failed(walk: Walk, result: GateResult, environment: str) -> StepFailed:
    gate, release, rules = result.verdict.gate, short(result.release), walk.policy.exceptions.waivers
    waive = f"\n           lockgate waive {gate} {release} …   ({', '.join(rules.need)} sign)"
    return StepFailed(
        f"gate {gate} failed, and nothing lets it pass as far as {environment}", value=result.verdict.reason,
        next=f"lockgate evidence {release}" + (waive if rules.need and gate not in rules.never else ""),
    )  # fmt: skip


def _check_way(walk: Walk, trust: Trusted, release: str, environment: str) -> None:
    """A release goes through every environment on the way; none is left out."""
    deployments = fold(trust, approved_only=walk.approved_only)
    for before in walk.environments[: walk.environments.index(environment)]:
        if not any(s.release == release for s in deployments.of(before).history):
            raise StepFailed(
                f"release {short(release)} never served {before}, and goes there before {environment}",
                next=f"lockgate deliver {short(release)} --to {before} --here",
            )  # fmt: skip


def _again(gate: str, release: str) -> str:
    return f"lockgate gate judge {gate} {short(release)}"
