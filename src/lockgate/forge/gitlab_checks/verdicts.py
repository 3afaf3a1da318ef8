"""Whether a job does what it is called, and its own exit code decides."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, cast

from lockgate.forge.gitlab_checks.finding import Looked, Rule, Said
from lockgate.forge.gitlab_file import Config, conditions_of, lines_of, rules_of
from lockgate.forge.gitlab_yaml import INFRASTRUCTURE, OUTSIDE, RULES

if TYPE_CHECKING:
    from lockgate.records.digest import Json

__all__ = ["CHECKS"]

SHELL: Final = re.compile(r"&&|\|\||[;|&<>`]|\$\(|^\s*(set|trap|exec|eval|if|while)\b|\n")
RETRIED: Final = frozenset(INFRASTRUCTURE)


def _commands(looked: Looked) -> Iterator[Said]:
    """What the job calls is what the declaration asks for."""
    for job, content in looked.ours():
        wanted = [shlex.join(c) for c in job.commands]
        if lines_of(content, "script") != wanted:
            yield job.name, "script", f"its script is not `{'`, `'.join(wanted)}`"


def _one_call(looked: Looked) -> Iterator[Said]:
    """`false && echo` ends a script with success, and `a | b` with b's exit code: one line, one call."""
    for name, content in looked.jobs.items():
        lines = lines_of(content, "script")
        if any("lockgate" in line for line in lines):
            for line in lines:
                if SHELL.search(line) or not line.startswith("lockgate "):
                    yield (
                        name,
                        "script",
                        f"`{line[:60]}` is not one call of lockgate: its exit code may not be the line's",
                    )


def _soft(looked: Looked) -> Iterator[Said]:
    """Only an uncertain gate with an approval behind it may be red and pass."""
    for job, content in looked.ours():
        if job.environment and job.environment.ends:
            continue
        allowed = {"exit_codes": [job.soft]} if job.soft is not None else False
        said = [content.get("allow_failure", False), *(r.get("allow_failure", allowed) for r in rules_of(content))]
        for found in (_allowance(s) for s in said):
            if found not in (False, allowed):
                only = f"exit code {job.soft} alone" if job.soft is not None else "no failure"
                yield job.name, "allow_failure", f"allow_failure {found}: {only} may pass here"


def _allowance(said: Json) -> Json:
    """`exit_codes: 3` and `exit_codes: [3]` say the same."""
    codes = cast("Config", said).get("exit_codes") if isinstance(said, dict) else None
    return {"exit_codes": [codes]} if isinstance(codes, int) else said


def _in_time(looked: Looked) -> Iterator[Said]:
    """`when: always` starts a job though what it needs failed."""
    for job, content in looked.ours():
        whens = {str(p["when"]) for p in (content, *rules_of(content)) if "when" in p}
        for when in sorted(whens - {job.when, "on_success", "never"}):
            yield job.name, "when", f"when: {when}, where the declaration asks for {job.when}"


def _retries(looked: Looked) -> Iterator[Said]:
    """A gate that failed is not asked again until it passes."""
    for job, content in looked.ours():
        retry = content.get("retry", 0)
        if isinstance(retry, int) and retry:
            yield job.name, "retry", f"retry: {retry} also tries again what failed by its own verdict"
        elif isinstance(retry, dict):
            found = cast("Config", retry)
            whens = {found["when"]} if isinstance(found.get("when"), str) else set(found.get("when", {"always"}))
            codes = [found["exit_codes"]] if isinstance(found.get("exit_codes"), int) else found.get("exit_codes", [])
            if wrong := [*sorted(whens - RETRIED), *(str(c) for c in codes if c != OUTSIDE)]:
                yield (
                    job.name,
                    "retry",
                    f"retry on {', '.join(wrong)}: only failures of the runner and exit code {OUTSIDE} say nothing about the change",
                )


def _events(looked: Looked) -> Iterator[Said]:
    """A job is in the pipelines that the declaration says; a child's job without its rule is refused by GitLab."""
    for job, content in looked.ours():
        wanted = [RULES[e] for e in job.events]
        if sorted(conditions_of(content)) != sorted(wanted):
            yield job.name, "rules", "its rules are not those of the pipelines it belongs to"


CHECKS: Final[Mapping[str, Rule]] = {
    "commands": _commands,
    "one-call": _one_call,
    "soft": _soft,
    "in-time": _in_time,
    "retries": _retries,
    "events": _events,
}
