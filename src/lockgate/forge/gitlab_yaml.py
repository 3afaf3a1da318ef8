"""Jobs → the text of a GitLab CI file. The same jobs give the same bytes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from lockgate.forge.settings import GitlabSettings
    from lockgate.records.digest import Json
    from lockgate.records.jobs import Downstream, Event, Job, JobEnvironment, JobGraph

__all__ = [
    "FILE",
    "MARK",
    "ROOT",
    "TEMPLATE",
    "block",
    "downstream_of",
    "name_of",
    "render",
    "resource_of",
    "root_file",
]

FILE: Final = "ci/lockgate.gitlab-ci.yml"
ROOT: Final = ".gitlab-ci.yml"
MARK: Final = "# Written by `lockgate gitlab render`"
HEADER: Final = f"""\
{MARK} from the declared pipelines. Change those, render again, commit both.
# Declaration {{digest}}
# Nothing here decides: each command holds the signed ledger against the policy again, whatever this file says.
# Exit codes: 0 good, 1 a step or gate failed, 2 usage, 3 uncertain or waiting for people, 4 integrity, 5 something outside.
"""
TEMPLATE: Final = ".lockgate"
ALONE: Final[Mapping[str, bool]] = {"default": False, "variables": False}
"""What other files say for all jobs (`default`, global variables) does not count for ours: settings say it."""

BRANCH: Final = "$CI_COMMIT_REF_SLUG"
"""Always there, unlike the number of a merge request: without it a name would end in `/`, which GitLab refuses."""

UPSTREAM: Final = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
RULES: Final[Mapping[Event, str]] = {
    "merge_request": '$CI_PIPELINE_SOURCE == "merge_request_event"',
    "default_branch": f"{UPSTREAM} && $CI_PIPELINE_SOURCE =~ /^(push|web|api)$/",
    "schedule": f'{UPSTREAM} && $CI_PIPELINE_SOURCE == "schedule" && $LOCKGATE_SCHEDULE != "monitor"',
    "trigger": f"{UPSTREAM} && $CI_PIPELINE_SOURCE =~ /^(trigger|pipeline)$/",
    "monitor": f'{UPSTREAM} && $CI_PIPELINE_SOURCE == "schedule" && $LOCKGATE_SCHEDULE == "monitor"',
    "child": '$CI_PIPELINE_SOURCE == "parent_pipeline"',
}
INFRASTRUCTURE: Final = ("api_failure", "runner_system_failure", "scheduler_failure", "stuck_or_timeout_failure")
"""Failures that say nothing about the change; with them exit code 5, by which Lockgate says that something outside is down."""

MAY_BE_EMPTY: Final = ("needs", "cache", "before_script")
IDENTITY: Final = "LOCKGATE_ID_TOKEN"
OUTSIDE: Final = 5
PLAIN: Final = re.compile(r"[A-Za-z_/][^\"#]*|[.$][A-Za-z_/][^#]*")
WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def root_file() -> str:
    """The file that GitLab reads first; a team's own jobs go beside the include."""
    rules = [{"if": RULES["merge_request"]}, {"if": UPSTREAM}]
    return f"{MARK}. Without this line it is yours, and no longer written over.\n\n" + "\n".join(
        [*block("include", [{"local": FILE}]), "", *block("workflow", {"rules": rules})]
    ) + "\n"  # fmt: skip


def render(graph: JobGraph, settings: GitlabSettings, *, day: str = "$CI_PIPELINE_CREATED_AT") -> str:
    """The whole file. `day`: what all its jobs take for the project's day, where no file holds it."""
    parts = [HEADER.format(digest=graph.digest), _text(block("stages", list(graph.stages)))]
    parts.append(_text(block(TEMPLATE, _template(settings, day))))
    stage = ""
    for job in graph.jobs:
        heading = [] if job.stage == stage else [f"# --- {job.stage} " + "-" * max(3, 100 - len(job.stage))]
        stage = job.stage
        parts.append(_text([*heading, f"# {_one_line(job.says)}", *block(job.name, _job(job))]))
    return "\n".join(parts)


def _template(settings: GitlabSettings, day: str) -> dict[str, Json]:
    """What all jobs share. Not `default`, which would also be that of a team's own jobs."""
    variables = {"GIT_DEPTH": "0", "LOCKGATE_AS_OF": day, "PIP_CACHE_DIR": "$CI_PROJECT_DIR/.cache/pip"}
    key: Json = {"files": list(settings.cache_key), "prefix": "lockgate"} if settings.cache_key else "lockgate"
    parts: dict[str, Json] = {
        "inherit": dict(ALONE),
        "image": settings.image,
        "tags": list(settings.tags),
        "variables": variables | dict(settings.variables),
        "cache": {"key": key, "paths": list(settings.cache)} if settings.cache else None,
        "before_script": list(settings.setup),
        "retry": {"max": 2, "when": list(INFRASTRUCTURE), "exit_codes": [OUTSIDE]},
    }
    return {name: part for name, part in parts.items() if part}


