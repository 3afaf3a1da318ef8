"""What is wrong with a GitLab CI file that neither GitLab's schema nor a local runner sees, and that would open a gate.

Each check has a name, takes the whole file as it is after its includes, and says what it found about which job.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, cast

from lockgate.forge.gitlab_file import CiFile, Config, conditions_of, file_of, lines_of, needs_of, place_of, rules_of
from lockgate.forge.gitlab_yaml import INFRASTRUCTURE, RULES, downstream_of, name_of, resource_of
from lockgate.forge.settings import TIERS
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.records.digest import Json
    from lockgate.records.jobs import Job, JobGraph

__all__ = ["CHECKS", "Finding", "check"]

BUILT_IN: Final = (".pre", "build", "test", "deploy", ".post")
SHELL: Final = re.compile(r"&&|\|\||[;|&<>`]|\$\(|^\s*(set|trap|exec|eval|if|while)\b|\n")
RETRIED: Final = frozenset(INFRASTRUCTURE)
OUTSIDE: Final = 5
MOST_SHOWN: Final = 10
NAMED: Final = 4


@frozen
class Finding:
    """`check`: the name of the rule; `job`: where, empty for the whole file; `says`: what, and what instead."""

    check: str
    job: str
    says: str


@frozen
class _Looked:
    """The file beside what the declaration asks for."""

    file: CiFile
    expected: JobGraph

    @property
    def jobs(self) -> Mapping[str, Config]:
        """The jobs in the file."""
        return self.file.jobs

    def ours(self) -> Iterator[tuple[Job, Config]]:
        """The jobs that the declaration asks for, where the file has them."""
        return ((job, self.jobs[job.name]) for job in self.expected.jobs if job.name in self.jobs)


def check(config: Json, expected: JobGraph) -> tuple[Finding, ...]:
    """Look at a file as GitLab does after its includes (`merged`), beside the jobs that the declaration asks for."""
    looked = _Looked(file_of(config), expected)
    return tuple(Finding(name, job, says) for name, rule in CHECKS.items() for job, says in rule(looked))


def _missing(looked: _Looked) -> Iterator[tuple[str, str]]:
    for job in looked.expected.jobs:
        if job.name not in looked.jobs:
            yield job.name, "this job is not in the file"


def _commands(looked: _Looked) -> Iterator[tuple[str, str]]:
    """What the job calls is what the declaration asks for."""
    for job, content in looked.ours():
        wanted = [shlex.join(c) for c in job.commands]
        if lines_of(content, "script") != wanted:
            yield job.name, f"its script is not `{'`, `'.join(wanted)}`"


def _one_call(looked: _Looked) -> Iterator[tuple[str, str]]:
    """`false && echo` ends a script with success, and `a | b` with b's exit code: one line, one call."""
    for name, content in looked.jobs.items():
        lines = lines_of(content, "script")
        if any("lockgate" in line for line in lines):
            for line in lines:
                if SHELL.search(line) or not line.startswith("lockgate "):
                    yield name, f"`{line[:60]}` is not one call of lockgate: its exit code may not be the line's"


def _stages(looked: _Looked) -> Iterator[tuple[str, str]]:
    known = [*cast("list[str]", looked.file.config.get("stages", ())), *BUILT_IN]
    for name, content in looked.jobs.items():
        if (stage := content.get("stage", "test")) not in known:
            yield name, f"stage {stage} is not in `stages`"


def _needs_exist(looked: _Looked) -> Iterator[tuple[str, str]]:
    for name, content in looked.jobs.items():
        for need in needs_of(content):
            if need["job"] not in looked.jobs and "pipeline" not in need and "project" not in need:
                yield name, f"needs {need['job']}, which is in no pipeline"


def _needs_order(looked: _Looked) -> Iterator[tuple[str, str]]:
    order = {
        stage: n for n, stage in enumerate([".pre", *cast("list[str]", looked.file.config.get("stages", ())), ".post"])
    }
    for name, content in looked.jobs.items():
        here = order.get(str(content.get("stage")), 0)
        for need in looked.file.needs(name):
            if order.get(str(looked.jobs.get(need, {}).get("stage")), 0) > here:
                yield name, f"needs {need}, whose stage comes later"


def _needs_same_pipelines(looked: _Looked) -> Iterator[tuple[str, str]]:
    """GitLab makes no pipeline at all when a job in it needs one that is not."""
    for name in looked.jobs:
        mine = conditions_of(looked.jobs[name])
        for need in looked.file.needs(name):
            theirs = conditions_of(looked.jobs.get(need, {}))
            if theirs and (lacking := [c for c in mine or ["always"] if c not in theirs]):
                yield name, f"needs {need}, which is not there when {lacking[0]}"


