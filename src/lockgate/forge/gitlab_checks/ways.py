"""Whether everything that the declaration puts before a job is before it in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lockgate.forge.gitlab_checks.finding import Looked, Rule, Said
from lockgate.forge.gitlab_file import conditions_of, needs_of, rules_of

__all__ = ["CHECKS"]

WITHOUT: Final = ("build", "test", "deploy")
"""The stages of a file that names none."""

USUAL: Final = "test"
"""The stage of a job that names none."""

NAMED: Final = 4


def _missing(looked: Looked) -> Iterator[Said]:
    for job in looked.expected.jobs:
        if job.name not in looked.jobs:
            yield job.name, "", "this job is not in the file"


def _stages(looked: Looked) -> Iterator[Said]:
    known = [".pre", *(looked.stages or WITHOUT), ".post"]
    for name, content in looked.jobs.items():
        if (stage := content.get("stage", USUAL)) not in known:
            usual = "" if "stage" in content else ", and a job without `stage` is in it"
            yield name, "stage", f"stage {stage} is not in `stages`{usual}: GitLab makes no pipeline"


def _needs_exist(looked: Looked) -> Iterator[Said]:
    """A team's own job may need one of a file that is not read, or do without."""
    ours = looked.names
    for name, content in looked.jobs.items():
        for need in needs_of(content):
            if name not in ours and (need.get("optional") or looked.sources.foreign):
                continue
            if need["job"] not in looked.jobs and "pipeline" not in need and "project" not in need:
                yield name, "needs", f"needs {need['job']}, which is in no pipeline"


def _needs_order(looked: Looked) -> Iterator[Said]:
    order = {stage: n for n, stage in enumerate([".pre", *looked.stages, ".post"])}
    for name, content in looked.jobs.items():
        here = order.get(str(content.get("stage", USUAL)), len(order))
        for need in looked.file.needs(name):
            if order.get(str(looked.jobs.get(need, {}).get("stage", USUAL)), 0) > here:
                yield name, "needs", f"needs {need}, whose stage comes later"


def _needs_same_pipelines(looked: Looked) -> Iterator[Said]:
    """GitLab makes no pipeline at all when a job in it needs one that is not."""
    for job, content in looked.ours():
        mine = conditions_of(content)
        for need in looked.file.needs(job.name):
            theirs = conditions_of(looked.jobs.get(need, {}))
            if theirs and (lacking := [c for c in mine or ["always"] if c not in theirs]):
                yield job.name, "needs", f"needs {need}, which is not there when {lacking[0]}"


def _needs_hold(looked: Looked) -> Iterator[Said]:
    """An optional need is no need where the job is left out."""
    for job, content in looked.ours():
        for need in needs_of(content):
            if need.get("optional"):
                yield job.name, "needs", f"needs {need['job']} only optionally: without it, it starts all the same"


def _way_kept(looked: Looked) -> Iterator[Said]:
    """Everything that the declaration puts before a job is before it in the file."""
    for job, _ in looked.ours():
        wanted, found = looked.expected.ahead(job.name), looked.file.ahead(job.name)
        if lost := [j.name for j in looked.expected.jobs if j.name in wanted - found and j.name in looked.jobs]:
            yield (
                job.name,
                "needs",
                f"does not need {', '.join(lost[:NAMED])}{' …' if len(lost) > NAMED else ''}: by stages alone it may start without",
            )


def _manual_blocks(looked: Looked) -> Iterator[Said]:
    """GitLab's default for a manual job is to hold up in `rules` and not to at the job; it is said, so that nobody guesses."""
    for job, content in looked.ours():
        if job.environment and job.environment.ends:
            continue  # `_reviews` asks for the opposite
        places = [*rules_of(content), *([content] if content.get("when") == "manual" else [])]
        if any(p.get("when") == "manual" and p.get("allow_failure") is not False for p in places):
            yield job.name, "rules", "is manual without `allow_failure: false` beside it: what comes after may not wait"


def _manual_needed(looked: Looked) -> Iterator[Said]:
    """A manual job holds up by `needs`; by the order of stages alone not everybody's runner waits."""
    for job, _ in looked.ours():
        if job.when == "manual" and not (job.environment and job.environment.ends):
            after = [j.name for j in looked.expected.jobs if job.name in j.needs and j.name in looked.jobs]
            holds_itself = job.environment is not None and job.environment.deploys
            if not holds_itself and not any(job.name in looked.file.needs(n) for n in after):
                yield job.name, "rules", "nobody needs it, so it holds up nobody"
            if any(r.get("when", "on_success") != "manual" for r in rules_of(looked.jobs[job.name])):
                yield job.name, "rules", "starts by itself in some pipelines: no person is waited for"


CHECKS: Final[Mapping[str, Rule]] = {
    "missing": _missing,
    "stages": _stages,
    "needs-exist": _needs_exist,
    "needs-order": _needs_order,
    "needs-same-pipelines": _needs_same_pipelines,
    "needs-hold": _needs_hold,
    "way-kept": _way_kept,
    "manual-blocks": _manual_blocks,
    "manual-needed": _manual_needed,
}
