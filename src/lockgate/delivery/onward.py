"""How a release goes on: in the pipeline that proposed it, or by a command of who may deliver. It depends on who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.delivery.approval.missing import how_to_sign
from lockgate.delivery.evidence.page import page_of
from lockgate.delivery.identity import read_ledger, who
from lockgate.gates.approvals import standing
from lockgate.gates.binding import binding, listed
from lockgate.records.decisions import Met
from lockgate.records.forge_job import job_of
from lockgate.records.people import DELIVERER
from lockgate.records.proposals import proposals

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.delivery.approval.decide import Signed
    from lockgate.gates.waivers import Waiver
    from lockgate.project import Project
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.ledger import Entry
    from lockgate.records.people import Person
    from lockgate.records.trust import Trusted

__all__ = ["DELIVER", "after_approval", "after_met", "after_waiver", "onward", "proposed_in"]

DELIVER: Final = "lockgate deliver"


def proposed_in(trust: Trusted, release: str) -> ForgeJob | None:
    """The job that proposed a release last; None: nobody did, or somebody at their desk.

    A merge request's pipeline deploys nothing, so it counts only where no other one proposed the release.
    """
    jobs = [job_of(p.claim.extra) for p in proposals(reversed(trust.said)) if p.claim.release == release]
    return next((job for job in jobs if job is None or not job.change), jobs[0] if jobs else None)


def onward(trust: Trusted, release: str, job: str, *, me: Person | None = None, command: str = DELIVER) -> str:
    """The next step of a release that nothing stops.

    Args:
        job: the one that carries on in a pipeline, such as `approve:production`.
        me: who reads it; None: anybody. command: what carries on where there is no pipeline, for who may deliver.
    """
    said = proposed_in(trust, release)
    if said and said.change:
        return f"merge !{said.change}: the pipeline behind it goes on"
    if said:
        return f"press retry of {job} in {said.words}" + (f": {said.page}" if said.page else "")
    if me is None or DELIVERER in me.roles:
        return command
    others = listed([p.name for p in trust.people.people if DELIVERER in p.roles]) or "nobody yet"
    return f"{command}   (that is for who delivers: {others}; not for {me.name})"


def after_approval(
    project: Project, signed: Signed, *, planned: str, key: Path | None, now: dt.datetime
) -> tuple[str, str]:
    """What is still missing once somebody has approved, empty: nothing; and the next step for them.

    `planned`: how they named the delivery plan that they signed for; empty without one.
    """
    walk, trust = signed.walk, read_ledger(project)
    about = {"release": signed.release, "environment": signed.environment}
    ask, page = walk.ask(trust, **about), page_of(project, walk, trust, **about)
    current = binding(trust, **about, policy=walk.digest, page=page.sha256 if page else "", plan=signed.plan)
    stands = standing(trust, current, ask=ask, now=now)
    if not stands.granted:
        return stands.missing, f"{how_to_sign(walk, signed.release, ask, stands)}   (somebody else)"
    return "", _for(project, trust, signed.release, signed.environment, key, f" --planned {planned}" if planned else "")


def after_met(project: Project, entry: Entry, *, key: Path | None) -> str:
    """The next step for who said that a condition is met."""
    trust = read_ledger(project)
    said = trust.at(entry.digest)
    assert said is not None
    assert isinstance(said.claim, Met)
    return _for(project, trust, said.claim.release, said.claim.environment, key)


def after_waiver(project: Project, waiver: Waiver, *, key: Path | None) -> str:
    """The next step for who signed the last word of a waiver that stands now."""
    trust = read_ledger(project)
    return onward(trust, waiver.release, f"gate:{waiver.gate}", me=who(project, trust, key))


def _for(project: Project, trust: Trusted, release: str, environment: str, key: Path | None, more: str = "") -> str:
    return onward(trust, release, f"approve:{environment}", me=who(project, trust, key), command=DELIVER + more)
