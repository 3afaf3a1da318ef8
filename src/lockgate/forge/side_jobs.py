"""Jobs beside the way of a release, which decide nothing: report, review app, publishing, the application's own project."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lockgate.forge.id_token import AUDIENCE
from lockgate.records.jobs import RISING, Downstream, Event, Job, JobEnvironment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.forge.settings import GitlabSettings

__all__ = ["REPORTS", "downstream_jobs", "handing", "publish_jobs", "report_jobs", "review_jobs"]

REPORTS: Final = "lockgate-reports"
"""The folder in which a job leaves its reports."""

OUTSIDE: Final = 5
"""The exit code when something outside is silent."""

HANDED: Final = "lockgate-delivered.env"
"""What a deployment writes down for the pipeline downstream."""

HANDS: Final = ("LOCKGATE_RELEASE", "LOCKGATE_ENVIRONMENT")


def review_jobs(settings: GitlabSettings) -> list[Job]:
    """The proposed release's app, on a host outside of the pipeline: nothing that a job starts outlives it."""
    if not settings.review:
        return []
    app = JobEnvironment(name="review", tier="development", url=settings.review, per_branch=True, ended_by="review:stop", days=settings.review_days)  # fmt: skip
    return [
        Job(name="review", stage="review", commands=(("lockgate", "preview", "wait"),), needs=("release",), environment=app,
            events=("merge_request",), resource="review", soft=OUTSIDE,
            says="the proposed app beside what is live; it decides nothing, and a host that is silent stops nobody"),
        Job(name="review:stop", stage="review", commands=(("echo", "the host ends what nobody looks at by itself"),),
            needs=("review",), environment=replace(app, deploys=False, ends=True, ended_by="", days=0), when="manual", retries=False,
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


def report_jobs(gates: Sequence[Job], events: tuple[Event, ...]) -> list[Job]:
    """What a merge request shows; also when a gate failed. Also on the target branch: GitLab compares with what it showed there.

    One path only: with a second one GitLab links to a list of files instead of the page.
    """
    if "merge_request" not in events:
        return []
    needs = tuple(g.name for g in gates) or ("release",)
    files = {"metrics": "metrics.txt", "codequality": "quality.json", "annotations": "links.json"}
    return [
        Job(
            name="report", stage="report", commands=(("lockgate", "gitlab", "report"),), needs=needs, when="always", events=events,
            interruptible=True, resource="report", per_branch=True,  # two at once would write two notes
            reports={kind: f"{REPORTS}/{name}" for kind, name in files.items()}, keep=(f"{REPORTS}/evidence.html",),
            shows="Evidence page", says="what the merge request shows, beside what the target branch last showed; nothing waits for it",
        )
    ]  # fmt: skip


def publish_jobs(environments: Sequence[str]) -> list[Job]:
    if not environments:
        return []
    return [Job(name="publish", stage="publish", commands=(("lockgate", "gitlab", "publish"),), events=RISING,
                needs=(f"deploy:{environments[-1]}",), audience=AUDIENCE, resource="publish",  # two at once would compute one number
                says="release, packages and model version for people to find")]  # fmt: skip