def _way_kept(looked: _Looked) -> Iterator[tuple[str, str]]:
    """Everything that the declaration puts before a job is before it in the file."""
    for job, _ in looked.ours():
        wanted, found = looked.expected.ahead(job.name), looked.file.ahead(job.name)
        if lost := [j.name for j in looked.expected.jobs if j.name in wanted - found and j.name in looked.jobs]:
            yield (
                job.name,
                f"does not need {', '.join(lost[:NAMED])}{' …' if len(lost) > NAMED else ''}: by stages alone it may start without",
            )


def _needs_hold(looked: _Looked) -> Iterator[tuple[str, str]]:
    """An optional need is no need where the job is left out."""
    for name, content in looked.jobs.items():
        for need in needs_of(content):
            if need.get("optional") and need["job"] in {j.name for j in looked.expected.jobs}:
                yield name, f"needs {need['job']} only optionally: without it, it starts all the same"


def _manual_blocks(looked: _Looked) -> Iterator[tuple[str, str]]:
    """GitLab's default for a manual job is to hold up in `rules` and not to at the job; it is said, so that nobody guesses."""
    ends = {job.name for job, _ in looked.ours() if job.environment and job.environment.ends}
    for name, content in looked.jobs.items():
        if name in ends:
            continue  # `_reviews` asks for the opposite
        places = [*rules_of(content), *([content] if content.get("when") == "manual" else [])]
        if any(p.get("when") == "manual" and p.get("allow_failure") is not False for p in places):
            yield name, "is manual without `allow_failure: false` beside it: what comes after may not wait"


def _manual_needed(looked: _Looked) -> Iterator[tuple[str, str]]:
    """A manual job holds up by `needs`; by the order of stages alone not everybody's runner waits."""
    for job, _ in looked.ours():
        if job.when == "manual" and not (job.environment and job.environment.ends):
            after = [j.name for j in looked.expected.jobs if job.name in j.needs and j.name in looked.jobs]
            holds_itself = job.environment is not None and job.environment.deploys
            if not holds_itself and not any(job.name in looked.file.needs(n) for n in after):
                yield job.name, "nobody needs it, so it holds up nobody"
            if any(r.get("when", "on_success") != "manual" for r in rules_of(looked.jobs[job.name])):
                yield job.name, "starts by itself in some pipelines: no person is waited for"


def _soft(looked: _Looked) -> Iterator[tuple[str, str]]:
    """Only an uncertain gate with an approval behind it may be red and pass."""
    for job, content in looked.ours():
        if job.environment and job.environment.ends:
            continue
        allowed = {"exit_codes": [job.soft]} if job.soft is not None else False
        said = [content.get("allow_failure", False), *(r.get("allow_failure", allowed) for r in rules_of(content))]
        for found in (_allowance(s) for s in said):
            if found not in (False, allowed):
                only = f"exit code {job.soft} alone" if job.soft is not None else "no failure"
                yield job.name, f"allow_failure {found}: {only} may pass here"


def _allowance(said: Json) -> Json:
    """`exit_codes: 3` and `exit_codes: [3]` say the same."""
    codes = cast("Config", said).get("exit_codes") if isinstance(said, dict) else None
    return {"exit_codes": [codes]} if isinstance(codes, int) else said


def _in_time(looked: _Looked) -> Iterator[tuple[str, str]]:
    """`when: always` starts a job though what it needs failed."""
    for job, content in looked.ours():
        whens = {str(p["when"]) for p in (content, *rules_of(content)) if "when" in p}
        for when in sorted(whens - {job.when, "on_success", "never"}):
            yield job.name, f"when: {when}, where the declaration asks for {job.when}"


def _retries(looked: _Looked) -> Iterator[tuple[str, str]]:
    """A gate that failed is not asked again until it passes."""
    for job, content in looked.ours():
        retry = content.get("retry", 0)
        if isinstance(retry, int) and retry:
            yield job.name, f"retry: {retry} also tries again what failed by its own verdict"
        elif isinstance(retry, dict):
            found = cast("Config", retry)
            whens = {found["when"]} if isinstance(found.get("when"), str) else set(found.get("when", {"always"}))
            codes = [found["exit_codes"]] if isinstance(found.get("exit_codes"), int) else found.get("exit_codes", [])
            if wrong := [*sorted(whens - RETRIED), *(str(c) for c in codes if c != OUTSIDE)]:
                yield (
                    job.name,
                    f"retry on {', '.join(wrong)}: only failures of the runner and exit code {OUTSIDE} say nothing about the change",
                )


def _tiers(looked: _Looked) -> Iterator[tuple[str, str]]:
    for name, content in looked.jobs.items():
        tier = place_of(content).get("deployment_tier")
        if tier is not None and tier not in TIERS:
            yield name, f"deployment_tier {tier} is none of {', '.join(TIERS)}: GitLab makes no pipeline"


