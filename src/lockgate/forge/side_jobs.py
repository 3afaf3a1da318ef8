"""Jobs beside the way of a release, which decide nothing: its review app, and the application's own project that is told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lockgate.records.jobs import Downstream, Event, Job, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.forge.settings import GitlabSettings

__all__ = ["downstream_jobs", "handing", "review_jobs"]

OUTSIDE: Final = 5
"""The exit code when something outside is silent."""

HANDED: Final = "lockgate-delivered.env"
"""What a deployment writes down for the pipeline downstream."""

HANDS: Final = ("LOCKGATE_RELEASE", "LOCKGATE_ENVIRONMENT")


def review_jobs(settings: GitlabSettings) -> list[Job]:
    """The proposed release's app, on a host outside of the pipeline: nothing that a job starts outlives it."""
    if not settings.review:
        return []
    place = Place(name="review", tier="development", url=settings.review, per_branch=True, ended_by="review:stop", days=settings.review_days)  # fmt: skip
    return [
        Job(name="review", stage="review", commands=(("lockgate", "preview", "wait"),), needs=("release",), place=place,
            events=("merge_request",), resource="review", soft=OUTSIDE,
            says="the proposed app beside what is live; it decides nothing, and a host that is silent stops nobody"),
        Job(name="review:stop", stage="review", commands=(("echo", "the host ends what nobody looks at by itself"),),
            needs=("review",), place=replace(place, deploys=False, ends=True, ended_by="", days=0), when="manual", retries=False,
            events=("merge_request",), resource="review", checkout=False, says="takes the review app off the list of environments"),
    ]  # fmt: skip


def handing(deploy: Job) -> Job:
    """The deployment also writes down what it delivered."""
    *before, deliver = deploy.commands
    reports = {**deploy.reports, "dotenv": HANDED}
    return replace(deploy, commands=(*before, (*deliver, "--dotenv", HANDED)), reports=reports)


def downstream_jobs(environments: Sequence[str], settings: GitlabSettings, events: tuple[Event, ...]) -> list[Job]:
    """The application's own project is told which release was delivered, and fails this pipeline when it fails."""
    if not environments or not settings.downstream:
        return []
    starts = Downstream(project=settings.downstream, branch=settings.downstream_branch, hands=HANDS)
    return [Job(name="downstream", stage="downstream", needs=(f"deploy:{environments[-1]}",), events=events, starts=starts,
                retries=False, says="hands over the digest; who is handed it checks it against the ledger")]  # fmt: skip