def _job(job: Job) -> dict[str, Json]:
    parts: dict[str, Json] = {
        "extends": None if job.spawns or job.starts else TEMPLATE,
        "inherit": dict(ALONE) if job.spawns else None,
        "stage": job.stage,
        "needs": None if job.needs == () and _waits_for_stages(job) else list(job.needs),
        "rules": [_rule(job, event) for event in job.events],
        "environment": _environment(job),
        "id_tokens": {IDENTITY: {"aud": job.audience}} if job.audience else None,
        "resource_group": resource_of(job) or None,
        "interruptible": job.interruptible,
        "retry": None if job.retries or job.spawns or job.starts else 0,
        "allow_failure": None if job.soft is None else {"exit_codes": [job.soft]},
        "trigger": _trigger(job),
        **({} if job.checkout else {"variables": {"GIT_STRATEGY": "none"}, "cache": [], "before_script": []}),
        **(downstream_of(job.starts) if job.starts else {}),
        "script": [shlex.join(command) for command in job.commands],
        "artifacts": _artifacts(job),
    }
    return {n: p for n, p in parts.items() if p is not None and (p != [] or n in MAY_BE_EMPTY)}


def _waits_for_stages(job: Job) -> bool:
    """A step of a child pipeline that needs more than GitLab lets it name goes by the order of stages."""
    return job.stage.startswith("steps-") and job.stage != "steps-1"


def _rule(job: Job, event: Event) -> dict[str, Json]:
    """A manual job holds up what needs it; GitLab's default beside `when` differs between rules and jobs, so it is said."""
    rule: dict[str, Json] = {"if": RULES[event]}
    if job.when == "manual":
        rule |= {"when": "manual", "allow_failure": bool(job.environment and job.environment.ends)}
    elif job.when == "always":
        rule |= {"when": "always"}
    return rule


def _environment(job: Job) -> dict[str, Json] | None:
    """A job that only asks is bound to the environment, too: who may start it can be protected (`action: verify`)."""
    its = job.environment
    if its is None:
        return None
    if not its.deploys:
        return {"name": name_of(its), "action": "stop" if its.ends else "verify"}
    url = {"url": its.url.replace("{branch}", BRANCH)} if its.url else {}
    ended = {"on_stop": its.ended_by, "auto_stop_in": f"{its.days} days"} if its.ended_by else {}
    return {"name": name_of(its), "deployment_tier": its.tier, **url, **ended}


def name_of(environment: JobEnvironment) -> str:
    """What GitLab calls the environment."""
    return f"{environment.name}/{BRANCH}" if environment.per_branch else environment.name


def resource_of(job: Job) -> str:
    """What GitLab calls the resource group; empty: none."""
    per_branch = job.per_branch or (job.environment is not None and job.environment.per_branch)
    return f"{job.resource}/{BRANCH}" if job.resource and per_branch else job.resource


def downstream_of(starts: Downstream) -> dict[str, Json]:
    """`trigger` and `variables`. A trigger job has no script, so what it hands over are variables of a dotenv report before it.

    Each of them is named, and no global variable of the file goes along.
    """
    hands = {name: f"${name}" for name in starts.hands}
    trigger = {"project": starts.project, "branch": starts.branch, "strategy": "depend"}
    return {"inherit": dict(ALONE), "variables": hands, "trigger": trigger}


def _trigger(job: Job) -> dict[str, Json] | None:
    if job.spawns is None:
        return None
    maker, file = job.spawns
    return {"include": [{"artifact": file, "job": maker}], "strategy": "depend"}


def _artifacts(job: Job) -> dict[str, Json] | None:
    if not job.keep and not job.reports:
        return None
    shown = {"expose_as": job.shows} if job.shows else {}
    reports = {"reports": dict(job.reports)} if job.reports else {}
    paths = {"paths": list(job.keep)} if job.keep else {}
    return {"when": "always", **shown, **paths, **reports}


def block(name: str, value: Json, indent: str = "") -> list[str]:
    """A key and what stands under it, as lines.

    >>> block("needs", ["gate:a", "b"])
    ['needs:', '  - gate:a', '  - b']
    """
    key = f"{indent}{_scalar(name)}:"
    if isinstance(value, dict) and value:
        return [key, *(line for n, v in cast("dict[str, Json]", value).items() for line in block(n, v, indent + "  "))]
    if isinstance(value, list) and value:
        return [key, *(line for item in cast("list[Json]", value) for line in _item(item, indent + "  "))]
    return [f"{key} {_scalar(value)}"]


def _item(value: Json, indent: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{indent}- {_scalar(value)}"]
    lines = [line for n, v in cast("dict[str, Json]", value).items() for line in block(n, v, indent + "  ")]
    return [f"{indent}- {lines[0].lstrip()}", *lines[1:]]


def _scalar(value: Json) -> str:
    """Plain where YAML reads it back as the same text, else in double quotes as JSON writes it."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = PLAIN.fullmatch(value) and value.isprintable() and value.lower() not in WORDS and ": " not in value
    if plain and value == value.strip() and value[-1] != ":":
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
