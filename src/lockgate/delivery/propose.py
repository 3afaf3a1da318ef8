"""`propose`: run what is missing, bundle the release, and say in the ledger that it exists. The first stretch of `deliver`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.delivery import claims
from lockgate.delivery.audit.for_later import keep_policy
from lockgate.delivery.identity import read_ledger, who
from lockgate.delivery.judging.material import keep_judged_on, made_in
from lockgate.delivery.lineage import check_whole_history, code_files
from lockgate.delivery.releases import build_release
from lockgate.delivery.run import plan, run
from lockgate.delivery.walk import walk_now
from lockgate.errors import PermissionRefused
from lockgate.records.people import DELIVERER, VALIDATOR

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.run import Planned, RunRecord
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.people import Person
    from lockgate.records.release import Manifest

__all__ = ["Proposal", "bring_forth", "check_is_no_validator", "may_deliver", "propose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A release that the ledger knows. `is_new`: it was said now, or for the first time in this pipeline; `seq`: where."""

    release: str
    name: str
    ran: RunRecord
    is_new: bool
    job: ForgeJob | None


def propose(
    project: Project, *, clock: Callable[[], dt.datetime], job: ForgeJob | None = None,
    params: Mapping[str, Mapping[str, Json]] | None = None, tell: Callable[[Event], None] = lambda _: None, note: str = "",
    title: str = "",
) -> Proposal:  # fmt: skip
    """Make the release of this working copy and register it; every job of the same pipeline finds it in the ledger.

    Args:
        job: of the forge, where this runs in one: written beside the release. The same release proposed by another
            pipeline is said again, so that the jobs of both find it.
        note: why the release is made, for who decides about it. title: of the commit, which says so where nobody does.

    Raises what `run` failed with; PermissionRefused for a key without the role.
    """
    note = claims.check_text(note)
    now = clock()
    me = may_deliver(project)
    walk = walk_now(project, now=now)
    check_whole_history(project.root)
    planned = plan(project, walk.delivery.name, now=now, params=params, graph=walk.graph)
    ran, manifest = bring_forth(project, walk, planned, now=now, tell=tell)
    files = code_files(walk.training, ran)
    is_new = claims.propose(project, walk, manifest, me, files, now=clock(), job=job, note=note, title=title)
    claims.look(project, manifest.digest, made_in(walk, ran).holdout.digest, now=clock())
    return Proposal(release=manifest.digest, name=walk.training.name, ran=ran, is_new=is_new, job=job)


def may_deliver(project: Project) -> Person:
    """The key's owner, who must hold the role that proposes, judges and asks for deployments. Raises PermissionRefused."""
    me = who(project, read_ledger(project))
    if DELIVERER not in me.roles:
        held = ", ".join(me.roles) or "no role"
        raise PermissionRefused(f"{me.name} may not deliver", value=held, allowed=DELIVERER, next="lockgate people")
    return me


def check_is_no_validator(me: Person) -> None:
    """What `deliver` measured once it does not measure again, so a validator's key signs nothing there."""
    if VALIDATOR in me.roles:
        raise PermissionRefused(
            f"{me.name} measures again what others deliver", value=VALIDATOR, allowed=f"a {DELIVERER} without that role",
            next="lockgate gate judge GATE RELEASE",
        )  # fmt: skip


def bring_forth(
    project: Project, walk: Walk, planned: Planned, *, now: dt.datetime, tell: Callable[[Event], None]
) -> tuple[RunRecord, Manifest]:
    """Carry out a plan and bundle what it made; what the release is judged on and the policy are kept beside it."""
    ran = run(project, walk.delivery.name, now=now, tell=tell, agreed=planned)
    if ran.error is not None:
        raise ran.error
    manifest = build_release(project, walk.training, ran)
    keep_policy(project, walk)
    keep_judged_on(project, manifest.digest, made_in(walk, ran))
    return ran, manifest
