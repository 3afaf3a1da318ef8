"""Whether what a job hands over reaches somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lockgate.forge.gitlab_checks.finding import Looked, Rule, Said
from lockgate.forge.gitlab_file import conditions_of, lines_of, needs_of, part
from lockgate.forge.gitlab_yaml import RULES

__all__ = ["CHECKS"]

MOST_SHOWN: Final = 10


def _dotenv(looked: Looked) -> Iterator[Said]:
    """Variables of a dotenv report reach only jobs that need its producer, with its artifacts."""
    for job, content in looked.ours():
        if "dotenv" not in part(part(content, "artifacts"), "reports"):
            continue
        takers = [n for c in looked.jobs.values() for n in needs_of(c) if n["job"] == job.name]
        if not any(n.get("artifacts", True) for n in takers):
            yield job.name, "artifacts", "writes a dotenv report that no job takes by `needs`"


def _shown(looked: Looked) -> Iterator[Said]:
    shown = [(n, part(c, "artifacts")) for n, c in looked.jobs.items() if "expose_as" in part(c, "artifacts")]
    for name, artifacts in shown:
        if name in looked.names and any(re.search(r"[$*]", p) for p in lines_of(artifacts, "paths")):
            yield name, "artifacts", "expose_as with a variable or * in its paths shows nothing"
    if len(shown) > MOST_SHOWN:
        yield "", "artifacts", f"{len(shown)} jobs use expose_as: GitLab shows {MOST_SHOWN}"


def _signing(looked: Looked) -> Iterator[Said]:
    """Keyless signing takes no token of a child pipeline."""
    for job, content in looked.ours():
        if "id_tokens" in content and RULES["child"] in conditions_of(content):
            yield job.name, "id_tokens", "has id_tokens in a child pipeline, where nothing can be signed with them"


CHECKS: Final[Mapping[str, Rule]] = {"dotenv": _dotenv, "shown": _shown, "signing": _signing}
