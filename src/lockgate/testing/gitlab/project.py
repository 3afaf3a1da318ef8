"""The one project that the double holds: plain data that the routes read and change."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from lockgate.testing.gitlab.people import MAINTAINER, User

__all__ = ["FIRST_DAY", "Package", "PackageFile", "Project", "moment"]


FIRST_DAY: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When the clock of every double starts; a second for each request."""


def moment(at: datetime) -> str:
    """A time as the API writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


class Ids:
    """Numbers from 1001 on: one sequence for everything, as ids of different things must not be mixed up by luck."""

    def __init__(self) -> None:
        self._last = 1000

    def __next__(self) -> int:
        self._last += 1
        return self._last


@dataclass(slots=True)
class PackageFile:
    """One file of a package; a name may be there more than once."""

    id: int
    name: str
    content: bytes
    created_at: str
    job: int | None = None


@dataclass(slots=True)
class Package:
    """A package: name, version, files. `kind` is `generic` or `ml_model`."""

    id: int
    name: str
    version: str
    kind: str
    created_at: str
    files: list[PackageFile] = field(default_factory=list[PackageFile])


Thing: TypeAlias = dict[str, Any]
"""A resource in the shape in which the API shows it."""


@dataclass(slots=True, kw_only=True)
class Project:
    """Everything that a project holds. Tests may look and change.

    Attributes:
        premium: the tier with protected environments and approvals.
        duplicates: whether a package may hold two files of one name, as it may unless told otherwise.
        redirects: whether downloads of packages lead to an object storage, as on large instances.
        limit_bytes: the largest file that a package takes.
        promotes: whether a model version takes over the run it names, as recent GitLab does.
        executed: (merge request, line) of quick actions that notes contained.
        ids: what is made next gets the next one.
    """

    id: int
    path: str
    default_branch: str = "main"
    premium: bool = False
    duplicates: bool = True
    redirects: bool = False
    limit_bytes: int = 5 << 30
    promotes: bool = True
    ids: Ids = field(default_factory=Ids)
    now: datetime = FIRST_DAY
    users: dict[str, User] = field(default_factory=dict[str, User])
    packages: list[Package] = field(default_factory=list[Package])
    merge_requests: dict[int, Thing] = field(default_factory=dict[int, Thing])
    notes: defaultdict[int, list[Thing]] = field(default_factory=lambda: defaultdict[int, list[Thing]](list))
    uploads: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    pipelines: dict[int, Thing] = field(default_factory=dict[int, Thing])
    jobs: dict[int, Thing] = field(default_factory=dict[int, Thing])
    releases: dict[str, Thing] = field(default_factory=dict[str, Thing])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    environments: dict[int, Thing] = field(default_factory=dict[int, Thing])
    protected_environments: dict[str, Thing] = field(default_factory=dict[str, Thing])
    deployments: dict[int, Thing] = field(default_factory=dict[int, Thing])
    statuses: defaultdict[str, list[Thing]] = field(default_factory=lambda: defaultdict[str, list[Thing]](list))
    protected_branches: dict[str, Thing] = field(default_factory=dict[str, Thing])
    experiments: dict[int, Thing] = field(default_factory=dict[int, Thing])
    runs: dict[str, Thing] = field(default_factory=dict[str, Thing])
    models: dict[str, Thing] = field(default_factory=dict[str, Thing])
    versions: dict[int, Thing] = field(default_factory=dict[int, Thing])
    executed: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def stamp(self) -> str:
        """Now, as the API writes it."""
        return moment(self.now)

    def least_role_on(self, ref: str) -> int:
        """The role that may run jobs on a branch: who may push to it or merge into it."""
        rule = self.protected_branches.get(ref)
        if rule is None:
            return 30
        levels = [r["access_level"] for r in (*rule["push_access_levels"], *rule["merge_access_levels"])]
        return min((n for n in levels if n), default=MAINTAINER)
