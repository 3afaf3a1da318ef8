"""`approve` and `reject`: a person's signature under exactly what was shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.declare import Approval, DeployTo, Gate
from lockgate.delivery.evidence.page import card_of, pack_of, page_of
from lockgate.delivery.identity import append, read_ledger, who
from lockgate.delivery.refs import live_of
from lockgate.delivery.releases import named
from lockgate.delivery.walk import Walk, walk_now
from lockgate.durable import write_atomic
from lockgate.errors import NotFound, PermissionRefused, UsageError
from lockgate.gates.approvals import authors
from lockgate.gates.binding import ask_for, binding, results
from lockgate.gates.binding import decide as decide_purely
from lockgate.records.digest import short

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from lockgate.delivery.evidence.page import Kept
    from lockgate.project import Project
    from lockgate.records.decisions import Decision
    from lockgate.records.ledger import Entry
    from lockgate.records.trust import Trusted

__all__ = ["Evidence", "decide", "evidence_page"]


def decide(
    project: Project,
    decision: Literal["approve", "reject"],
    ref: str,
    *,
    role: str,
    reason: str,
    accepted: Sequence[str] = (),
    environment: str | None = None,
    key: Path | None = None,
    now: dt.datetime,
) -> tuple[str, Entry]:
    """Sign a decision on a release. Answers the release and the ledger entry.

    Raises:
        PermissionRefused: the key's owner does not hold the role, or it is their own work.
        NotFound: nothing was judged for that environment, so there is no page to sign under.
    """
    walk = walk_now(project, now=now)
    if environment:
        walk.check(environment)
    target = environment or _asked_in(walk, role)
    chosen: list[str] = []

    def claim(trust: Trusted) -> Decision:
        release = named(trust, ref, live_of(walk, trust))
        chosen[:] = [release]
        _may(project, walk, trust, release, role, decision, key)
        found = results(trust.said, release=release, policy=walk.digest)
        if decision == "approve" and (failed := [n for n, r in found.items() if r.verdict.outcome == "fail"]):
            raise PermissionRefused(
                "nobody can approve over a failed gate",
                value=", ".join(failed),
                next="lockgate evidence " + short(release),
            )
        page = page_of(project, walk, trust, release=release, environment=target)
        if page is None:
            raise NotFound(
                "there is no evidence page to sign under: none was made since policy, people or gates changed",
                value=f"{short(release)} for {target}",
                next="lockgate deliver",
            )
        if decision == "approve" and (
            missing := [s.name for s in walk.stages_before(target) if isinstance(s, Gate) and s.name not in found]
        ):
            raise PermissionRefused(
                "a gate was not run on this release", value=", ".join(missing), next="lockgate deliver"
            )
        uncertain = [n for n, r in found.items() if r.verdict.outcome == "uncertain"]
        ask = ask_for(walk.stages, target, policy=walk.policy, uncertain=uncertain)
        if decision == "approve":
            _check_seen(project, release, target, page.sha256)
        current = binding(trust, release=release, environment=target, policy=walk.digest, page=page.sha256)
        return decide_purely(
            decision, role=role, reason=reason, current=current, ask=ask, accepted=accepted, log=trust.head, now=now
        )

    entry = append(project, claim, now=now, key=key)
    assert entry is not None
    return chosen[0], entry


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person is shown: the page of a release for an environment, the same as JSON, and the model card beside it."""

    release: str
    environment: str
    page: Kept
    card: Kept | None
    pack: Kept | None


def evidence_page(project: Project, ref: str, *, environment: str | None = None, now: dt.datetime) -> Evidence:
    """The page of a release. This working copy notes that it was shown here: only what was shown can be approved."""
    walk = walk_now(project, now=now)
    trust = read_ledger(project)
    release = named(trust, ref, live_of(walk, trust))
    if environment:
        walk.check(environment)
    places = [environment] if environment else list(reversed(walk.environments))
    for place in places:
        if found := page_of(project, walk, trust, release=release, environment=place):
            _note_seen(project, release, place, found.sha256)
            card, pack = (of(project, walk, trust, release=release, environment=place) for of in (card_of, pack_of))
            return Evidence(release, place, found, card, pack)
    raise NotFound(
        "no evidence page of this release is kept",
        value=short(release),
        allowed=", ".join(places),
        next="lockgate deliver",
    )


def _seen_file(project: Project, release: str, environment: str) -> Path:
    return project.home / "shown" / f"{release.removeprefix('sha256:')}-{environment}"


def _note_seen(project: Project, release: str, environment: str, page: str) -> None:
    write_atomic(_seen_file(project, release, environment), page.encode() + b"\n", sync=False)


def _check_seen(project: Project, release: str, environment: str, page: str) -> None:
    """What is signed is what was looked at here, not what lies there by now."""
    file = _seen_file(project, release, environment)
    seen = file.read_text(encoding="ascii").strip() if file.is_file() else ""
    if seen != page:
        raise PermissionRefused(
            "the evidence page has changed since it was shown here" if seen else "the evidence page was not shown here yet",
            value=f"{short(release)} for {environment}", next=f"lockgate evidence {short(release)} --env {environment}",
        )  # fmt: skip


def _asked_in(walk: Walk, role: str) -> str:
    """The only environment before which this role is asked."""
    places: list[str] = []
    asked = False
    for stage in walk.stages:
        asked = asked or (isinstance(stage, Approval) and stage.role == role)
        if asked and isinstance(stage, DeployTo):
            places.append(stage.environment)
            asked = False
    if len(places) == 1:
        return places[0]
    if places:
        what = "this role is asked before more than one environment"
        raise UsageError(what, value=role, allowed=", ".join(places), next=f"lockgate approve … --env {places[0]}")
    roles = sorted({s.role for s in walk.stages if isinstance(s, Approval)})
    raise NotFound("nobody is asked in this role", value=role, allowed=", ".join(roles))


def _may(
    project: Project, walk: Walk, trust: Trusted, release: str, role: str, decision: str, key: Path | None
) -> None:
    """Refuse now what would not count later, naming the reason; an entry that cannot count helps nobody."""
    me = who(project, trust, key)
    if role not in me.roles or me.kind != "person":
        held = ", ".join(me.roles) or "no role"
        raise PermissionRefused(f"{me.name} does not hold this role", value=role, allowed=held, next="lockgate people")
    own = walk.policy.self_approval == "refused" and me.name in authors(trust, release)
    if decision == "approve" and own:
        raise PermissionRefused(
            f"{me.name} cannot approve own work", value=f"author or run starter of {short(release)}",
            allowed="somebody else who holds the role", next="lockgate people",
        )  # fmt: skip
