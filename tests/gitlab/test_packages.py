"""The store on generic packages: the exams that every store passes, and what GitLab does to it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lockgate.adapters.bucket.results import BucketResults
from lockgate.adapters.bucket.store import BucketStore
from lockgate.adapters.gitlab.api import PAUSES_SECONDS
from lockgate.adapters.gitlab.packages import PACKAGE, PackageBucket
from lockgate.adapters.gitlab.place import place_of
from lockgate.adapters.local import LocalStore
from lockgate.errors import IntegrityError, LockgateError, NotFound, ServiceUnavailable, UsageError
from lockgate.records.digest import digest_bytes
from lockgate.testing.gitlab import DEVELOPER, MAINTAINER, REPORTER, Fault, GitLab
from lockgate.testing.store import results_checks, store_checks

NUMBERS = itertools.count()
FILES = f"/projects/*/packages/generic/{PACKAGE}/*"
TRIES = len(PAUSES_SECONDS) + 1


class Instance:
    """A GitLab, and buckets on its packages as machines would open them."""

    def __init__(self, gitlab: GitLab, folder: Path) -> None:
        self.gitlab, self.folder = gitlab, folder
        self.pauses: list[float] = []

    def bucket(self, *, patience: float = 5.0) -> PackageBucket:
        url = f"gitlab://{self.gitlab.url.removeprefix('http://')}/{self.gitlab.project.path}"
        return PackageBucket(place_of(url, self.folder), pause=self.pauses.append, patience=patience)

    def store(self, *, patience: float = 5.0, young_s: float = 1800.0) -> BucketStore:
        """One on a machine that has no copy of anything."""
        folder = self.folder / f"machine-{next(NUMBERS)}"
        return BucketStore(
            self.bucket(patience=patience), cache=LocalStore(folder), scratch=folder / "tmp", young_s=young_s
        )

    def results(self, kind: str = "results") -> BucketResults:
        return BucketResults(self.bucket(), kind)

    def put(self, store: BucketStore, data: bytes) -> str:
        path = self.folder / f"output-{next(NUMBERS)}"
        path.write_bytes(data)
        return store.put(path)

    @property
    def files(self) -> list[str]:
        """Version and name of every file that GitLab keeps."""
        return [f"{p.version}/{f.name}" for p in self.gitlab.project.packages for f in p.files]


@pytest.fixture
def instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Instance]]:
    """Makes new ones; the variables are those of a laptop whose person is a Maintainer."""
    running: list[GitLab] = []
    for name in ("CI", "CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_JOB_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def new() -> Instance:
        gitlab = GitLab(live=True).__enter__()
        running.append(gitlab)
        monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", gitlab.person("ada", role=MAINTAINER))
        return Instance(gitlab, tmp_path)

    yield new
    for gitlab in running:
        gitlab.__exit__()


@pytest.fixture
def here(instances: Callable[[], Instance]) -> Instance:
    return instances()


@pytest.mark.parametrize("redirects", [False, True], ids=["served", "redirected"])
@pytest.mark.parametrize("check", store_checks(), ids=lambda c: c.__name__)
def test_the_store_exam(check: object, instances: Callable[[], Instance], redirects: bool) -> None:
    def new() -> BucketStore:
        instance = instances()
        instance.gitlab.project.redirects = redirects
        return instance.store(young_s=0.0)

    check(new)


@pytest.mark.parametrize("check", results_checks(), ids=lambda c: c.__name__)
def test_the_results_exam(check: object, instances: Callable[[], Instance]) -> None:
    check(lambda: instances().results())
