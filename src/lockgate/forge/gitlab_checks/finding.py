"""What a check says, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from lockgate.forge.gitlab_file import CiFile, Config
from lockgate.forge.gitlab_includes import Sources
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.records.jobs import Job, JobGraph

__all__ = ["Finding", "Looked", "Rule", "Said"]

Said = tuple[str, str, str]
"""The job, empty for the whole file; the keyword; what is wrong with it, and what instead."""


@frozen(kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: the name of the rule. job: where; empty: in the whole file. key: the keyword, such as `variables.PATH`.
        says: why that matters.
        file: where it stands; empty: in what the files make together.
        found, rendered: what stands there and what was rendered, in one line each; empty: nothing is compared.
        instead: where the same can be said so that it holds; empty: nowhere.
    """

    check: str
    job: str
    says: str
    key: str = ""
    file: str = ""
    found: str = ""
    rendered: str = ""
    instead: str = ""


@frozen(kw_only=True)
class Looked:
    """The files, what GitLab makes of them, and what the declaration asks for."""

    sources: Sources
    file: CiFile
    expected: JobGraph
    rendered: Mapping[str, Config]

    @property
    def jobs(self) -> Mapping[str, Config]:
        """The jobs in the file."""
        return self.file.jobs

    @property
    def stages(self) -> list[str]:
        """The stages in the file; none where they are no list."""
        found: object = self.file.config.get("stages")
        return [str(s) for s in found] if isinstance(found, list) else []

    @property
    def names(self) -> frozenset[str]:
        """The names of the jobs that the declaration asks for."""
        return frozenset(job.name for job in self.expected.jobs)

    def ours(self) -> Iterator[tuple[Job, Config]]:
        """The jobs that the declaration asks for, where the file has them."""
        return ((job, self.jobs[job.name]) for job in self.expected.jobs if job.name in self.jobs)


Rule = Callable[[Looked], Iterator[Said]]
