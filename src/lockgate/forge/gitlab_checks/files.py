"""What the files around ours do to it: what they include, how they are written, and what they say for the whole pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.forge.gitlab_checks.finding import Finding
from lockgate.forge.gitlab_file import Config, part
from lockgate.forge.gitlab_includes import ABSENT, NONE_FOUND, NOT_PLAIN, TOO_MANY, Include, as_pinned, exact, unpinned
from lockgate.forge.gitlab_yaml import FILE, ROOT, TEMPLATE

if TYPE_CHECKING:
    from lockgate.forge.gitlab_checks.finding import Looked

__all__ = ["NAMES", "found_in_files"]

NAMES: Final = ("includes", "ambiguous", "prefilled", "cancels", "stages-order")
"""The checks of this file."""

DANGEROUS: Final = re.compile(
    r"PATH|.*_PATH|LD_.*|BASH_.*|ENV|SHELLOPTS|PS4|IFS|HOME|PYTHON.*|PIP_.*|UV_.*|GIT_.*|LOCKGATE_.*|CI|CI_.*|GITLAB_.*|FF_.*|.*_PROXY|"
    r".*_proxy|SSL_.*|SSLKEYLOGFILE|OPENSSL_CONF|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|HOSTALIASES|PERL5OPT|XDG_CONFIG_HOME|DOCKER_.*|KUBERNETES_.*|TMPDIR",
)
"""Variables that decide which programs run, on which files, and whom they ask."""


def found_in_files(looked: Looked, allowed: frozenset[str]) -> Iterator[Finding]:
    """`allowed`: includes that the settings name, as `exact` writes them."""
    for each in looked.sources.foreign:
        if exact(each.item) not in allowed:
            yield _foreign(each)
    for condition in looked.sources.conditions.get(FILE, ()):
        yield Finding(check="includes", job="", key=f"include.{condition}", says=f"{FILE} is included on a condition, or with values: without it there is no gate at all")  # fmt: skip
    for name, text in looked.sources.files.items():
        for says in text.odd:
            yield Finding(check="ambiguous", job="", file=name, says=says)
        if text.inputs and name in {ROOT, FILE, *looked.sources.above.get(FILE, ())}:
            yield Finding(check="ambiguous", job="", file=name, key="spec", says="with inputs, GitLab writes values into the text before it reads it, and a value may be a job of ours: here, and in what includes ours, there may be none")  # fmt: skip
        elif text.inputs and not text.plain:
            yield Finding(check="ambiguous", job="", file=name, key="spec", says="GitLab writes a default into the text before it reads it, and one that is no word or number may be a job of ours")  # fmt: skip
        if text.inputs:
            for key in sorted(set(_interpolated(text.content))):
                yield Finding(check="ambiguous", job="", file=name, key=key, says="GitLab makes this name when the pipeline starts: it may be one of ours")  # fmt: skip
        content = cast("Config", text.content) if isinstance(text.content, dict) else {}
        yield from _globals(name, content, looked.rendered)
    yield from _stages(looked)


def _foreign(each: Include) -> Finding:
    """What is not read may say again what our jobs do."""
    if each.why in (ABSENT, NONE_FOUND, NOT_PLAIN, TOO_MANY):
        return Finding(check="includes", job="", key="include", file=each.by, found=exact(each.item), says=each.why)
    lacking = unpinned(each.item)
    pin = f" First pin it by {lacking}: else its owners change it when they like." if lacking else ""
    return Finding(
        check="includes", job="", key="include", file=each.by, found=exact(each.item),
        says=f"{each.why}; what it says of our jobs would count, and nobody here sees it.{pin}",
        instead=f"[gitlab] includes = [{_toml(as_pinned(each.item))}], once you have read it",
    )  # fmt: skip


def _toml(item: Mapping[str, Any]) -> str:
    """As it stands in lockgate.toml."""
    pairs = ", ".join(
        f"{k} = {_toml(cast('Config', v)) if isinstance(v, dict) else json.dumps(v, ensure_ascii=False, default=str)}"
        for k, v in item.items()
    )
    return f"{{ {pairs} }}"


def _interpolated(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in cast("Config", content).items():
            if "$[[" in key:
                yield key
            yield from _interpolated(value)
    elif isinstance(content, list | tuple):
        for item in cast("list[Any]", content):
            yield from _interpolated(item)


def _globals(file: str, content: Config, rendered: Mapping[str, Config]) -> Iterator[Finding]:
    """Our jobs inherit no `default` and no global variable. What still reaches them is said here."""
    used = part(rendered.get(TEMPLATE, {}), "variables")
    for name, value in part(content, "variables").items():
        if isinstance(value, dict) and "description" in value and (name in used or DANGEROUS.fullmatch(name)):
            yield Finding(
                check="prefilled", job="", file=file, key=f"variables.{name}", found=json.dumps(value, default=str),
                says="with a description it stands in the form that starts a pipeline by hand, and from there it counts for every job, ours too",
            )  # fmt: skip
    workflow = part(content, "workflow")
    rules = workflow.get("rules")
    for said in (workflow, *(r for r in (rules if isinstance(rules, list) else ()) if isinstance(r, dict))):
        if part(cast("Config", said), "auto_cancel").get("on_job_failure", "none") != "none":
            yield Finding(check="cancels", job="", file=file, key="workflow.auto_cancel", says="when one job fails, GitLab ends the others, a deployment half-way, too")  # fmt: skip


def _stages(looked: Looked) -> Iterator[Finding]:
    """A team's own stages may stand between ours."""
    ours = [s for s in looked.stages if s in looked.expected.stages]
    wanted = [s for s in looked.expected.stages if s in ours]
    if ours != wanted:
        moved = next(a for a, b in zip(ours, wanted, strict=False) if a != b)
        yield Finding(check="stages-order", job="", key="stages", says=f"{moved} stands before {wanted[ours.index(moved)]}: ours keep their order, yours may stand between")  # fmt: skip