def _deploys(looked: _Looked) -> Iterator[tuple[str, str]]:
    """Two deployments to one environment at once, or one that is ended half-way, leave nobody knows what."""
    for job, content in looked.ours():
        if job.environment is None:
            continue
        place, group = place_of(content), resource_of(job)
        if (
            place.get("name") != name_of(job.environment)
            or (place.get("action", "start") == "start") != job.environment.deploys
        ):
            yield job.name, f"is not bound to the environment {name_of(job.environment)} as the declaration says"
        if job.environment.deploys and content.get("resource_group") != group:
            yield job.name, f"lacks resource_group: {group}, so two pipelines may deploy at once"
        if job.environment.deploys and content.get("interruptible"):
            yield job.name, "is interruptible: a newer pipeline may end it half-way"


def _reviews(looked: _Looked) -> Iterator[tuple[str, str]]:
    """GitLab ends an environment of a branch only by a manual job beside it, which must run without the branch's files."""
    for job, content in looked.ours():
        place = place_of(content)
        if job.environment and job.environment.ended_by and place.get("on_stop") != job.environment.ended_by:
            yield job.name, f"on_stop is not {job.environment.ended_by}: the environment outlives its branch"
        if not (job.environment and job.environment.ends):
            continue
        if place.get("action") != "stop":
            yield job.name, "has no action: stop, so it does not end the environment"
        if content.get("variables", {}).get("GIT_STRATEGY") != "none" or content.get("before_script"):
            yield (
                job.name,
                "needs the branch's files (GIT_STRATEGY: none, before_script: []), and runs when the branch is gone",
            )
        if any(r.get("when") != "manual" or r.get("allow_failure") is not True for r in rules_of(content)):
            yield (
                job.name,
                "must be manual with `allow_failure: true`: else it runs at once, or the merge request waits for it",
            )


def _handed(looked: _Looked) -> Iterator[tuple[str, str]]:
    """A trigger job has no script: it hands over what a dotenv report before it says, or the bare text `$NAME`."""
    for job, content in looked.ours():
        if job.starts is None:
            continue
        if any(content.get(key) != value for key, value in downstream_of(job.starts).items()):
            yield job.name, f"does not start {job.starts.project} with {', '.join(job.starts.hands)} and nothing else"
        takes = [n["job"] for n in needs_of(content) if n.get("artifacts", True)]
        if not any("dotenv" in looked.jobs.get(n, {}).get("artifacts", {}).get("reports", {}) for n in takes):
            yield job.name, "needs no job with a dotenv report: what it hands over would be empty"


def _dotenv(looked: _Looked) -> Iterator[tuple[str, str]]:
    """Variables of a dotenv report reach only jobs that need its producer, with its artifacts."""
    for name, content in looked.jobs.items():
        if "dotenv" not in content.get("artifacts", {}).get("reports", {}):
            continue
        takers = [n for c in looked.jobs.values() for n in needs_of(c) if n["job"] == name]
        if not any(n.get("artifacts", True) for n in takers):
            yield name, "writes a dotenv report that no job takes by `needs`"


def _shown(looked: _Looked) -> Iterator[tuple[str, str]]:
    shown = [(n, c["artifacts"]) for n, c in looked.jobs.items() if "expose_as" in c.get("artifacts", {})]
    for name, artifacts in shown:
        if any(re.search(r"[$*]", p) for p in artifacts.get("paths", ())):
            yield name, "expose_as with a variable or * in its paths shows nothing"
    if len(shown) > MOST_SHOWN:
        yield "", f"{len(shown)} jobs use expose_as: GitLab shows {MOST_SHOWN}"


def _signing(looked: _Looked) -> Iterator[tuple[str, str]]:
    """Keyless signing takes no token of a child pipeline."""
    for name, content in looked.jobs.items():
        if "id_tokens" in content and RULES["child"] in conditions_of(content):
            yield name, "has id_tokens in a child pipeline, where nothing can be signed with them"


def _events(looked: _Looked) -> Iterator[tuple[str, str]]:
    """A job is in the pipelines that the declaration says; a child's job without its rule is refused by GitLab."""
    for job, content in looked.ours():
        wanted = [RULES[e] for e in job.events]
        if sorted(conditions_of(content)) != sorted(wanted):
            yield job.name, "its rules are not those of the pipelines it belongs to"


CHECKS: Final[Mapping[str, Callable[[_Looked], Iterator[tuple[str, str]]]]] = {
    "missing": _missing,
    "commands": _commands,
    "one-call": _one_call,
    "stages": _stages,
    "needs-exist": _needs_exist,
    "needs-order": _needs_order,
    "needs-same-pipelines": _needs_same_pipelines,
    "needs-hold": _needs_hold,
    "way-kept": _way_kept,
    "manual-blocks": _manual_blocks,
    "manual-needed": _manual_needed,
    "soft": _soft,
    "in-time": _in_time,
    "retries": _retries,
    "tiers": _tiers,
    "deploys": _deploys,
    "reviews": _reviews,
    "handed": _handed,
    "dotenv": _dotenv,
    "shown": _shown,
    "signing": _signing,
    "events": _events,
}
