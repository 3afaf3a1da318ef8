"""What is wrong with a GitLab CI file that neither GitLab's schema nor a local runner sees, and that would let something past a gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from lockgate.forge.gitlab_checks import environments, reports, verdicts, ways
from lockgate.forge.gitlab_checks.files import NAMES, found_in_files
from lockgate.forge.gitlab_checks.finding import Finding, Looked, Rule
from lockgate.forge.gitlab_checks.overrides import Difference, differences
from lockgate.forge.gitlab_file import file_of, jobs_in, merged
from lockgate.forge.gitlab_read import read
from lockgate.forge.gitlab_yaml import TEMPLATE

if TYPE_CHECKING:
    from lockgate.forge.gitlab_includes import Sources
    from lockgate.records.digest import Json
    from lockgate.records.jobs import JobGraph

__all__ = ["CHANGED", "CHECKS", "NAMES", "Finding", "check"]

CHECKS: Final[Mapping[str, Rule]] = {**ways.CHECKS, **verdicts.CHECKS, **environments.CHECKS, **reports.CHECKS}
"""Rules about what the files make together; most also hold for a team's own jobs that call Lockgate."""

CHANGED: Final = "changed"
"""What a job of ours is found with that was not rendered, and that no rule says more about."""


def check(
    sources: Sources, expected: JobGraph, rendered: str, *, allowed: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """Look at files as GitLab does, beside the jobs that the declaration asks for and the text that they were rendered to.

    `allowed`: includes of others that the settings name.
    """
    whole: Json = {}
    for text in sources.files.values():
        whole = merged(text.content, whole) if isinstance(text.content, dict) else whole
    looked = Looked(sources=sources, file=file_of(whole), expected=expected, rendered=jobs_in(read(rendered)))
    return (*found_in_files(looked, allowed), *_of_jobs(looked))


def _of_jobs(looked: Looked) -> Iterator[Finding]:
    """Each difference once, with the reason of the rule that it breaks; then rules that are broken without one."""
    open_ = list(differences(looked.sources, looked.rendered))
    shared = {d.key for d in open_ if d.job == TEMPLATE}
    rest: list[Finding] = []
    for name, rule in CHECKS.items():
        for job, key, says in rule(looked):
            here = next((d for d in open_ if (d.job, d.key) == (job, key)), None)
            if here is not None:
                open_.remove(here)
                yield _finding(here, name, says)
            elif not (key in shared and key not in looked.rendered.get(job, {})):
                rest.append(Finding(check=name, job=job, key=key, says=says))
    yield from (_finding(d, CHANGED, d.why) for d in open_)
    yield from rest


def _finding(d: Difference, name: str, says: str) -> Finding:
    return Finding(
        check=name, job=d.job, key=d.path, says=says, file=d.file, found=d.found, rendered=d.rendered, instead=d.instead
    )  # fmt: skip
