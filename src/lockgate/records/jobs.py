"""A delivery pipeline as jobs of a forge (GitLab or another): what runs, when, and what must be green before. No forge's syntax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from lockgate.records.frozen import field, frozen

__all__ = ["EVENTS", "JUDGED", "RISING", "Downstream", "Event", "Job", "JobEnvironment", "JobGraph"]

Event = Literal["merge_request", "default_branch", "schedule", "trigger", "monitor", "child"]
EVENTS: Final[tuple[Event, ...]] = ("merge_request", "default_branch", "schedule", "trigger", "monitor", "child")
"""Why a pipeline runs: a proposed change, a change that was taken, retraining, new data, a scheduled look at what serves,
or one pipeline that was started by another."""

RISING: Final[tuple[Event, ...]] = ("default_branch", "schedule", "trigger")
"""Pipelines whose release may enter environments."""

JUDGED: Final[tuple[Event, ...]] = ("merge_request", *RISING)
"""Pipelines that make and judge."""


@frozen(kw_only=True)
class JobEnvironment:
    """The environment that a job changes, asks about, or ends.

    Attributes:
        tier: `production`, `staging`, `testing`, `development` or `other`.
        url: where its users find it; empty: nobody said.
        deploys: the job changes it; False: the job only asks about it, or ends it.
        per_branch: there is one for each branch; the forge adds the branch to `name`, and puts it for `{branch}` in `url`.
        ended_by: the job that ends it, when its branch is gone or after `days`; `ends`: this is that job. It holds up nobody.
    """

    name: str
    tier: str
    url: str = ""
    deploys: bool = True
    per_branch: bool = False
    ended_by: str = ""
    days: int = 0
    ends: bool = False


@frozen(kw_only=True)
class Downstream:
    """A pipeline of another project that a job starts: its project, the branch, and the variables it is handed."""

    project: str
    branch: str
    hands: tuple[str, ...] = ()


@frozen(kw_only=True)
class Job:
    """One job.

    Attributes:
        commands: one call of a program per item, as its arguments; each has an exit code of its own.
        says: one line for who reads the file.
        needs: jobs that must have succeeded; a job without any starts at once.
        when: `manual` waits for a person to start it, and holds up what needs it; `always` runs after a failure, too.
        events: in which pipelines it exists.
        soft: the exit code with which it counts as passed with a warning; None: any other than 0 stops.
        resource: jobs of one resource never run at the same time, in whatever pipeline; `per_branch`: of the same branch.
        retries: it is tried again when the forge or something outside failed, and for nothing else.
        interruptible: a newer pipeline may end it.
        reports: kind of report → the file in which the forge finds it.
        keep: files that are kept with the job; `shows`: the name under which people are shown them.
        audience: for whom the forge makes the job a signed token of who it is and who started it; empty: none.
        spawns: the job and its file that hold the pipeline to start; this job then has no commands.
        starts: a pipeline of another project, handed what a report `dotenv` of a job before says; no commands either.
        checkout: it needs the project's files; False: it also runs when its branch is gone.
    """

    name: str
    stage: str
    commands: tuple[tuple[str, ...], ...] = ()
    says: str = ""
    needs: tuple[str, ...] = ()
    when: Literal["on_success", "manual", "always"] = "on_success"
    events: tuple[Event, ...] = ()
    environment: JobEnvironment | None = None
    soft: int | None = None
    resource: str = ""
    per_branch: bool = False
    retries: bool = True
    interruptible: bool = False
    reports: Mapping[str, str] = field(default_factory=dict[str, str])
    keep: tuple[str, ...] = ()
    shows: str = ""
    audience: str = ""
    spawns: tuple[str, str] | None = None
    starts: Downstream | None = None
    checkout: bool = True


@frozen(kw_only=True)
class JobGraph:
    """Jobs in the order of their stages. `digest`: of the declaration that they were made from."""

    stages: tuple[str, ...]
    jobs: tuple[Job, ...]
    digest: str

    def ahead(self, name: str) -> frozenset[str]:
        """All jobs that must have succeeded before one."""
        needs = {j.name: j.needs for j in self.jobs}
        found: set[str] = set()
        todo = [*needs.get(name, ())]
        while todo:
            if (each := todo.pop()) not in found:
                found.add(each)
                todo += needs.get(each, ())
        return frozenset(found)
