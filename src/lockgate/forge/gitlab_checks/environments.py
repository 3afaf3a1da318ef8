"""Whether environments are deployed to one at a time, by the right jobs, and end when they should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lockgate.forge.gitlab_checks.finding import Looked, Rule, Said
from lockgate.forge.gitlab_file import needs_of, part, place_of, rules_of
from lockgate.forge.gitlab_yaml import downstream_of, name_of, resource_of
from lockgate.forge.settings import TIERS

__all__ = ["CHECKS"]


def _tiers(looked: Looked) -> Iterator[Said]:
    for name, content in looked.jobs.items():
        tier = place_of(content).get("deployment_tier")
        if tier is not None and tier not in TIERS:
            yield name, "environment", f"deployment_tier {tier} is none of {', '.join(TIERS)}: GitLab makes no pipeline"


def _deploys(looked: Looked) -> Iterator[Said]:
    """Two deployments to one environment at once, or one that is ended half-way, leave nobody knows what."""
    for job, content in looked.ours():
        if job.environment is None:
            continue
        place, group = place_of(content), resource_of(job)
        if (
            place.get("name") != name_of(job.environment)
            or (place.get("action", "start") == "start") != job.environment.deploys
        ):
            yield (
                job.name,
                "environment",
                f"is not bound to the environment {name_of(job.environment)} as the declaration says",
            )
        if job.environment.deploys and content.get("resource_group") != group:
            yield job.name, "resource_group", f"lacks resource_group: {group}, so two pipelines may deploy at once"
        if job.environment.deploys and content.get("interruptible"):
            yield job.name, "interruptible", "is interruptible: a newer pipeline may end it half-way"


def _reviews(looked: Looked) -> Iterator[Said]:
    """GitLab ends an environment of a branch only by a manual job beside it, which must run without the branch's files."""
    for job, content in looked.ours():
        place = place_of(content)
        if job.environment and job.environment.ended_by and place.get("on_stop") != job.environment.ended_by:
            yield (
                job.name,
                "environment",
                f"on_stop is not {job.environment.ended_by}: the environment outlives its branch",
            )
        if not (job.environment and job.environment.ends):
            continue
        if place.get("action") != "stop":
            yield job.name, "environment", "has no action: stop, so it does not end the environment"
        if part(content, "variables").get("GIT_STRATEGY") != "none" or content.get("before_script"):
            yield (
                job.name,
                "variables",
                "needs the branch's files (GIT_STRATEGY: none, before_script: []), and runs when the branch is gone",
            )
        if any(r.get("when") != "manual" or r.get("allow_failure") is not True for r in rules_of(content)):
            yield (
                job.name,
                "rules",
                "must be manual with `allow_failure: true`: else it runs at once, or the merge request waits for it",
            )


def _handed(looked: Looked) -> Iterator[Said]:
    """A trigger job has no script: it hands over what a dotenv report before it says, or the bare text `$NAME`."""
    for job, content in looked.ours():
        if job.starts is None:
            continue
        if any(content.get(key) != value for key, value in downstream_of(job.starts).items()):
            yield (
                job.name,
                "trigger",
                f"does not start {job.starts.project} with {', '.join(job.starts.hands)} and nothing else",
            )
        takes = [n["job"] for n in needs_of(content) if n.get("artifacts", True)]
        if not any("dotenv" in part(part(looked.jobs.get(n, {}), "artifacts"), "reports") for n in takes):
            yield job.name, "needs", "needs no job with a dotenv report: what it hands over would be empty"


CHECKS: Final[Mapping[str, Rule]] = {"tiers": _tiers, "deploys": _deploys, "reviews": _reviews, "handed": _handed}
