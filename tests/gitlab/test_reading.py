"""A review host takes a token only when GitLab says that it can do no more than read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lockgate.adapters.gitlab.reading import need_reading
from lockgate.errors import PermissionRefused, ServiceUnavailable
from lockgate.testing.gitlab import REPORTER, Fault, GitLab


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    for name in ("CI_JOB_TOKEN", "LOCKGATE_GITLAB_TOKEN", "LOCKGATE_LEDGER_TOKEN", "CI_PROJECT_PATH"):
        monkeypatch.delenv(name, raising=False)
    with GitLab() as double:
        monkeypatch.setenv("CI_API_V4_URL", double.api)
        monkeypatch.setenv("CI_PROJECT_ID", str(double.project.id))
        yield double


def ask(store: str = "gitlab:") -> None:
    need_reading(store, Path(), pause=lambda _: None)


@pytest.mark.parametrize("variable", ["LOCKGATE_GITLAB_TOKEN", "LOCKGATE_LEDGER_TOKEN"])
@pytest.mark.parametrize("scopes", [("api",), ("read_api", "write_repository"), ("read_api", "self_rotate")])
def test_more_than_reading_is_refused(
    gitlab: GitLab, monkeypatch: pytest.MonkeyPatch, variable: str, scopes: tuple[str, ...]
) -> None:
    secret = gitlab.project_token(role=REPORTER, scopes=scopes)
    monkeypatch.setenv(variable, secret)
    with pytest.raises(PermissionRefused) as refused:
        ask()
    assert scopes[-1] in refused.value.value
    assert f"export {variable}=" in refused.value.next
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "scopes", [("read_api",), ("read_repository",), ("read_api", "read_registry", "read_repository")]
)
def test_reading_is_enough_whatever_the_scope(
    gitlab: GitLab, monkeypatch: pytest.MonkeyPatch, scopes: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", gitlab.person("ada", role=REPORTER, scopes=scopes))
    ask()
    assert gitlab.count("GET", "/personal_access_tokens/self") == 1


def test_nothing_is_asked_without_a_token(gitlab: GitLab) -> None:
    ask()
    assert not gitlab.requests


def test_a_job_token_is_refused(gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    job = gitlab.job("review", pipeline=gitlab.pipeline())
    monkeypatch.setenv("CI_JOB_TOKEN", gitlab.job_token(job))
    with pytest.raises(PermissionRefused, match="CI_JOB_TOKEN"):
        ask()


@pytest.mark.parametrize("status", [404, 500])
def test_who_does_not_say_is_not_trusted(gitlab: GitLab, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", gitlab.person("ada", scopes=("read_api",)))
    gitlab.faults.add(Fault(status=status, times=9))
    with pytest.raises(ServiceUnavailable, match="unset LOCKGATE_GITLAB_TOKEN"):
        ask()
