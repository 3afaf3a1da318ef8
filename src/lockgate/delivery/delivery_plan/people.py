"""Who must agree to a delivery, who may, whose own work it is; and where a rollback would go afterwards."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from lockgate.build.plan import needed
from lockgate.declare import Approval
from lockgate.delivery.identity import who
from lockgate.delivery.lineage import code_authors
from lockgate.delivery.releases import file_of, manifest_of
from lockgate.delivery.wish import stopped_wishes
from lockgate.deploy.environments import fold
from lockgate.errors import LockgateError
from lockgate.gates.binding import ask_for
from lockgate.records.delivery_plan import ApprovalAhead, WayBack
from lockgate.records.digest import short
from lockgate.records.in_force import rejects
from lockgate.records.people import DELIVERER, VALIDATOR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from lockgate.delivery.run import Planned
    from lockgate.delivery.walk import Walk
    from lockgate.deploy.environments import Environment
    from lockgate.project import Project
    from lockgate.records.people import Person
    from lockgate.records.trust import Trusted

__all__ = ["approvals_ahead", "asked_of", "ways_back"]


def approvals_ahead(
    project: Project, walk: Walk, trust: Trusted, planned: Planned, places: Sequence[str]
) -> tuple[ApprovalAhead, ...]:
    """Per environment and role: how many, who may, and whose own work it would be."""
    own = _own_work(project, walk, trust, planned)
    return tuple(a for place in places for a in asked_of(walk, trust.people.people, place, own=own))


def asked_of(walk: Walk, people: Sequence[Person], place: str, *, own: Collection[str]) -> tuple[ApprovalAhead, ...]:
    """What people are asked before one environment. `own`: names of those whose own work it is."""
    ask = ask_for(walk.stages, place, policy=walk.policy)
    spans = {s.role: s.valid_for for s in walk.stages if isinstance(s, Approval)}
    flagged = ask.self_approval == "flagged"
    found: list[ApprovalAhead] = []
    for asked in ask.roles:
        holders = [p.name for p in people if p.kind == "person" and asked.role in p.roles]
        excluded = () if flagged else tuple(n for n in holders if n in own)
        may = tuple(n for n in holders if n not in excluded)
        found.append(ApprovalAhead(
            environment=place, role=asked.role, need=asked.need, valid_for=spans[asked.role], may=may, excluded=excluded, flagged=flagged,
        ))  # fmt: skip
    return (*found, *_measuring_again(walk, people, place, own))


def _measuring_again(walk: Walk, people: Sequence[Person], place: str, own: Collection[str]) -> Iterator[ApprovalAhead]:
    """Whom the policy wants to measure every gate again before an environment."""
    holders = [p.name for p in people if {VALIDATOR, DELIVERER} <= {*p.roles}]
    may, excluded = ([n for n in holders if (n in own) == is_own] for is_own in (False, True))
    if need := walk.policy.environment(place).remeasured:
        yield ApprovalAhead(
            environment=place, role=VALIDATOR, need=need, valid_for="", may=tuple(may), excluded=tuple(excluded)
        )


def _own_work(project: Project, walk: Walk, trust: Trusted, planned: Planned) -> frozenset[str]:
    """Everybody who committed to the code that a release would come from, and who would start it now."""
    nodes = [planned.graph.nodes[n] for n in needed(planned.graph, planned.targets)]
    files = {d.file for n in nodes for d in n.definitions if d.file} | set(
        (walk.training.predictor or {}).get("files", ())
    )
    names = set(code_authors(project.root, sorted(files)))
    with contextlib.suppress(LockgateError):  # who only looks needs no key
        names.add(who(project, trust).name)
    return frozenset(p.name for p in trust.people.people if any(p.is_called(n) for n in names))


def ways_back(project: Project, walk: Walk, trust: Trusted, places: Sequence[str]) -> tuple[WayBack, ...]:
    """Per environment the release that a rollback would go to, once another one is live there."""
    deployments = fold(trust, approved_only=walk.approved_only)
    return tuple(_way_back(project, walk, trust, deployments.of(place)) for place in places)


def _way_back(project: Project, walk: Walk, trust: Trusted, there: Environment) -> WayBack:
    served = [s for s in reversed(there.history) if s.release not in there.withdrawn]
    if not served:
        return WayBack(environment=there.name, release=None, stands=False, why="it has served no release yet")
    gone = stopped_wishes(trust, walk, there.name)
    for candidate in served:
        stopped = rejects(trust.said, release=candidate.release, environment=there.name)
        if not stopped and candidate.want.entry not in gone:
            lost = _lost(project, candidate.release)
            return WayBack(environment=there.name, release=candidate.release, stands=not lost, why=lost)
    why = "every release that it has served was rejected or revoked"
    return WayBack(environment=there.name, release=served[0].release, stands=False, why=why)


def _lost(project: Project, release: str) -> str:
    """What of a release is not in the store any more; bytes are checked when it is served."""
    try:
        manifest = manifest_of(project, release)
        file_of(project, manifest, manifest.lock)
    except LockgateError as error:
        return f"{error.what}: {error.value}"
    missing = [
        f.path for f in manifest.files if not project.store.has(f.blake3, sha256=f.sha256, size_bytes=f.size_bytes)
    ]
    return f"{', '.join(missing[:3])} of {short(release)} is not in the store, or not as it was" if missing else ""
